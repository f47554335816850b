"""The integrator's pages: what stands in them runs, and says what the code says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.oauth.errors import STATUS, Reason
from ipx.keyfile import generate, write_key

DOCS = Path(__file__).parents[3] / "docs"


def blocks(language):
    text = (DOCS / "first-token.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def run(live_workers, tmp_path):
    """Run a program as it stands in the page, but against the live server and its authority."""
    environment = dict(os.environ) | dict.fromkeys(
        ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), live_workers.authority
    )

    def execute(command, program, folder=tmp_path):
        text = program.replace("https://gw.example", live_workers.origin)
        (folder / "program").write_text(text)
        (folder / "program.mjs").write_text(text)
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return execute


@pytest.fixture
def customs(live_workers, tmp_path):
    """The client of the page, with a key as `ipx keygen` writes it."""
    system = live_workers.systems.get("customs-xa.intake") or live_workers.system("customs-xa.intake")
    key = generate("ES256")
    write_key(tmp_path / "intake.jwk", key)
    live_workers.register_jwk(system.client_id, dict(key.public_jwk), "ES256")
    return system


def test_the_shell_runs(run, customs, live_workers):
    make, ask = blocks("sh")

    jwk = run(["sh", "program"], make)
    live_workers.set_only_key(customs.client_id, jwk, "Ed25519")

    assert run(["sh", "program"], ask)["client"] == "customs-xa.intake"


def test_the_python_runs(run, customs):
    (program,) = blocks("python")

    assert run([sys.executable, "program"], program)["client"] == "customs-xa.intake"


def test_the_javascript_runs(run, customs, node_folder, tmp_path):
    (program,) = blocks("js")
    (node_folder / "intake.jwk").write_bytes((tmp_path / "intake.jwk").read_bytes())

    assert run(["node", "program.mjs"], program, node_folder)["client"] == "customs-xa.intake"


def table():
    """The table of errors as docs/errors.md should hold it."""
    lines = ["| code | error | HTTP | meaning | what to do |", "|---|---|---|---|---|"]
    for reason in Reason:
        status = STATUS.get(reason, {"invalid_token": 401, "insufficient_scope": 403}.get(reason.error, 400))
        lines.append(f"| {reason.code} | `{reason.error}` | {status} | {reason.words} | {reason.cure} |")
    return "\n".join(lines)


def test_the_table_of_errors_is_that_of_the_code():
    page = DOCS / "errors.md"
    if os.environ.get("IPX_UPDATE_DOCS"):
        head = page.read_text().partition("| code |")[0]
        page.write_text(f"{head}{table()}\n")

    assert table() in page.read_text(), "run again with IPX_UPDATE_DOCS=1 and look at the difference"
