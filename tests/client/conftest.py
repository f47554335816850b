"""A STUB of a gateway on loopback, to play faults that the real server must not have. It is no gateway.

It speaks the real token protocol strictly (assertion, proof, nonce) and hands out answers made with the real formats,
from keys of its own. The same client is run against the real server elsewhere.
"""

import base64
import hashlib
import json
import secrets
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from ipx import bundle, jws, merkle, note, sdjwt
from ipx.ids import uuid7
from ipx.keyfile import ALGORITHMS
from ipx.keys import generate_signer, public_key, thumbprint
from ipx.notekey import NoteSigner
from ipx.waiting import Patience, Time

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


def unpack(token):
    """Split a JWS of the client and verify it with the key it must be made by, as far as the stub knows one."""
    parts = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]
    return json.loads(parts[0]), json.loads(parts[1]), parts[2]


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Keys of a gateway and of a holder's seal, a log, and answers made from them in the real formats."""

    def __init__(self, origin):
        self.origin = origin
        self.receipt_key = generate_signer()
        self.seal_key = generate_signer()
        self.trust_key = generate_signer()
        self.log_key = NoteSigner(self.log_origin, generate_signer())
        self.leaves = []
        self.version = 1
        self.requesters = {}

    @property
    def log_origin(self):
        return f"{self.origin.partition('://')[2]}/log"

    def trust(self):
        """The trust list's payload."""
        keys = [
            self.listed("gateway", self.origin, self.receipt_key.public),
            self.listed("seal", "ipo-xa", self.seal_key.public),
            *(self.listed("requester", owner, key) for key, owner in self.requesters.items()),
        ]
        return {
            "iss": self.origin,
            "version": self.version,
            "iat": 1_790_000_000,
            "prev": None,
            "keys": keys,
            "log": {"origin": self.log_origin, "vkeys": [self.log_key.key.vkey]},
        }

    def listed(self, role, owner, key):
        times = {"valid_from": 1_700_000_000, "valid_until": None}
        return {"role": role, "kid": key.kid, "iss": owner, "alg": key.alg, "jwk": dict(key.jwk), **times}

    def signed_trust(self, key=None):
        return jws.sign(self.trust(), key or self.trust_key, typ="ipx-trust+jwt")

    def released(self, request, **spoil):
        """Answer a signed request with a record of which the owner's contact is withheld."""
        asked = unpack(request)[1]
        fields = {
            "application_number": "202400017",
            "verbal_element": "星砂 XINGSHA",
            "owners": [{"party_no": 1, "name": "Velmora Instruments Ltd"}],
            "owner_contacts": [{"party_no": 1, "email": "marks@velmora.example"}],
        }
        claims = {"iss": asked["holder"], "sub": asked["record"], "iat": asked["iat"], "sealed_by": "gateway", **fields}
        record = sdjwt.issue(claims, [(name,) for name in fields], self.seal_key, typ="ipx-record+sd-jwt", decoys=3)
        presentation = sdjwt.redact(record, [(name,) for name in fields if name != "owner_contacts"])
        withheld = [{"group": "trademark.owner.contact", "reason": "not_granted"}]
        shown = [{**withheld[0], "policy": None}]
        digests = sorted(sdjwt.digest(part) for part in presentation.split("~")[1:-1])
        receipt = self.receipt(asked, request, record.jwt, "released", disclosed=digests, withheld=withheld)
        document = {
            "id": unpack(receipt)[1]["jti"],
            "outcome": "released",
            "record": presentation,
            "sealed_by": "gateway",
            "obligations": {"retain_days": 90},
            "withheld": shown,
            "timing_ms": {"holder": 3.0},
            **self.logged(request, record.jwt, receipt),
        }
        return {**document, **spoil}

    def problem(self, request, slug, status, outcome, *, stage=None, withheld=()):
        """Answer a signed request with an outcome that releases nothing."""
        asked = unpack(request)[1]
        receipt = self.receipt(asked, request, "", outcome, disclosed=[], stage=stage, withheld=list(withheld))
        document = {
            "type": f"{self.origin}/problems/{slug}",
            "title": slug,
            "status": status,
            "detail": "What to do next.",
            "exchange": unpack(receipt)[1]["jti"],
            "outcome": outcome,
            "reason": "no_information" if slug == "no-information" else "because",
            **self.logged(request, "", receipt),
        }
        if stage:
            document["stage"] = stage
        if withheld:
            document["withheld"] = [{**row, "policy": None} for row in withheld]
        return document

    def receipt(self, asked, request, issuer_jwt, outcome, *, disclosed, stage=None, withheld=()):
        payload = {
            "iss": self.origin,
            "jti": uuid7(),
            "iat": asked["iat"],
            "req_hash": b64u(hashlib.sha256(request.encode()).digest()),
            "rec_hash": b64u(hashlib.sha256(issuer_jwt.encode()).digest()),
            "disclosed": disclosed,
            "holder": asked["holder"],
            "outcome": outcome,
            "withheld": list(withheld),
            "log": self.log_origin,
        }
        if outcome == "released":
            payload |= {"sealed_by": "gateway", "obligations": {"retain_days": 90}}
        if stage:
            payload["stage"] = stage
        return jws.sign(payload, self.receipt_key, typ="ipx-receipt+jwt")

    def logged(self, request, issuer_jwt, receipt):
        salt = secrets.token_bytes(32)
        claims = unpack(receipt)[1]
        committed = bundle.commitment(salt, request, issuer_jwt, receipt)
        entry = bundle.entry(committed, claims["outcome"], claims["iat"])
        self.leaves.append(merkle.leaf_hash(entry))
        tree = {(0, index): leaf for index, leaf in enumerate(self.leaves)}
        size = len(self.leaves)
        width, level = size, 0
        while width > 1:
            for index in range(width // 2):
                pair = tree[level, 2 * index] + tree[level, 2 * index + 1]
                tree[level + 1, index] = hashlib.sha256(b"\x01" + pair).digest()
            width, level = width // 2, level + 1
        node = lambda level, index: tree[level, index]  # noqa: E731  (merkle's Node)
        head = note.Checkpoint(self.log_origin, size, merkle.root(node, size))
        log = {
            "index": size - 1,
            "entry": entry.decode(),
            "salt": b64u(salt),
            "proof": [base64.b64encode(one).decode() for one in merkle.inclusion_proof(node, size - 1, size)],
            "checkpoint": note.sign(head.text(), self.log_key),
        }
        return {"request": request, "receipt": receipt, "log": log}


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


@pytest.fixture
def stub():
    gateway = StubGateway()
    yield gateway
    gateway.close()


class FakeTime:
    """Time that passes only when somebody sleeps; the naps are kept."""

    def __init__(self):
        self.naps = []
        self._seconds = 0.0

    def faculties(self):
        return Time(now=lambda: datetime.now(UTC), monotonic=lambda: self._seconds, sleep=self.sleep)

    def sleep(self, seconds):
        self.naps.append(seconds)
        self._seconds += seconds

    def pass_seconds(self, seconds):
        self._seconds += seconds


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def patience():
    return Patience(total_seconds=60, connect_seconds=2, read_seconds=2)


@pytest.fixture
def key(stub):
    signer = generate_signer("ES256")
    stub.register(signer)
    return signer


@pytest.fixture
def canned():
    """Makes an answer of the stub: status, body, headers."""
    return Canned


@pytest.fixture
def drop():
    return DROP
