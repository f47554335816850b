"""Programs that share no line with this project, and what they are given to judge."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.demo.run import Demo, free_port
from ipx import trust
from ipx.encoding import b64url_bytes
from ipx.jws import parse_object
from ipx.keys import public_key
from tests.exchange.world import Gateway

HERE = Path(__file__).parent
GO = next((str(path) for path in (*Path("/usr/lib").glob("go-*/bin/go"), Path("/usr/bin/go")) if path.is_file()), None)
GOPATH = Path("/usr/share/gocode")


@pytest.fixture(scope="session")
def go_check(tmp_path_factory) -> Path:
    """The checker of `go/check.go`, built with Go and x/mod as Debian packages them."""
    go = shutil.which("go") or GO
    if go is None or not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("no Go or no x/mod: apt-get install golang-1.19-go (or golang) golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("go")
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOPATH": str(GOPATH),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    built = subprocess.run(
        [go, "build", "-o", folder / "check", HERE / "go" / "check.go"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder / "check"


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """Runs a script of `node/` with the packages of its lock file; gives what it prints."""
    npm, program = shutil.which("npm"), shutil.which("node")
    if not npm or not program:
        pytest.skip("npm or node not present")
    folder = tmp_path_factory.mktemp("node")
    for file in (HERE / "node").iterdir():
        shutil.copy(file, folder)
    installed = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if installed.returncode:
        pytest.skip(f"npm cannot install the libraries: {installed.stderr[-300:]}")

    def run(script: str, given: str) -> str:
        done = subprocess.run(
            [program, script], cwd=folder, input=given, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def openssl(tmp_path_factory):
    """Runs openssl in a folder of its own; gives exit code and output."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl not present")
    folder = tmp_path_factory.mktemp("openssl")

    def run(*arguments: str, **files: bytes):
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False)

    return run


@dataclass(frozen=True)
class Document:
    """One signed document of a real exchange, with the public key that must have signed it."""

    token: str
    jwk: dict
    alg: str
    typ: str

    def for_node(self):
        return {"token": self.token, "jwk": self.jwk, "alg": self.alg}


@pytest.fixture(scope="session")
def exchange(tmp_path_factory):
    """One exchange of the demo world: its documents by name, the answer, the trust list."""
    demo = Demo(tmp_path_factory.mktemp("demo"), free_port())
    demo.prepare()
    gateway = Gateway(demo, demo.settings)
    try:
        answer = gateway.ask()
        yield _documents(gateway, answer), answer, gateway.trust
    finally:
        gateway.close()


def _documents(gateway, answer):
    found = {}
    tokens = {
        "request": (answer.evidence.request, {"requester"}),
        "receipt": (answer.evidence.receipt, {"gateway"}),
        "record": (answer.record.partition("~")[0], {"seal", "holder"}),
    }
    for name, (token, roles) in tokens.items():
        header = parse_object(b64url_bytes(token.partition(".")[0]))
        key = gateway.trust.key(frozenset(roles), header["kid"]).public
        found[name] = Document(token, dict(key.jwk), key.alg, header["typ"])
    pinned = public_key(gateway.http.get("/log/trust.jwk").json())
    found["trust list"] = Document(gateway.http.get("/log/trust.jws").text, dict(pinned.jwk), pinned.alg, trust.TYP)
    return found
