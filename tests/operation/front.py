"""Debian's nginx with the configuration that the project ships, in front of nodes on loopback; certificates for it."""

import os
import shutil
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.oauth.certificates import Certificate, read_pem

CONFIGURATION = Path(__file__).resolve().parent.parent.parent / "deploy" / "nginx" / "gateway.conf"
HOST = "gw.example"
MAIN = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/gateway.conf;
}}
"""


class Authority:
    """Issues certificates; its own stands in `file`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        basic = x509.BasicConstraints(ca=True, path_length=None)
        certificate = self._begin(self._name, self._key).add_extension(basic, critical=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(certificate.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, is_server: bool = False) -> tuple[Path, Path]:
        """Write a certificate and its key; gives the two files."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        built = (
            self._begin(subject, key)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        certificate = built.sign(self._key, hashes.SHA256())
        files = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    def _begin(self, subject, key):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=2))
        )


class Nginx:
    """Runs while a `with` block does."""

    def __init__(self, folder: Path, nodes: dict[str, int], port: int, plain_port: int) -> None:
        """Take the ports of the nodes by the names that the configuration gives them, and the ports to listen on."""
        self.address = f"https://127.0.0.1:{port}"
        self.plain = f"http://127.0.0.1:{plain_port}"
        self._folder = folder
        folder.mkdir()
        self.servers, self.clients = Authority(folder, "servers-ca"), Authority(folder, "clients-ca")
        certificate, key = self.servers.issue(HOST, is_server=True)
        text = CONFIGURATION.read_text("utf-8")
        for name, node_port in nodes.items():
            text = text.replace(f"{name}:8080", f"127.0.0.1:{node_port}")
        replaced = {
            "listen 443 ": f"listen 127.0.0.1:{port} ",
            "listen 80;": f"listen 127.0.0.1:{plain_port};",
            "/etc/nginx/tls/gateway.pem": str(certificate),
            "/etc/nginx/tls/gateway.key": str(key),
            "/etc/nginx/tls/clients-ca.pem": str(self.clients.file),
            "/var/log/nginx": str(folder),
            "/srv/ipx": str(folder / "tiles"),
        }
        for old, new in replaced.items():
            assert old in text, f"{CONFIGURATION} says {old} no more"
            text = text.replace(old, new)
        (folder / "gateway.conf").write_text(text)
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))

    def check(self) -> str:
        """Have nginx judge the configuration; gives what it says."""
        judged = subprocess.run([*self._command, "-t"], capture_output=True, text=True, check=False)
        assert judged.returncode == 0, judged.stderr
        return judged.stderr

    def __enter__(self):
        self._process = subprocess.Popen(self._command)
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            try:
                httpx.get(self.plain, timeout=5)
            except httpx.TransportError:
                time.sleep(0.02)
            else:
                return self
        raise AssertionError("nginx did not start")

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(30)

    def transport(self, identity: tuple[Path, Path] | None = None) -> "Through":
        """Give a transport that reaches the gateway through this nginx, with a client's certificate or none."""
        context = ssl.create_default_context(cafile=str(self.servers.file))
        if identity is not None:
            context.load_cert_chain(*identity)
        return Through(self.address, context)

    @property
    def log(self) -> str:
        return (self._folder / "ipx.log").read_text("utf-8")

    @property
    def _command(self) -> list[str]:
        return [_nginx() or "nginx", "-p", str(self._folder), "-c", str(self._folder / "nginx.conf")]


class Through(httpx.BaseTransport):
    """Sends what is meant for the origin to nginx, as the name service would; its certificate is checked by name."""

    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        self._to = httpx.URL(address)
        self._inner = httpx.HTTPTransport(verify=context)

    def handle_request(self, request):
        request.url = request.url.copy_with(scheme="https", host=self._to.host, port=self._to.port)
        request.extensions = {**request.extensions, "sni_hostname": HOST}
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def is_present() -> bool:
    return _nginx() is not None


def certificate(files: tuple[Path, Path]) -> Certificate:
    return read_pem(files[0].read_text("utf-8"))


def escaped(files: tuple[Path, Path]) -> str:
    """Write a certificate as nginx hands it on."""
    return quote(files[0].read_text("utf-8"), safe="")


def _nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
