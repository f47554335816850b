"""Calls made ready before the clock starts: signed, proven, written out as the bytes that go over the wire."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from gateway.demo.run import Demo
from gateway.demo.world import SCOPE
from ipx import keyfile
from ipx.channel import Call, Channel
from ipx.client import Client
from ipx.compact import serialize
from ipx.discovery import discover
from ipx.dpop import prove
from ipx.ids import uuid7
from ipx.keys import generate_signer
from ipx.request import Ask, sign_request
from ipx.tokens import ASSERTION_LIFETIME, ASSERTION_TYP, ASSERTION_TYPE, Tokens, purpose_grant
from ipx.waiting import Patience, Time

BARE = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Prepared:
    """One call as bytes, and what its answer is recognised by."""

    http: bytes
    body: str


class Requester:
    """One client of the demo. Its calls serve once, and soon: a nonce lives three minutes, a signed request one."""

    def __init__(self, demo: Demo, client_id: str) -> None:
        self.client_id = client_id
        self.key = keyfile.read_key(demo.world.keys[client_id])
        self._resource = demo.settings.resource
        self._proof_key = generate_signer("ES256")
        self._time = Time()
        self._channel = Channel(demo.origin, patience=Patience(), time=self._time)
        self._metadata = discover(self._channel, self._channel.deadline())
        self._tokens = Tokens(self._metadata, self._channel, client_id, key=self.key, proof_key=self._proof_key)

    def client(self) -> Client:
        """Give the ordinary client, for single calls."""
        return Client(self._channel.origin, self.client_id, self.key)

    def exchanges(self, asks: Sequence[Ask]) -> list[Prepared]:
        """Sign one request for each, with a `jti` and a proof of its own."""
        url = f"{self._channel.origin}/v1/exchanges"
        nonce = self._challenged(self._proven("GET", f"{self._channel.origin}/v1/whoami", self._token(asks[0]), None))
        prepared = []
        for ask in asks:
            request = sign_request(
                ask, client_id=self.client_id, gateway=self._channel.origin, key=self.key, now=self._time.now()
            )
            call = self._proven("POST", url, self._token(ask), nonce)
            prepared.append(_written(call, {"Content-Type": "application/jose"}, request))
        return prepared

    def sign_ins(self, count: int) -> list[Prepared]:
        """Make token requests: assertion and proof of possession new in each, as RFC 7523 and RFC 9449 have it."""
        nonce = self._challenged(self._sign_in(None))
        return [_written(call, {}, call.content.decode("ascii")) for call in map(self._sign_in, [nonce] * count)]

    def close(self) -> None:
        self._channel.close()

    def _token(self, ask: Ask) -> str:
        grant = purpose_grant(SCOPE, self._resource, purpose=ask.purpose, legal_basis=ask.legal_basis)
        return self._tokens.token(grant, self._channel.deadline())

    def _proven(self, method: str, url: str, token: str, nonce: str | None) -> Call:
        proof = prove(self._proof_key, method, url, now=self._time.now(), nonce=nonce, token=token)
        return Call(method, url, {"Authorization": f"DPoP {token}", "DPoP": proof})

    def _sign_in(self, nonce: str | None) -> Call:
        url, now = self._metadata.token_endpoint, self._time.now()
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self._metadata.issuer,
            "jti": uuid7(),
            "iat": int(now.timestamp()),
            "exp": int((now + ASSERTION_LIFETIME).timestamp()),
        }
        header = {"alg": self.key.alg, "kid": self.key.kid, "typ": ASSERTION_TYP}
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": serialize(header, claims, self.key),
            "scope": SCOPE,
            "resource": self._resource,
        }
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "DPoP": prove(self._proof_key, "POST", url, now=now, nonce=nonce),
        }
        return Call("POST", url, headers, urlencode(form).encode("ascii"))

    def _challenged(self, call: Call) -> str:
        """Make a call without a nonce, and take the one that the refusal gives."""
        return self._channel.send(lambda: call, self._channel.deadline()).headers["DPoP-Nonce"]


def _written(call: Call, headers: dict[str, str], body: str) -> Prepared:
    parts = urlsplit(call.url)
    lines = [
        f"{call.method} {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Accept: application/json, application/problem+json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in {**headers, **call.headers}.items()),
    ]
    return Prepared(("\r\n".join(lines) + "\r\n\r\n" + body).encode("ascii"), body)
