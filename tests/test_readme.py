"""The README's commands do what they say, in the order in which a newcomer types them."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.demo.run import free_port
from tests import programs

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"<!-- tested: (?P<name>[^>]+) -->\n```sh\n(?P<script>.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    """A folder in which `make run` serves the demo, on a port of its own in place of 8080."""
    folder = tmp_path_factory.mktemp("newcomer")
    shutil.copytree(ROOT / "docs", folder / "docs")
    port = free_port()
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8"}
    server = subprocess.Popen(
        ["ipx-gateway", "demo", "--port", str(port)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    told = []
    for line in server.stdout:
        told.append(line)
        if line.startswith("serving on"):
            break
    else:
        pytest.fail("the demo ended early:\n" + "".join(told[-30:]))

    def run(name):
        scripts = {match["name"]: match["script"] for match in BLOCK.finditer((ROOT / "README.md").read_text("utf-8"))}
        script = scripts[name].replace("8080", str(port)).replace('"$PWD/.venv/bin:$PATH"', '"$PATH"')
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=environment | {"PATH": programs.path()},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    yield run
    os.killpg(server.pid, signal.SIGINT)
    server.wait(30)
    server.stdout.close()


def test_the_first_exchange_from_a_shell(newcomer):
    ran = newcomer("first exchange")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "trademark.owner.contact" in ran.stdout
    assert "refused, as it should be" in ran.stdout


def test_adding_an_agency_and_a_source(newcomer):
    ran = newcomer("add an agency")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "mapped 3" in ran.stdout
    assert "released" in ran.stdout
