"""Client authentication by a signed assertion: `private_key_jwt` (RFC 7523), narrowed to FAPI 2.0.

What the input itself shows is judged first and named; from the key on, an unknown client, an unknown key and a bad
signature are one refusal, in words and in time. Nothing is used up here: a nonce challenge must not burn the assertion.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.clock import Clock
from gateway.oauth.clients import RegisteredClient, RegisteredKey, imported
from gateway.oauth.errors import Reason, RefusedError
from gateway.oauth.jose import Fault, Jws, JwsError, is_jti, is_time, parse, require_header, verify
from gateway.oauth.replay import SeenKey, assertion_key
from ipx.keys import PublicKey

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_SECONDS: Final = 300
LEEWAY_SECONDS: Final = 10
AHEAD_SECONDS: Final = 60

_MEMBERS: Final = frozenset({"alg", "kid", "typ"})
_TYPS: Final[frozenset[str | None]] = frozenset({None, "JWT", "client-authentication+jwt"})
_CLAIMS: Final = frozenset({"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "consumer_org"})
_REASONS: Final = {
    Fault.FORM: Reason.ASSERTION_MALFORMED,
    Fault.MEMBER: Reason.ASSERTION_HEADER,
    Fault.ALGORITHM: Reason.ASSERTION_ALG,
    Fault.TYPE: Reason.ASSERTION_TYP,
    Fault.SIGNATURE: Reason.CLIENT_AUTHENTICATION,
}
# Keys that nobody holds: an unknown client costs the same signature check as a known one with a bad signature.
_DUMMY_KEYS: Final[Mapping[str, PublicKey]] = {
    "ES256": imported(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
            "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
        }
    ),
    "Ed25519": imported({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
    "PS256": imported(
        {
            "kty": "RSA",
            "e": "AQAB",
            "n": "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRB"
            "SFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NN"
            "LYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7"
            "jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
        }
    ),
}

FindClient = Callable[[str, str | None, str], RegisteredClient | None]
"""Finds the client of an id whose key of this name and algorithm is to be tried (`ClientRegister.find_for_key`)."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A client that proved itself, and what that proof uses up.

    Args:
        key: the registered key that signed; absent with a certificate.
        consumer_org: the agency it says to act for, signed by itself.
    """

    client: RegisteredClient
    method: str
    consume: tuple[SeenKey, ...]
    key: RegisteredKey | None = None
    consumer_org: str | None = None


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion whose own bytes are in order; who signed it is not known."""

    jws: Jws
    client_id: str
    jti: str
    exp: float

    @property
    def claims(self) -> Mapping[str, Any]:
        return self.jws.claims


