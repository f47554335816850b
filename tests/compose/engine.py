"""A container engine: the one that is there, or Docker's daemon in a folder of this run's own."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

READY_SECONDS = 30.0
PROJECT = "ipx-by-make-compose"
"""Names whatever the engine keeps of a run."""


class NoEngineError(Exception):
    """Nothing here runs containers; the message says what is missing."""


class EngineError(Exception):
    """Something that was to run in the engine did not, or not well.

    Args:
        words: for people.
        status: with which the command ended.
        said: what it wrote to its standard output.
    """

    def __init__(self, words: str, status: int = 1, said: str = "") -> None:
        super().__init__(words)
        self.status = status
        self.said = said


class Engine:
    """Runs the engine's commands; what they say is in the error where one fails."""

    def __init__(self, socket: Path | None) -> None:
        # The classic builder asks for no plugin, and takes an image that is here without looking for it elsewhere.
        self._environ = os.environ | {"DOCKER_BUILDKIT": "0", "COMPOSE_PROJECT_NAME": PROJECT}
        if socket is not None:
            self._environ["DOCKER_HOST"] = f"unix://{socket}"
        self._compose = next(
            (words for words in (["docker", "compose"], ["docker-compose"]) if self._succeeds([*words, "version"])),
            None,
        )

    @property
    def has_compose(self) -> bool:
        return self._compose is not None

    @property
    def answers(self) -> bool:
        return self._succeeds(["docker", "info"])

    def docker(self, *words: str, folder: Path | None = None) -> str:
        """Run `docker …`; gives what it said.

        Raises:
            EngineError: it failed.
        """
        return self.run(["docker", *words], folder)

    def compose(self, folder: Path, *words: str) -> str:
        """Run `docker compose …` in the folder of a compose file, as `docker`."""
        assert self._compose is not None
        return self.run([*self._compose, *words], folder)

    def shell(self, line: str, folder: Path) -> str:
        """Run a line of the guide, which says `docker compose` whichever compose is here."""
        assert self._compose is not None
        return self.run(
            ["bash", "-euo", "pipefail", "-c", line.replace("docker compose", " ".join(self._compose))], folder
        )

    def begin(self, words: Sequence[str]) -> "subprocess.Popen[bytes]":
        """Start `docker …` and let it run."""
        return subprocess.Popen(["docker", *words], env=self._environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, command: Sequence[str], folder: Path | None = None) -> str:
        ran = subprocess.run(command, cwd=folder, env=self._environ, capture_output=True, check=False, timeout=900)
        if ran.returncode:
            words = (ran.stdout + ran.stderr).decode("utf-8", "replace")
            raise EngineError(
                f"{' '.join(command)}: status {ran.returncode}\n{words[-3000:]}",
                ran.returncode,
                ran.stdout.decode("utf-8", "replace"),
            )
        return ran.stdout.decode("utf-8", "replace")

    def _succeeds(self, command: Sequence[str]) -> bool:
        try:
            ran = subprocess.run(command, env=self._environ, capture_output=True, check=False, timeout=30)
        except OSError:
            return False
        return ran.returncode == 0


@contextmanager
def engine() -> Iterator[Engine]:
    """Give the engine that answers, or start one for as long as the block runs.

    Raises:
        NoEngineError: there is none, and none can be started here.
    """
    found = Engine(None)
    if found.answers:
        yield _with_compose(found)
        return
    if os.geteuid() or shutil.which("dockerd") is None:
        raise NoEngineError("no engine answers; root can start one: apt-get install docker.io docker-compose")
    with TemporaryDirectory(prefix="ipx-docker-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        socket = folder / "socket"
        where = {"--data-root": folder / "data", "--exec-root": folder / "run", "--pidfile": folder / "pid"}
        command = ["dockerd", "--host", f"unix://{socket}", *(str(word) for pair in where.items() for word in pair)]
        with (folder / "words").open("wb") as words:
            daemon = subprocess.Popen(command, stdout=words, stderr=words)
        try:
            own = Engine(socket)
            give_up = time.monotonic() + READY_SECONDS
            while not own.answers:
                if daemon.poll() is not None or time.monotonic() > give_up:
                    raise NoEngineError(f"dockerd does not start here: {(folder / 'words').read_text('utf-8')[-500:]}")
                time.sleep(0.2)
            yield _with_compose(own)
        finally:
            daemon.terminate()
            daemon.wait(60)


def _with_compose(found: Engine) -> Engine:
    if not found.has_compose:
        raise NoEngineError("neither `docker compose` nor `docker-compose` is here: apt-get install docker-compose")
    return found
