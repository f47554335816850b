"""Access tokens: asked for with a signed assertion and a proof of possession, kept until shortly before they end."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from ipx.channel import Call, Channel, Reply
from ipx.compact import serialize
from ipx.discovery import Metadata
from ipx.dpop import prove
from ipx.ids import uuid7
from ipx.jws import Json, dump_json
from ipx.keyfile import SignInKey
from ipx.problems import KeyFileError, MalformedAnswerError, TokenRefusedError
from ipx.waiting import Deadline

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_TYP = "client-authentication+jwt"
ASSERTION_LIFETIME = timedelta(seconds=60)
MARGIN_SECONDS = 20.0
"""A token this close to its end is not used any more: the call it is for may take that long."""
_OK = 200
_CHALLENGES = 2
"""One nonce challenge is normal; a second may come where the nonce ran out in between."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is asked for. Equal grants share one token."""

    scope: str
    resource: str
    details: str | None = None
    """`authorization_details` as JSON text (RFC 9396)."""


def purpose_grant(scope: str, resource: str, *, purpose: str, legal_basis: str) -> Grant:
    """Bind the token to one purpose and its basis; requests for several cases and records then share it."""
    details: Json = [{"type": "ipx_purpose", "purpose": purpose, "legal_basis": legal_basis}]
    return Grant(scope, resource, dump_json(details).decode("utf-8"))


class Tokens:
    """The tokens of one client at one gateway. Safe to share between threads."""

    def __init__(
        self, metadata: Metadata, channel: Channel, client_id: str, *, key: SignInKey, proof_key: SignInKey
    ) -> None:
        _require_taken(key, metadata.assertion_algs, "to sign in")
        _require_taken(proof_key, metadata.proof_algs, "to prove possession")
        self._metadata = metadata
        self._channel = channel
        self._client_id = client_id
        self._key = key
        self._proof_key = proof_key
        self._lock = threading.Lock()
        self._kept: dict[Grant, tuple[str, float]] = {}
        self._nonce: str | None = None

    def token(self, grant: Grant, deadline: Deadline) -> str:
        """Give a live token for the grant, a kept one where there is one.

        Raises:
            TokenRefusedError: the gateway does not grant it to this client.
        """
        with self._lock:
            kept = self._kept.get(grant)
            if kept is not None and self._channel.time.monotonic() < kept[1]:
                return kept[0]
            asked_at = self._channel.time.monotonic()
            token, lifetime_seconds = self._ask(grant, deadline)
            self._kept[grant] = (token, asked_at + lifetime_seconds - MARGIN_SECONDS)
            return token

    def forget(self, token: str) -> None:
        """Drop a token that the gateway no longer takes."""
        with self._lock:
            self._kept = {grant: kept for grant, kept in self._kept.items() if kept[0] != token}

    def _ask(self, grant: Grant, deadline: Deadline) -> tuple[str, float]:
        refusal = TokenRefusedError("use_dpop_nonce", "the gateway challenges every proof")
        for _ in range(1 + _CHALLENGES):
            reply = self._channel.send(lambda: self._call(grant), deadline)
            self._nonce = reply.headers.get("DPoP-Nonce", self._nonce)
            if reply.status == _OK:
                return _read_token(reply, grant)
            document = reply.members()
            if not isinstance(document.get("error"), str):
                raise reply.problem(self._channel.time.now())
            refusal = self._refusal(document)
            if refusal.code != "use_dpop_nonce":
                break
        raise refusal

    def _refusal(self, document: Mapping[str, Json]) -> TokenRefusedError:
        """Read an OAuth error; only a page of the gateway itself is recommended for reading."""
        page = str(document.get("error_uri", ""))
        is_own = page.startswith(f"{self._metadata.issuer}/")
        description = str(document.get("error_description", ""))
        return TokenRefusedError(str(document["error"]), description, explained_at=page if is_own else None)

    def _call(self, grant: Grant) -> Call:
        """Build one token request, assertion and proof new each time: whether a lost one was used up is unknown."""
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertion(),
            "scope": grant.scope,
            "resource": grant.resource,
        }
        if grant.details is not None:
            form["authorization_details"] = grant.details
        url = self._metadata.token_endpoint
        proof = prove(self._proof_key, "POST", url, now=self._channel.time.now(), nonce=self._nonce)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "DPoP": proof}
        return Call("POST", url, headers, urlencode(form).encode("ascii"))

    def _assertion(self) -> str:
        """Sign in as the client (RFC 7523, section 3); the audience is the issuer, never the endpoint."""
        now = self._channel.time.now()
        claims: dict[str, Json] = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._metadata.issuer,
            "jti": uuid7(),
            "iat": int(now.timestamp()),
            "exp": int((now + ASSERTION_LIFETIME).timestamp()),
        }
        return serialize({"alg": self._key.alg, "kid": self._key.kid, "typ": ASSERTION_TYP}, claims, self._key)


def _require_taken(key: SignInKey, algs: frozenset[str], use: str) -> None:
    names = {"Ed25519", "EdDSA"} if key.alg == "Ed25519" else {key.alg}
    if algs and not algs & names:
        raise KeyFileError(f"the gateway takes no {key.alg} key {use}, only {', '.join(sorted(algs))}")


def _read_token(reply: Reply, grant: Grant) -> tuple[str, float]:
    document = reply.json()
    token, kind, lifetime = document.get("access_token"), document.get("token_type"), document.get("expires_in")
    if not isinstance(token, str) or not token.isascii() or not isinstance(kind, str) or kind.lower() != "dpop":
        raise MalformedAnswerError(f"{reply.url} gave no token bound to a key")
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or lifetime <= 0:
        raise MalformedAnswerError(f"{reply.url} gave a token without a lifetime")
    granted = document.get("scope", grant.scope)
    if not isinstance(granted, str) or not set(grant.scope.split()) <= set(granted.split()):
        raise TokenRefusedError("invalid_scope", f"asked for {grant.scope}, granted {granted}")
    return token, float(lifetime)
