"""Access tokens: JWTs by RFC 9068, for one resource, bound to one key, short-lived."""

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any, Final

from gateway.clock import Clock
from gateway.oauth.errors import Reason, RefusedError
from gateway.oauth.jose import Fault, Jws, JwsError, is_jti, is_time, parse, require_header, verify
from gateway.oauth.keys import TokenKeys
from gateway.oauth.purpose import Purpose, purpose_of
from ipx.compact import serialize
from ipx.encoding import hashed

TYP: Final = "at+jwt"
AUTHORITY: Final = "iso6523-actorid-upis"
CACHE_SIZE: Final = 10_000

_MEMBERS: Final = frozenset({"alg", "kid", "typ"})
_TYPS: Final[frozenset[str | None]] = frozenset({TYP})
_REASONS: Final = {
    Fault.FORM: Reason.TOKEN_MALFORMED,
    Fault.MEMBER: Reason.TOKEN_MALFORMED,
    Fault.TYPE: Reason.TOKEN_MALFORMED,
    Fault.ALGORITHM: Reason.TOKEN_SIGNATURE,
    Fault.SIGNATURE: Reason.TOKEN_SIGNATURE,
}


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token says.

    Args:
        agency: the agency on whose behalf calls are made (the consumer); access is decided by it.
        supplier: the agency of the client where that is another one, acting by a delegation.
        thumbprint: of the DPoP key the token is bound to; else `certificate`, SHA-256 of the TLS certificate.
        not_before: tokens of this client issued earlier are refused.
    """

    client_id: str
    agency: str
    resource: str
    scopes: Sequence[str]
    method: str
    thumbprint: str | None = None
    certificate: str | None = None
    supplier: str | None = None
    delegation_id: str | None = None
    authorization_details: Sequence[Mapping[str, Any]] = ()
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token whose signature and form hold. Whether it still counts is asked each time (`standing`).

    Args:
        hash: SHA-256 of its text, base64url: what a proof sent along with it repeats (`ath`).
        thumbprint: of the key it is bound to; else `certificate`, SHA-256 of the TLS certificate.
    """

    claims: Mapping[str, Any]
    hash: str
    kid: str
    jti: str
    client_id: str
    resource: str
    scopes: frozenset[str]
    agency: str
    supplier: str | None
    delegation_id: str | None
    thumbprint: str | None
    certificate: str | None
    details: tuple[Mapping[str, Any], ...]
    purpose: Purpose | None

    def is_in_time(self, now: float) -> bool:
        return bool(self.claims.get("nbf", 0) <= now < self.claims["exp"])


