"""Agencies' systems that call the authorization server; whatever a test does not say is right."""

import hashlib
import uuid
from dataclasses import dataclass, field

from tests.oauth.signing import ABSENT, b64url, changed, jwk_of, signed, thumbprint

ORIGIN = "https://gw.example"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class System:
    """A system of an agency: its registered key, the key it proves calls with, and what it sends."""

    world: object
    """A `tests.oauth.world.World`, which makes it."""
    client_id: str
    key: object
    alg: str
    dpop_key: object
    dpop_alg: str = "ES256"
    nonce: str = field(default="")

    @property
    def kid(self):
        return thumbprint(jwk_of(self.key))

    @property
    def jkt(self):
        return thumbprint(jwk_of(self.dpop_key))

    def assertion(self, header=(), claims=(), key=None):
        now = int(self.world.clock().timestamp())
        base = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": ORIGIN,
            "iat": now,
            "exp": now + 60,
            "jti": str(uuid.uuid4()),
        }
        head = {"alg": self.alg, "kid": self.kid, "typ": "JWT"}
        return signed(changed(head, dict(header)), changed(base, dict(claims)), key or self.key)

    def proof(self, method="POST", url=f"{ORIGIN}/oauth/token", token=None, *, header=(), claims=(), key=None):
        base = {
            "jti": str(uuid.uuid4()),
            "htm": method,
            "htu": url,
            "iat": int(self.world.clock().timestamp()),
            "nonce": self.world.nonce(),
        }
        if token is not None:
            base["ath"] = b64url(hashlib.sha256(token.encode()).digest())
        key = key or self.dpop_key
        head = {"typ": "dpop+jwt", "alg": self.dpop_alg, "jwk": jwk_of(key)}
        return signed(changed(head, dict(header)), changed(base, dict(claims)), key)

    def form(self, **changes):
        base = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "scope": "exchange:request",
        }
        if "client_assertion" not in changes:
            base["client_assertion"] = self.assertion()
        return changed(base, changes)

    def ask(self, proof=None, headers=(), **form):
        """POST /oauth/token; whatever is not given is right."""
        sent = changed({"DPoP": self.proof() if proof is None else proof}, dict(headers))
        return self.world.http.post("/oauth/token", data=self.form(**form), headers=sent)

    def token(self, **form):
        answer = self.ask(**form)
        assert answer.status_code == 200, answer.text
        return answer.json["access_token"]

    def call(self, token, proof=None, method="GET", path="/v1/whoami", headers=(), **more):
        if proof is None:
            proof = self.proof(method, f"{ORIGIN}{path.partition('?')[0]}", token)
        sent = changed({"Authorization": f"DPoP {token}", "DPoP": proof}, dict(headers))
        return self.world.http.open(path, method=method, headers=sent, **more)

    def post(self, path, /, **form):
        """POST to introspection, revocation or the debugger."""
        return self.world.http.post(path, data=self.form(**{"grant_type": ABSENT, "scope": ABSENT, **form}))
