"""Two real worker processes of gunicorn over TLS: races between processes, and certificates from its own sockets."""

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.clock import utc_now
from gateway.oauth.certificates import read_pem

COPIES = 16
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


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def live(world, database, authority, tmp_path):
    """The world behind gunicorn: two processes of eight threads, TLS, client certificates asked for and not needed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    origin = f"https://127.0.0.1:{port}"
    live = type(world)(database, utc_now, origin=origin)
    url = database.url.render_as_string(hide_password=False)
    conftest = str(Path(__file__).parent / "conftest.py")
    (tmp_path / "application.py").write_text(APPLICATION.format(conftest=conftest, url=url, origin=origin))
    certificate, key = authority.issue("server")
    command = [sys.executable, "-m", "gunicorn", "application:application", "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--threads", "8", "--no-control-socket", "--certfile", certificate, "--keyfile", key]
    command += ["--ca-certs", str(tmp_path / "ca.pem"), "--cert-reqs", "1"]
    live.authority = str(tmp_path / "ca.pem")
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
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


def test_one_assertion_at_two_processes_at_once_gives_exactly_one_token(live):
    system = live.system("customs-xa.live")
    url = f"{live.origin}/oauth/token"
    assertion = system.assertion(claims={"aud": live.origin})
    sent = [(system.form(client_assertion=assertion), {"DPoP": system.proof(url=url)}) for _ in range(COPIES)]

    def post(request):
        form, headers = request
        with requests.Session() as session:
            return session.post(url, data=form, headers=headers, verify=live.authority, timeout=30)

    with ThreadPoolExecutor(COPIES) as pool:
        answers = list(pool.map(post, sent))

    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.json()["error"] for answer in answers if answer.status_code != 200} == {"invalid_client"}
    assert len(live.audit("token.issued")) == 1


def test_the_certificate_comes_from_the_servers_own_socket(live, authority):
    system = live.system("customs-xa.live")
    pair, other = authority.issue("intake"), authority.issue("other")
    live.client_certificates.add(
        system.client_id, read_pem(Path(pair[0]).read_text()), by_names=False, actor="operator"
    )
    form = {"grant_type": "client_credentials", "client_id": system.client_id, "scope": "exchange:request"}

    def ask(cert):
        with requests.Session() as session:
            return session.post(f"{live.origin}/oauth/token", data=form, cert=cert, verify=live.authority, timeout=30)

    def call(token, cert):
        with requests.Session() as session:
            headers = {"Authorization": f"Bearer {token}"}
            return session.get(
                f"{live.origin}/v1/whoami", headers=headers, cert=cert, verify=live.authority, timeout=30
            )

    token = ask(pair).json()["access_token"]
    assert call(token, pair).json()["client"] == "customs-xa.live"
    assert ask(other).json()["error"] == "invalid_client"
    assert ask(None).json()["error"] == "invalid_client"
    assert call(token, other).status_code == 401
    assert call(token, None).status_code == 401
