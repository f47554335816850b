"""A real time-stamp authority for tests: `openssl ts`, under a root of its own; over HTTP where a test asks for it."""

import shutil
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509

POLICY = "1.3.6.1.4.1.99999.1"
CONFIGURATION = f"""
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[stamper]
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = t1
[t1]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = {POLICY}
digests = sha256,sha384,sha512
accuracy = secs:1
clock_precision_digits = 3
ess_cert_id_alg = sha256
"""


class Authority:
    """A root and an authority under it. Both of the same subjects as any other: the roots differ by their keys only."""

    def __init__(self, folder, *, validity=("-days", "2")):
        self.folder = folder
        self.openssl = shutil.which("openssl")
        self._lock = threading.Lock()  # openssl does not lock its file of serial numbers
        (folder / "tsa.cnf").write_text(CONFIGURATION)
        (folder / "serial").write_text("01\n")
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-config", "tsa.cnf"]
        self._run(
            "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Root", "-extensions", "authority"
        )
        self._run("req", *key, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Authority")
        self._run(
            "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "7", *validity,
            "-extfile", "tsa.cnf", "-extensions", "stamper", "-out", "tsa.pem",
        )  # fmt: skip
        self.root = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())

    def stamp(self, message, *options):
        (self.folder / "message").write_bytes(message)
        self._run("ts", "-query", "-data", "message", "-sha256", "-cert", "-out", "query", *options)
        return self.reply((self.folder / "query").read_bytes())

    def reply(self, query):
        with self._lock:
            (self.folder / "query").write_bytes(query)
            self._run("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply")
            return (self.folder / "reply").read_bytes()

    @contextmanager
    def serving(self):
        """Answer queries on loopback; gives the address."""
        reply = self.reply

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                answer = reply(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                """Keep quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/tsa"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _run(self, *arguments):
        subprocess.run([self.openssl, *arguments], cwd=self.folder, check=True, capture_output=True)
