"""A STUB of a gateway on loopback, to play faults that the real server must not have. It is no gateway.

It speaks the real token protocol strictly (assertion, proof, nonce) and hands out answers made with the real formats,
from keys of its own. The same client is run against the real server elsewhere.
"""

import hashlib
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from ipx.keyfile import ALGORITHMS
from ipx.keys import public_key, thumbprint
from tests.client.issuer import Issuer, b64u, unpack

DROP = object()
"""Instead of an answer: the connection is closed without a byte."""


@dataclass
class Canned:
    status: int
    body: bytes = b""
    headers: dict = field(default_factory=dict)


@dataclass
class Seen:
    method: str
    path: str
    headers: dict
    body: bytes


class StubGateway:
    def __init__(self):
        self.client_id = "customs-xa.intake"
        self.client_keys = {}
        self.metadata_changes = {}
        self.nonce = "nonce-1"
        self.scripted = {}
        self.seen = []
        self.used = set()
        self.tokens = {}
        self.lifetime_seconds = 300
        self.lock = threading.Lock()
        self.stored = {}
        handler = type("Handler", (_Handler,), {"stub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a client that gave up in the middle of an answer
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.issuer = Issuer(self.origin)
        self.answer = self.issuer.released

    def register(self, key):
        """Know a client's public key, to sign in and as a requester's."""
        self.client_keys[key.kid] = key.public
        if key.alg != "PS256":
            self.issuer.requesters[key.public] = self.client_id

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
        self.server.server_close()

    close_listener = close

    def next(self, what, *answers):
        """Play these before the default behaviour of `POST /oauth/token`, `POST /v1/exchanges` and so on."""
        self.scripted.setdefault(what, deque()).extend(answers)

    def calls(self, what):
        return [seen for seen in self.seen if f"{seen.method} {seen.path}" == what]

    def handle(self, seen):
        what = f"{seen.method} {seen.path}"
        if self.scripted.get(what):
            planned = self.scripted[what].popleft()
            return planned(seen) if callable(planned) else planned
        if seen.path.startswith("/v1/exchanges"):
            return self.exchange(seen)
        route = {
            "GET /.well-known/oauth-authorization-server": lambda: self.json(200, self.metadata()),
            "POST /oauth/token": lambda: self.token(seen),
            "GET /log/trust.jws": lambda: Canned(200, self.issuer.signed_trust().encode()),
            "GET /log/trust.jwk": lambda: self.json(200, dict(self.issuer.trust_key.public_jwk)),
        }.get(what)
        return route() if route else self.problem(404, "not-found", "Check the address.")

    def metadata(self):
        return {
            "issuer": self.origin,
            "token_endpoint": f"{self.origin}/oauth/token",
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": [*ALGORITHMS, "EdDSA"],
            "dpop_signing_alg_values_supported": [*ALGORITHMS, "EdDSA"],
            **self.metadata_changes,
        }

    def token(self, seen):
        form = {name: values[0] for name, values in parse_qs(seen.body.decode(), strict_parsing=True).items()}
        header, claims, signature = unpack(form["client_assertion"])
        key = self.client_keys[header["kid"]]
        assert header == {"alg": key.alg, "kid": key.kid, "typ": "client-authentication+jwt"}
        signed = form["client_assertion"].rpartition(".")[0].encode()
        key.verify(signature, signed)
        assert claims["iss"] == claims["sub"] == self.client_id
        assert claims["aud"] == self.origin
        assert 0 < claims["exp"] - claims["iat"] <= 300
        assert form["resource"] == f"{self.origin}/v1"
        refusal = self.refuse_proof(seen, f"{self.origin}/oauth/token")
        if refusal:
            return self.json(400, {"error": refusal}, {"DPoP-Nonce": self.nonce})
        if claims["jti"] in self.used:
            return self.json(400, {"error": "invalid_client", "error_description": "GW-116: replay"})
        self.used.add(claims["jti"])
        proof, _, _ = unpack(seen.headers["DPoP"])
        token = f"token-{len(self.tokens) + 1}"
        self.tokens[token] = (thumbprint(proof["jwk"]), json.loads(form.get("authorization_details", "[]")))
        body = {
            "access_token": token,
            "token_type": "DPoP",
            "expires_in": self.lifetime_seconds,
            "scope": form["scope"],
        }
        return self.json(200, body, {"DPoP-Nonce": self.nonce})

    def refuse_proof(self, seen, url, token=None):
        """Give the error code, None where the proof is good. The nonce comes last, as in the real server."""
        text = seen.headers.get("DPoP", "")
        header, claims, signature = unpack(text)
        assert header["typ"] == "dpop+jwt"
        key = public_key(header["jwk"], algorithms=frozenset(ALGORITHMS))
        key.verify(signature, text.rpartition(".")[0].encode())
        assert claims["htm"] == seen.method
        assert claims["htu"] == url
        if token is not None:
            assert claims["ath"] == b64u(hashlib.sha256(token.encode()).digest())
            assert self.tokens[token][0] == key.kid
        if claims["jti"] in self.used:
            return "invalid_dpop_proof"
        if claims.get("nonce") != self.nonce:
            return "use_dpop_nonce"
        self.used.add(claims["jti"])
        return None

    def exchange(self, seen):
        scheme, _, token = seen.headers["Authorization"].partition(" ")
        assert scheme == "DPoP"
        if token not in self.tokens:
            return self.challenge("invalid_token")
        refusal = self.refuse_proof(seen, f"{self.origin}{seen.path}", token)
        if refusal:
            return self.challenge(refusal)
        if seen.method == "GET":
            return self.json(200, self.stored[seen.path.rpartition("/")[2]])
        request = seen.body.decode()
        if request in self.stored:
            return self.json(200, self.stored[request], {"Idempotency-Replayed": "true"})
        with self.lock:
            document = self.answer(request)
        self.stored[request] = self.stored[document.get("id") or document.get("exchange")] = document
        return self.json(document.get("status", 200), document)

    def challenge(self, error):
        headers = {"WWW-Authenticate": f'DPoP algs="ES256", error="{error}"', "DPoP-Nonce": self.nonce}
        return self.problem(401, "unauthenticated", "Get a token.", **headers)

    def problem(self, status, slug, detail, **headers):
        body = {
            "type": f"{self.origin}/problems/{slug}",
            "title": slug.replace("-", " "),
            "status": status,
            "detail": detail,
            "trace_id": "trace-1",
        }
        return self.json(status, body, headers)

    def json(self, status, document, headers=None):
        return Canned(status, json.dumps(document).encode(), {"Content-Type": "application/json", **(headers or {})})


class _Handler(BaseHTTPRequestHandler):
    stub: StubGateway
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # header and body in one packet: else each answer waits for a delayed acknowledgement

    def do_GET(self):
        self._serve()

    def do_POST(self):
        self._serve()

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = Seen(self.command, self.path, dict(self.headers.items()), body)
        self.stub.seen.append(seen)
        try:
            answer = self.stub.handle(seen)
        except Exception as error:  # noqa: BLE001  (a failed assertion in the stub becomes an answer no test expects)
            answer = Canned(500, f"stub: {error!r}".encode())
        if answer is DROP:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_):
        pass