class AccessTokens:
    """Issues tokens and reads them back."""

    def __init__(self, issuer: str, keys: TokenKeys, clock: Clock) -> None:
        self._issuer = issuer
        self._keys = keys
        self._clock = clock
        self._known = _Remembered(CACHE_SIZE)

    def issue(self, grant: Grant) -> tuple[str, Mapping[str, Any]]:
        """Sign a token. Returns it and its claims.

        Raises:
            TokenKeyError: there is no key to sign with.
        """
        signer = self._keys.signer()
        now = int(self._clock().timestamp())
        if grant.not_before is not None:
            # Whole seconds would let a token that is issued right after this instant look older than it.
            now = max(now, ceil(grant.not_before.timestamp()))
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": grant.resource,
            "sub": grant.client_id,
            "client_id": grant.client_id,
            "iat": now,
            "exp": now + self._keys.tokens_last_seconds,
            "jti": secrets.token_urlsafe(18),
            "scope": " ".join(grant.scopes),
            "cnf": {"jkt": grant.thumbprint} if grant.thumbprint else {"x5t#S256": grant.certificate},
            "client_amr": grant.method,
            "consumer": {"authority": AUTHORITY, "ID": grant.agency},
        }
        if grant.supplier is not None:
            claims["supplier"] = {"authority": AUTHORITY, "ID": grant.supplier}
            claims["delegation_source"] = self._issuer
            claims["delegation_id"] = grant.delegation_id
        if grant.authorization_details:
            claims["authorization_details"] = [dict(detail) for detail in grant.authorization_details]
        return serialize({"alg": signer.alg, "typ": TYP, "kid": signer.kid}, claims, signer), claims

    def read(self, text: str) -> AccessToken:
        """Check form, signature, type and issuer of a token.

        Raises:
            RefusedError: `TOKEN_MALFORMED`, `TOKEN_SIGNATURE`.
        """
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(digest)
        if known is not None and self._keys.verifies(known.kid):
            return known
        jws = self.parse(text)
        self.require_signature(jws)
        token = self.token_of(jws, text)
        self._known.put(digest, token)
        return token

    @staticmethod
    def parse(text: str) -> Jws:
        """Judge form and header alone."""
        try:
            jws = parse(text)
            require_header(jws, members=_MEMBERS, typs=_TYPS)
        except JwsError as error:
            raise RefusedError(_REASONS[error.fault]) from error
        return jws

    def require_signature(self, jws: Jws) -> None:
        """Refuse a token that no key of ours, active or retiring, has signed."""
        kid = jws.header.get("kid")
        key = self._keys.verifier(kid) if isinstance(kid, str) else None
        if key is None:
            raise RefusedError(Reason.TOKEN_SIGNATURE, claim="kid", got=kid)
        try:
            verify(jws, key)
        except JwsError as error:
            raise RefusedError(_REASONS[error.fault]) from error

    def token_of(self, jws: Jws, text: str) -> AccessToken:
        """Judge the claims of a token whose signature holds."""
        claims = jws.claims
        if not _is_whole(claims):
            raise RefusedError(Reason.TOKEN_MALFORMED)
        if claims["iss"] != self._issuer:
            raise RefusedError(Reason.TOKEN_MALFORMED, claim="iss", got=claims["iss"], expected=self._issuer)
        supplier = claims.get("supplier")
        details = tuple(claims.get("authorization_details", ()))
        return AccessToken(
            claims=claims,
            hash=hashed(text),
            kid=str(jws.header["kid"]),
            jti=claims["jti"],
            client_id=claims["client_id"],
            resource=claims["aud"],
            scopes=frozenset(claims["scope"].split(" ")),
            agency=claims["consumer"]["ID"],
            supplier=supplier["ID"] if supplier else None,
            delegation_id=claims.get("delegation_id"),
            thumbprint=claims["cnf"].get("jkt"),
            certificate=claims["cnf"].get("x5t#S256"),
            details=details,
            purpose=_purpose_of(details),
        )


def _purpose_of(details: Sequence[Mapping[str, Any]]) -> Purpose | None:
    try:
        return purpose_of(details)
    except RefusedError as refusal:
        raise RefusedError(Reason.TOKEN_MALFORMED, claim="authorization_details") from refusal


def _is_whole(claims: Mapping[str, Any]) -> bool:
    """Whether every claim is there and of its type; a token of ours always is, unless a key was misused."""
    texts = ("iss", "aud", "sub", "client_id", "scope", "client_amr")
    return (
        all(isinstance(claims.get(name), str) for name in texts)
        and claims["sub"] == claims["client_id"]
        and is_jti(claims.get("jti"))
        and all(is_time(claims.get(name)) for name in ("iat", "exp"))
        and is_time(claims.get("nbf", 0))
        and _is_binding(claims.get("cnf"))
        and _is_party(claims.get("consumer"))
        and ("supplier" in claims) == ("delegation_id" in claims)
        and ("supplier" not in claims or _is_party(claims["supplier"]))
        and isinstance(claims.get("delegation_id", ""), str)
        and _are_details(claims.get("authorization_details", []))
    )


def _are_details(details: Any) -> bool:
    return isinstance(details, list) and all(isinstance(detail, dict) for detail in details)


def _is_binding(cnf: Any) -> bool:
    return (
        isinstance(cnf, dict)
        and len(cnf) == 1
        and all(name in {"jkt", "x5t#S256"} and isinstance(value, str) for name, value in cnf.items())
    )


def _is_party(party: Any) -> bool:
    return isinstance(party, dict) and party.get("authority") == AUTHORITY and isinstance(party.get("ID"), str)


class _Remembered:
    """The tokens seen last, by the SHA-256 of their text: their signature is checked once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._tokens: OrderedDict[bytes, AccessToken] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: bytes) -> AccessToken | None:
        with self._lock:
            token = self._tokens.get(digest)
            if token is not None:
                self._tokens.move_to_end(digest)
            return token

    def put(self, digest: bytes, token: AccessToken) -> None:
        with self._lock:
            self._tokens[digest] = token
            if len(self._tokens) > self._size:
                self._tokens.popitem(last=False)
