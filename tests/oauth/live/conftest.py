"""Live servers: the world of this room behind gunicorn with TLS, and the libraries of Node."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.clock import utc_now
from gateway.db.engine import Database
from gateway.demo.run import Demo, free_port

APPLICATION = """
import importlib.util, sys
from gateway.clock import utc_now
from gateway.db.engine import Database

spec = importlib.util.spec_from_file_location("oauth_world", {conftest!r})
module = importlib.util.module_from_spec(spec)
sys.modules["oauth_world"] = module
spec.loader.exec_module(module)
application = module.World(Database({url!r}), utc_now, origin={origin!r}).app
"""


class Authority:
    """A certification authority for one test."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
        self._write("ca", self._sign(self.name, self.key, is_authority=True), self.key)

    def issue(self, name):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._write(name, self._sign(subject, key), key)
        return str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key")

    def _sign(self, subject, key, *, is_authority=False):
        now = datetime.now(UTC)
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(address, critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def _write(self, name, certificate, key):
        (self.folder / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / f"{name}.key").write_bytes(pem)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def pytest_generate_tests(metafunc):
    if "live_database" in metafunc.fixturenames:
        both = metafunc.definition.get_closest_marker("both_databases")
        kinds = ["sqlite", "postgresql"] if both else ["sqlite"]
        metafunc.parametrize("live_database", kinds, indirect=True, scope="module")


@pytest.fixture(scope="module")
def live_database(request, tmp_path_factory, sqlite_template):
    """A database for all tests of a module: what takes long is to start the server over it."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("live") / "gateway.db"
        shutil.copy(sqlite_template, path)
        database, drop = Database(f"sqlite:///{path}"), None
    else:
        emptied = type(request.getfixturevalue("emptied_database"))(request.getfixturevalue("postgres_template"))
        database, drop = Database(emptied.url), emptied.drop
    yield database
    database.dispose()
    if drop is not None:
        drop()


@pytest.fixture(scope="module")
def live_workers(world_class, live_database, authority):
    """The world behind gunicorn: two processes of eight threads, TLS, client certificates asked for and not needed."""
    port = free_port()
    origin = f"https://127.0.0.1:{port}"
    live = world_class(live_database, utc_now, origin=origin)
    for agency in ("customs-xa", "court-xa"):
        live.agency(agency)
    url = live_database.url.render_as_string(hide_password=False)
    conftest = str(Path(__file__).parents[1] / "conftest.py")
    folder = authority.folder
    (folder / "application.py").write_text(APPLICATION.format(conftest=conftest, url=url, origin=origin))
    certificate, key = authority.issue("server")
    command = [sys.executable, "-m", "gunicorn", "application:application", "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--threads", "8", "--no-control-socket", "--certfile", certificate, "--keyfile", key]
    command += ["--ca-certs", str(folder / "ca.pem"), "--cert-reqs", "1"]
    live.authority = str(folder / "ca.pem")
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(server, port)
            yield live
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def wait_for(server, port):
    deadline = time.monotonic() + 60
    while True:
        assert server.poll() is None, "the server did not start"
        assert time.monotonic() < deadline, "the server does not answer"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def wait_until_open():
    return wait_for


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The whole gateway with the demo world registered; its files are only to be copied."""
    demo = Demo(tmp_path_factory.mktemp("demo"), free_port())
    demo.prepare()
    return demo


@pytest.fixture
def settings(demo, tmp_path):
    """Settings over a copy of that world."""
    shutil.copy(demo.directory / "gateway.db", tmp_path / "gateway.db")
    shutil.copy(demo.directory / "checkpoints" / "checkpoints.db", tmp_path / "checkpoints.db")
    return replace(
        demo.settings,
        database_url=f"sqlite:///{tmp_path / 'gateway.db'}",
        checkpoint_database_url=f"sqlite:///{tmp_path / 'checkpoints.db'}",
    )


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory):
    """A folder with the two libraries, installed as their lock file says."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        pytest.skip("no Node on this machine")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "flow.mjs"):
        shutil.copy(Path(__file__).parent / "node" / name, folder)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if installed.returncode != 0:
        pytest.skip(f"npm cannot install the libraries: {installed.stderr[-300:]}")
    return folder
