"""The commands of docs/operators.md, run as they stand there."""

import os
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path
from string import Template

from click.testing import CliRunner

from gateway.cli import main

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "operators.md"
MADE_BY_COMPOSE = "by make compose: "
BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]+) -->\n)?```sh\n(?P<script>.*?)```", re.DOTALL)


@cache
def blocks() -> dict[str, str]:
    """Give each block of commands by its mark: `tested: <name>`, `by make compose: <name>`, or `not run: <why>`."""
    found = [(match["mark"] or "", match["script"]) for match in BLOCK.finditer(PAGE.read_text("utf-8"))]
    marked = dict(found)
    assert len(marked) == len(found), "two blocks have one mark, or none"
    return marked


def names(mark: str = "tested: ") -> set[str]:
    return {one.removeprefix(mark) for one in blocks() if one.startswith(mark)}


def run(name: str, folder: Path, environ=os.environ) -> str:
    """Run a block line by line in a folder: the gateway's commands in this process, all others by the shell.

    Returns:
        what the lines said.
    """
    said = []
    for line in blocks()[f"tested: {name}"].replace("\\\n", " ").splitlines():
        command = line.partition(" #")[0].strip()
        if command.startswith("ipx-gateway "):
            arguments = shlex.split(Template(command).substitute(environ))[1:]
            before = Path.cwd()
            os.chdir(folder)
            try:
                ran = CliRunner().invoke(main, arguments, env=dict(environ))
            finally:
                os.chdir(before)
            assert ran.exit_code == 0, f"{command}: {ran.output} {ran.exception!r}"
            said.append(ran.output)
        elif command:
            script = ["bash", "-euo", "pipefail", "-c", command]
            done = subprocess.run(
                script, cwd=folder, env=dict(environ), capture_output=True, text=True, check=False, timeout=300
            )
            assert done.returncode == 0, f"{command}: {done.stdout + done.stderr}"
            said.append(done.stdout)
    return "".join(said)
