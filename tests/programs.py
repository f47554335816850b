"""`ipx` and `ipx-gateway` for tests that type them into a shell, without two seconds of imports each time.

A process that has imported them waits; what stands on the path under their names asks it for a child that does what
the program would do: with the same words, folder, environment and open files. Its end is the program's exit status.

    python -m tests.programs ADDRESS        is that process; it ends when its standard input does
"""

import atexit
import functools
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from gateway.records.own_types import VARIABLE

ROOT = Path(__file__).resolve().parents[1]
CALLER = """#!{python} -IS
import json, os, socket, sys

if {variable!r} in os.environ:  # read when the program is imported
    os.execv({program!r}, [{program!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({address!r})
    said = json.dumps(dict(name={name!r}, words=sys.argv[1:], folder=os.getcwd(), environment=dict(os.environ)))
    socket.send_fds(asked, [b"!"], [0, 1, 2])
    asked.sendall(said.encode() + b"\\n")
    status = asked.recv(8)
sys.exit(int(status) if status else 137)
"""


@functools.cache
def path() -> str:
    """Give the search path on which the programs are found; before whatever else there is."""
    folder = Path(tempfile.mkdtemp(prefix="ipx-programs-"))
    address = str(folder / "asked")
    # Its standard input is never written to: it ends with the process that holds the other end.
    waiting = subprocess.Popen(
        [sys.executable, "-m", "tests.programs", address], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert waiting.stdout.readline() == b"ready\n"
    waiting.stdout.close()
    atexit.register(_end, waiting, folder)
    for name in ("ipx", "ipx-gateway"):
        program = str(Path(sys.executable).parent / name)
        caller = folder / name
        caller.write_text(
            CALLER.format(python=sys.executable, variable=VARIABLE, program=program, address=address, name=name)
        )
        caller.chmod(0o700)
    return os.pathsep.join((str(folder), str(Path(sys.executable).parent), os.environ["PATH"]))


def _end(waiting: subprocess.Popen, folder: Path) -> None:
    waiting.stdin.close()
    waiting.wait(60)
    shutil.rmtree(folder, ignore_errors=True)


def _wait(address: str) -> None:
    """Answer each caller with a child, until standard input ends."""
    programs = _imported()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(64)
        os.write(1, b"ready\n")
        while True:
            ready, _, _ = select.select([listening, 0], [], [])
            if 0 in ready:
                return
            asked, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _be(asked, programs)
            asked.close()


def _imported() -> dict[str, Callable[[], None]]:
    from gateway.cli import main as gateway  # noqa: PLC0415  (here, and not in each test process)
    from ipx.cli import main as client  # noqa: PLC0415

    return {"ipx": client, "ipx-gateway": gateway}


def _be(asked: socket.socket, programs: dict[str, Callable[[], None]]) -> None:
    """Do in this child what the caller's program would do, and say how it ended."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _, files, _, _ = socket.recv_fds(asked, 1, 3)
        for place, file in enumerate(files):
            os.dup2(file, place)
            os.close(file)
        with asked.makefile("rb") as said:
            call = json.loads(said.readline())
        os.environ.clear()
        os.environ.update(call["environment"])
        os.chdir(call["folder"])
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  (until the child ends)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        sys.argv = [call["name"], *call["words"]]
        programs[call["name"]]()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001  (told as the interpreter would tell it)
        sys.excepthook(*sys.exc_info())
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
            asked.sendall(str(status).encode())
        finally:
            os._exit(0)


if __name__ == "__main__":
    _wait(sys.argv[1])
