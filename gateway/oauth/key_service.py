"""A client looks after its own keys: sees them, adds one by proving that it holds it, ends one at once."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from gateway.agencies.client_keys import ClientKeys
from gateway.agencies.key_warnings import warnings_of
from gateway.agencies.models import ClientKey
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import AlreadyExistsError, InvalidInputError
from gateway.oauth.errors import Reason, RefusedError
from gateway.oauth.jose import KEY_ALGS, JwsError, is_jti, is_time, parse, require_header, verify
from gateway.oauth.replay import ReplayedError, ReplayStore, SeenKey, key_proof_key
from ipx.errors import EvidenceError, FormatError
from ipx.jws import parse_object
from ipx.keys import PublicKey, public_key

TYP: Final = "key-proof+jwt"
AGE_SECONDS: Final = 300
AHEAD_SECONDS: Final = 60

_HEADER: Final = frozenset({"alg", "kid", "typ"})
_CLAIMS: Final = frozenset({"iss", "sub", "aud", "iat", "exp", "jti"})
_BODY: Final = frozenset({"jwk", "proof"})


class KeySelfService:
    """The keys of the client that calls."""

    def __init__(self, issuer: str, keys: ClientKeys, *, database: Database, replay: ReplayStore, clock: Clock) -> None:
        self._issuer = issuer
        self._keys = keys
        self._database = database
        self._replay = replay
        self._clock = clock

    def listed(self, client_id: str) -> list[dict[str, Any]]:
        """Describe all keys of a client, revoked and expired ones too, in the order in which they end."""
        now = self._clock()
        return [_document(row, now) for row in self._keys.keys(client_id)]

    def add(self, client_id: str, body: bytes) -> dict[str, Any]:
        """Register a key.

        Args:
            client_id: the client that calls.
            body: `{"jwk": …, "proof": JWS}`; the proof is signed with the new key, so that nobody registers another's.

        Raises:
            RefusedError: `KEY_*`.
        """
        jwk, proof = _members(body)
        key = _sound(jwk)
        consume = self._proven(client_id, key, proof)
        try:
            with self._database.write_connection() as connection:
                self._replay.consume(connection, [consume], self._clock())
            row = self._keys.add(client_id, {name: jwk[name] for name in key.jwk}, actor=client_id)
        except ReplayedError as error:
            raise RefusedError(Reason.KEY_PROOF, claim="jti") from error
        except AlreadyExistsError as error:
            raise RefusedError(Reason.KEY_KNOWN, claim="jwk") from error
        except InvalidInputError as error:  # all other rules were checked above
            raise RefusedError(Reason.KEY_TOO_MANY) from error
        return _document(row, self._clock())

    def end(self, client_id: str, kid: str) -> None:
        """Revoke a key; tokens that the client has end with it.

        Raises:
            UnknownError: the client has no such key.
        """
        self._keys.revoke(client_id, kid, reason="revoked by the client itself", actor=client_id)

    def _proven(self, client_id: str, key: PublicKey, proof: str) -> SeenKey:
        try:
            jws = parse(proof)
            require_header(jws, members=_HEADER, typs=frozenset({TYP}))
            verify(jws, key)
        except JwsError as error:
            raise RefusedError(Reason.KEY_PROOF) from error
        claims = jws.claims
        iat: Any = claims.get("iat")
        now = self._clock().timestamp()
        if not claims.keys() <= _CLAIMS or claims.get("aud") != self._issuer or claims.get("sub") != client_id:
            raise RefusedError(Reason.KEY_PROOF, claim="aud")
        if not is_jti(claims.get("jti")) or not is_time(iat) or not -AGE_SECONDS <= iat - now <= AHEAD_SECONDS:
            raise RefusedError(Reason.KEY_PROOF, claim="iat")
        return key_proof_key(client_id, claims["jti"], int(iat) + AGE_SECONDS + 10)


def _members(body: bytes) -> tuple[Mapping[str, Any], str]:
    try:
        members = parse_object(body)
    except EvidenceError as error:
        raise RefusedError(Reason.KEY_FORM) from error
    jwk, proof = members.get("jwk"), members.get("proof")
    if members.keys() != _BODY or not isinstance(jwk, dict) or not isinstance(proof, str):
        raise RefusedError(Reason.KEY_FORM)
    return jwk, proof


def _sound(jwk: Mapping[str, Any]) -> PublicKey:
    try:
        bare = {name: value for name, value in jwk.items() if name not in {"use", "alg", "kid", "key_ops"}}
        key = public_key(bare, algorithms=KEY_ALGS)
    except FormatError as error:
        raise RefusedError(Reason.KEY_REFUSED, claim="jwk") from error
    try:
        public_key(jwk, algorithms=KEY_ALGS)
    except FormatError as error:
        raise RefusedError(Reason.KEY_MEMBERS, claim="jwk") from error
    if jwk.get("kid", key.kid) != key.kid:
        raise RefusedError(Reason.KEY_MEMBERS, claim="kid")
    return key


def _document(row: ClientKey, now: datetime) -> dict[str, Any]:
    document: dict[str, Any] = {
        "kid": row.kid,
        "alg": row.alg,
        "from": "key set" if row.is_fetched else "registration",
        "state": _state(row, now),
        "valid_from": _instant(row.valid_from),
        "valid_until": _instant(row.valid_until),
        "last_used_at": _instant(row.last_used_at),
        "revoked_at": _instant(row.revoked_at),
    }
    if document["state"] == "live":
        document["warnings"] = [f"ends within {days} days" for days in warnings_of(row.valid_until, now)]
    return document


def _state(row: ClientKey, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "live" if row.valid_from <= now < row.valid_until else "expired"


def _instant(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
