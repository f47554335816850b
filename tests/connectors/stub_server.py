"""A stand-in for a holder's API: a real HTTP server on loopback that answers, or misbehaves, as a test tells it."""

import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import parse_qsl, unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    raw_target: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """An answer; with `wire` the bytes go out as they are, and with `drip_seconds` one by one."""

    body: bytes | dict | list | str = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wire: bytes | None = None
    drip_seconds: float = 0

    def bytes(self) -> bytes:
        if self.wire is not None:
            return self.wire
        body = self.body
        kind = "application/json"
        if isinstance(body, str):
            body, kind = body.encode(), "application/xml"
        elif not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {"Content-Type": kind, "Content-Length": str(len(body))} | self.headers
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1") + body


class StubServer(socketserver.ThreadingTCPServer):
    """`answer` is called for each request; `asked` keeps all of them."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tls = tls
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Reply] = lambda asked: Reply({}, 404)
        self.peers: list[dict] = []

    @property
    def base(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address) -> None:
        del request, client_address  # a client that went away


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server: StubServer = self.server
        connection = self.request
        if server.tls:
            with suppress(ssl.SSLError, OSError):
                connection = server.tls.wrap_socket(connection, server_side=True)
                server.peers.append(connection.getpeercert() or {})
                self._talk(server, connection)
                connection.close()
            return
        with suppress(OSError):
            self._talk(server, connection)

    def _talk(self, server: StubServer, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while (line := stream.readline()).strip():
            method, target, _ = line.decode().split()
            headers = {}
            while (header := stream.readline().decode().strip()) != "":
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", 0)))
            parts = urlsplit(target)
            asked = Asked(method, unquote(parts.path), target, dict(parse_qsl(parts.query)), headers, body)
            server.asked.append(asked)
            reply = server.answer(asked)
            raw = reply.bytes()
            if reply.drip_seconds:
                for index in range(len(raw)):
                    connection.sendall(raw[index : index + 1])
                    time.sleep(reply.drip_seconds)
            else:
                connection.sendall(raw)
            if reply.wire is not None or reply.drip_seconds:
                return


@contextmanager
def serving(tls: ssl.SSLContext | None = None):
    server = StubServer(tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


class Authority:
    """A made-up certification authority for one test run."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Made-up authority")])
        certificate = self._signed(self._name, self._key, timedelta(days=1), authority=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, lifetime: timedelta = timedelta(days=1)):
        """Write certificate and key for a server on loopback or a client; gives both paths."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._signed(subject, key, lifetime, authority=False)
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return paths

    def server(self, name="server", *, lifetime: timedelta = timedelta(days=1), asks_client=False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(name, lifetime=lifetime))
        if asks_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.file)
        return context

    def _signed(self, subject, key, lifetime, *, authority):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + lifetime)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]),
                critical=False,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