class AssertionVerifier:
    """Checks assertions made for this issuer."""

    def __init__(self, issuer: str, clock: Clock) -> None:
        self.issuer = issuer
        self._clock = clock

    def read(self, text: str) -> Assertion:
        """Judge form, header and claims, from the assertion's own bytes.

        Raises:
            RefusedError: the first that fails.
        """
        jws = self.parse(text)
        for refusal in self.failing_claims(jws.claims):
            raise _of(jws.claims, refusal)
        claims = jws.claims
        return Assertion(jws, claims["sub"], claims["jti"], claims["exp"])

    def authenticate(self, assertion: Assertion, find: FindClient, *, client_id: str | None) -> Authenticated:
        """Authenticate the signer of an assertion.

        Args:
            assertion: one that `read` has passed.
            find: looks a client up, or gives None.
            client_id: the parameter of the request, where it was sent; it must be the assertion's subject.

        Raises:
            RefusedError: the first check that fails.
        """
        try:
            return self._authenticate(assertion, find, client_id)
        except RefusedError as refusal:
            raise _of(assertion.claims, refusal) from refusal.__cause__

    def _authenticate(self, assertion: Assertion, find: FindClient, client_id: str | None) -> Authenticated:
        if client_id is not None and client_id != assertion.client_id:
            raise RefusedError(Reason.ISSUER_SUBJECT, claim="client_id")
        client = find(assertion.client_id, assertion.jws.header.get("kid"), assertion.jws.alg)
        key = self.signed_by(assertion, client)
        if client is None or key is None:
            raise RefusedError(Reason.CLIENT_AUTHENTICATION)
        self.require_state(client, key)
        until = int(assertion.exp) + LEEWAY_SECONDS + 1
        return Authenticated(
            client=client,
            method="private_key_jwt",
            consume=(assertion_key(client.id, assertion.jti, until),),
            key=key,
            consumer_org=assertion.claims.get("consumer_org"),
        )

    @staticmethod
    def parse(text: str) -> Jws:
        """Judge form and header alone."""
        try:
            jws = parse(text)
            require_header(jws, members=_MEMBERS, typs=_TYPS)
        except JwsError as error:
            raise RefusedError(_REASONS[error.fault]) from error
        if "kid" in jws.header and not isinstance(jws.header["kid"], str):
            raise RefusedError(Reason.ASSERTION_HEADER, claim="kid")
        return jws

    def failing_claims(self, claims: Mapping[str, Any]) -> list[RefusedError]:
        """Give every claim that fails, in the order in which they are refused."""
        failing = (*_form_of(claims), *self._meaning_of(claims))
        return [RefusedError(reason, claim=claim) for claim, reason in failing]

    def signed_by(self, assertion: Assertion, client: RegisteredClient | None) -> RegisteredKey | None:
        """Give the registered key, live or not, that signed; None, after the same work, where there is none."""
        jws = assertion.jws
        key = _named_key(client, jws, self._clock()) if client else None
        usable = key is not None and key.public.alg == jws.alg
        try:
            verify(jws, key.public if key is not None and usable else _DUMMY_KEYS[jws.alg])
        except JwsError:
            return None
        return key if usable else None

    def require_state(self, client: RegisteredClient, key: RegisteredKey | None) -> None:
        """Refuse a client that proved itself but is shut out: key, client, agency in this order.

        Raises:
            RefusedError: `KEY_EXPIRED KEY_REVOKED KEY_SET_LOST CLIENT_SUSPENDED AGENCY_SUSPENDED`.
        """
        if key is not None and key.revoked_at is not None:
            raise RefusedError(Reason.KEY_REVOKED)
        if key is not None and not key.is_in_time(self._clock()):
            raise RefusedError(Reason.KEY_EXPIRED)
        if key is not None and key.is_lost(self._clock()):
            raise RefusedError(Reason.KEY_SET_LOST)
        if client.is_suspended:
            raise RefusedError(Reason.CLIENT_SUSPENDED)
        if client.agency_is_suspended:
            raise RefusedError(Reason.AGENCY_SUSPENDED)

    def _meaning_of(self, claims: Mapping[str, Any]) -> list[tuple[str, Reason]]:
        found: list[tuple[str, Reason]] = []
        if isinstance(claims.get("iss"), str) and claims["iss"] != claims.get("sub"):
            found.append(("iss", Reason.ISSUER_SUBJECT))
        if "aud" in claims and claims["aud"] != self.issuer:
            found.append(("aud", Reason.AUDIENCE))
        now = self._clock().timestamp()
        times = {name: claims[name] for name in ("exp", "iat", "nbf") if is_time(claims.get(name))}
        if "exp" in times and (times["exp"] <= now or not _is_short(times["exp"] - times.get("iat", now))):
            found.append(("exp", Reason.LIFETIME))
        ahead = now + AHEAD_SECONDS
        found += [(name, Reason.NOT_YET_VALID) for name in ("iat", "nbf") if times.get(name, now) > ahead]
        return found


def _of(claims: Mapping[str, Any], refusal: RefusedError) -> RefusedError:
    subject = claims.get("sub")
    refusal.claimed = subject if isinstance(subject, str) else None
    return refusal


def _is_short(seconds: float) -> bool:
    return 0 < seconds <= LIFETIME_SECONDS + LEEWAY_SECONDS


def _form_of(claims: Mapping[str, Any]) -> list[tuple[str, Reason]]:
    found = [("", Reason.CLAIM_UNKNOWN)] if not claims.keys() <= _CLAIMS else []
    found += [(name, Reason.CLAIM_MISSING) for name in ("iss", "sub") if not isinstance(claims.get(name), str)]
    found += [("aud", Reason.CLAIM_MISSING)] if "aud" not in claims else []
    found += [(name, Reason.CLAIM_MISSING) for name in ("exp", "iat") if not is_time(claims.get(name))]
    found += [("nbf", Reason.CLAIM_MISSING)] if not is_time(claims.get("nbf", 0)) else []
    found += [("jti", Reason.JTI)] if not is_jti(claims.get("jti")) else []
    if "consumer_org" in claims and not isinstance(claims["consumer_org"], str):
        found.append(("consumer_org", Reason.CLAIM_MISSING))
    return found


def _named_key(client: RegisteredClient, jws: Jws, now: datetime) -> RegisteredKey | None:
    """Find the key by `kid`, which only a client with one key (not revoked, nor gone from its set) may leave out."""
    kid = jws.header.get("kid")
    if kid is None:
        left = [k for k in client.keys if k.revoked_at is None and not (k.is_fetched and k.valid_until <= now)]
        candidates = left or client.keys
        return candidates[0] if len(candidates) == 1 else None
    return client.key_named(kid, jws.alg)
