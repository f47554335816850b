"""Where a key set may be fetched from, and what ends a fetch: over real TLS on loopback."""

import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.agencies import key_set_fetch
from gateway.agencies.key_set_fetch import BODY_BYTES, Fetched, KeySetFetcher
from gateway.agencies.key_set_text import Unusable


def certificate(folder):
    """A certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "keys")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.pem").write_bytes(
        signed.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return folder / "server.pem"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.answer(self)

    def say(self, body=b'{"keys":[]}', status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    pem = certificate(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    server.asked, server.pem = [], pem
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetch(server, monkeypatch):
    monkeypatch.setattr(key_set_fetch, "TOTAL_SECONDS", 0.5)

    def at(answer, path="/jwks", host="127.0.0.1", *, private=True, trusted=True):
        server.answer, server.asked[:] = answer, []
        tls = ssl.create_default_context(cafile=server.pem) if trusted else None
        return KeySetFetcher(private=private, tls=tls)(f"https://{host}:{server.server_port}{path}")

    return at


def test_what_is_published_is_fetched(fetch, server):
    fetched = fetch(lambda call: call.say(Cache_Control="public, max-age=120"), "/jwks?a=b")

    assert fetched == Fetched(b'{"keys":[]}', 120)
    assert server.asked == ["/jwks?a=b"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("max-age=60", 60),
        ("private, Max-Age=5", 5),
        ("no-store", 0),
        ("no-cache", 0),
        ("s-maxage=9", None),
        ("x", None),
    ],
)
def test_how_long_it_may_be_kept_is_read(fetch, header, seconds):
    assert fetch(lambda call: call.say(Cache_Control=header)).max_age_seconds == seconds


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(fetch, server, status):
    outcome = fetch(lambda call: call.say(b"", status, Location=f"https://127.0.0.1:{server.server_port}/other"))

    assert str(status) in outcome.words
    assert server.asked == ["/jwks"]


@pytest.mark.parametrize("status", [201, 204, 404, 500])
def test_another_status_brings_nothing(fetch, status):
    assert str(status) in fetch(lambda call: call.say(b"", status)).words


def test_more_than_64_kib_are_not_read(fetch):
    assert fetch(lambda call: call.say(b" " * BODY_BYTES)).body == b" " * BODY_BYTES

    assert "bytes" in fetch(lambda call: call.say(b" " * (BODY_BYTES + 1))).words


def test_a_server_that_is_slow_is_not_waited_for(fetch):
    def drip(call):
        call.send_response(200)
        call.send_header("Content-Length", "1000")
        call.end_headers()
        for _ in range(300):
            call.wfile.write(b" ")
            call.wfile.flush()
            time.sleep(0.1)

    begun = time.monotonic()
    outcome = fetch(drip)

    assert isinstance(outcome, Unusable)
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_not_called(fetch, server, host):
    outcome = fetch(lambda call: call.say(), private=False, host=host)

    assert isinstance(outcome, Unusable)
    assert server.asked == []


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "[fd00::1]", "[fe80::1]"],
)
def test_addresses_of_closed_networks_are_refused_before_anything_is_sent(address):
    outcome = KeySetFetcher()(f"https://{address}/jwks")

    assert "private or reserved" in outcome.words


@pytest.mark.parametrize("address", ["169.254.169.254", "0.0.0.0", "224.0.0.1"])
def test_some_addresses_are_never_called(address):
    assert "private or reserved" in KeySetFetcher(private=True)(f"https://{address}/jwks").words


def test_a_name_that_leads_to_a_private_address_is_refused(monkeypatch):
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", 443))])

    assert "private or reserved" in KeySetFetcher()("https://keys.example/jwks").words


def test_a_certificate_that_nobody_vouches_for_is_refused(fetch, server):
    assert isinstance(fetch(lambda call: call.say(), trusted=False), Unusable)
    assert server.asked == []


def test_nobody_listening_is_said():
    assert "no answer" in KeySetFetcher(private=True)("https://127.0.0.1:1/jwks").words
