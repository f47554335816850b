"""The trust list: who signs what, with which key, from when until when; and what a log's checkpoint must carry.

A gateway publishes it as `ipx-trust+jwt`, signed by an offline key that the reader has pinned; an auditor may as well
write the payload himself, unsigned. Times are whole seconds since 1970, UTC.

    {"iss": "https://gw.example", "version": 3, "iat": 1790000000, "prev": "<b64url SHA-256 of list 2>" or null,
     "keys": [{"role": "requester|holder|seal|gateway", "kid": …, "iss": <owner>, "alg": "Ed25519|ES256", "jwk": {…},
               "valid_from": 1790000000, "valid_until": 1821536000 or null, "revoked_at"?: …, "reason"?: …}],
     "log": {"origin": "gw.example/log-2", "vkeys": ["gw.example/log-2+24554a41+Abvn…"]},
     "shards": [{"origin": "gw.example/log", "vkeys": […], "size": 88240, "root": "<base64>"}],    those that have ended
     "witnesses": [{"vkey": …, "url": …}], "quorum": 2, "tsa_roots": ["<base64 DER>"], "tsa_policy": "1.3.6.1…" or null}

Of these `shards witnesses quorum tsa_roots tsa_policy prev` may be absent, which means none.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, get_args

from cryptography.x509 import Certificate, ObjectIdentifier, load_der_x509_certificate

from ipx import jws
from ipx.encoding import b64_bytes, b64url
from ipx.errors import BindingError, EvidenceError, FormatError, TrustError
from ipx.jws import Json, instant, parse_object, text
from ipx.keys import KeyRing, PublicKey, Role, TrustedKey, public_key
from ipx.merkle import HASH_BYTES
from ipx.note import Checkpoint, LogPolicy, NoteKey

__all__ = ["TYP", "Trust", "TrustedKey", "load"]

TYP: Final = "ipx-trust+jwt"

_ROLES: Final = frozenset[Role](get_args(Role))
_SINGLE_PURPOSE: Final = frozenset[Role]({"holder", "seal", "gateway"})
"""Roles whose keys sign one kind of document for one owner. A client's key may do more: the type keeps them apart."""


@dataclass(frozen=True, slots=True)
class Trust:
    """A trust list free of contradictions."""

    issuer: str
    version: int
    issued_at: datetime
    prev: str | None
    """b64url SHA-256 of the list before, as its bytes were carried."""
    keys: tuple[TrustedKey, ...]
    log: LogPolicy
    """The log that grows."""
    ended: tuple[LogPolicy, ...]
    """Shards of it that have ended, each with how."""
    witness_urls: Mapping[NoteKey, str]
    tsa_roots: tuple[Certificate, ...]
    """Roots of the authorities whose time-stamps are demanded; none where none is."""
    tsa_policy: str | None
    digest: str
    """b64url SHA-256 of this list's bytes: the `prev` of the next."""
    _ring: KeyRing = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ring", KeyRing(self.keys))

    def key(self, roles: frozenset[Role], kid: str) -> TrustedKey:
        """Find the one key of this name in one of these roles.

        Raises:
            SignatureError: there is none, or more than one.
        """
        return self._ring.key(roles, kid)

    def log_named(self, origin: str) -> LogPolicy:
        """Find the log, or the ended shard of it, of this origin.

        Raises:
            BindingError: there is none.
        """
        for policy in (self.log, *self.ended):
            if policy.origin == origin:
                return policy
        raise BindingError("The receipt names another log than the trust list.")

    def unconfirmed(self) -> "Trust":
        """Give the same list without the demand for witnesses and time-stamps: nobody has confirmed a fresh answer yet.

        It is for whoever has just asked. What is kept as evidence is judged by the whole list.
        """
        ended = tuple(replace(policy, quorum=0) for policy in self.ended)
        return replace(self, log=replace(self.log, quorum=0), ended=ended, tsa_roots=(), tsa_policy=None)


def load(data: bytes, *, pinned: PublicKey | None, at_least: int) -> Trust:
    """Read a trust list.

    Args:
        data: the signed list where a key is pinned, else the plain payload.
        pinned: the key that must have signed; None for a list of the reader's own making.
        at_least: the version seen last. It never falls, or a revoked key could come back.

    Raises:
        TrustError: not in form, signed by another key, an older version, or in contradiction with itself.
    """
    try:
        payload = _payload(data, pinned)
        trust = _trust(payload, b64url(hashlib.sha256(data).digest()))
    except TrustError:
        raise
    except EvidenceError as error:
        raise TrustError(f"The trust list cannot be relied on. {error}") from error
    if trust.version < at_least:
        raise TrustError(f"The trust list is version {trust.version}; version {at_least} was seen before.")
    _refuse_shared_keys(trust)
    return trust


def _payload(data: bytes, pinned: PublicKey | None) -> dict[str, Json]:
    if pinned is None:
        return parse_object(data)
    try:
        token = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise FormatError("A signed trust list is not ASCII.") from error
    return jws.verify_pinned(token, pinned, typ=TYP)


def _trust(payload: dict[str, Json], digest: str) -> Trust:
    version = payload.get("version")
    if type(version) is not int or version < 1:
        raise FormatError("Its version is not a positive number.")
    log = _object(payload, "log")
    witnesses = [_witness(_member(item, "witnesses")) for item in _list(payload, "witnesses")]
    if len(dict(witnesses)) != len(witnesses):
        raise TrustError("The trust list names one witness twice.")
    policy = LogPolicy(
        origin=text(log, "origin"),
        keys=_vkeys(log),
        witnesses=frozenset(key for key, _ in witnesses),
        quorum=_quorum(payload),
    )
    return Trust(
        issuer=text(payload, "iss"),
        version=version,
        issued_at=_instant(payload, "iat"),
        prev=_optional(payload, "prev"),
        keys=tuple(_key(_member(item, "keys")) for item in _list(payload, "keys")),
        log=policy,
        ended=tuple(_ended(_member(item, "shards"), policy) for item in _list(payload, "shards")),
        witness_urls=dict(witnesses),
        tsa_roots=tuple(_certificate(root) for root in _list(payload, "tsa_roots")),
        tsa_policy=_policy(payload),
        digest=digest,
    )


def _key(members: Mapping[str, Json]) -> TrustedKey:
    role = next((role for role in _ROLES if role == members.get("role")), None)
    if role is None:
        raise FormatError("A key stands in a role that does not exist.")
    public = public_key(_object(members, "jwk"))
    if members.get("alg") != public.alg:
        raise FormatError("A key is listed for another algorithm than it is for.")
    key = TrustedKey(
        role=role,
        kid=text(members, "kid"),
        owner=text(members, "iss"),
        public=public,
        valid_from=_instant(members, "valid_from"),
        valid_until=_optional_instant(members, "valid_until"),
        revoked_at=_optional_instant(members, "revoked_at"),
        reason=_optional(members, "reason"),
    )
    if key.valid_from and key.valid_until and key.valid_from >= key.valid_until:
        raise FormatError(f"The key {key.kid[:64]!r} ends before it begins.")
    return key


def _vkeys(members: Mapping[str, Json]) -> frozenset[NoteKey]:
    return frozenset(NoteKey.parse(_text(vkey, "vkeys")) for vkey in _list(members, "vkeys"))


def _ended(members: Mapping[str, Json], current: LogPolicy) -> LogPolicy:
    """Read a shard that has ended; the witnesses are those of the log."""
    origin, root = text(members, "origin"), b64_bytes(text(members, "root"))
    size = members.get("size")
    if type(size) is not int or size < 1 or len(root) != HASH_BYTES:
        raise FormatError("A shard of the log ends with no size or no root.")
    return replace(current, origin=origin, keys=_vkeys(members), final=Checkpoint(origin, size, root))


def _witness(members: Mapping[str, Json]) -> tuple[NoteKey, str]:
    return NoteKey.parse(text(members, "vkey")), text(members, "url")


def _certificate(value: Json) -> Certificate:
    try:
        return load_der_x509_certificate(b64_bytes(_text(value, "tsa_roots")))
    except ValueError as error:
        raise FormatError("A root of the time-stamp authorities is not a certificate.") from error


def _policy(payload: Mapping[str, Json]) -> str | None:
    policy = _optional(payload, "tsa_policy")
    try:
        return policy and ObjectIdentifier(policy).dotted_string
    except ValueError as error:
        raise FormatError("The time-stamp policy is not an object identifier.") from error


def _refuse_shared_keys(trust: Trust) -> None:
    """Refuse what would let one document stand in for another, or one owner for another."""
    names = [(key.role, key.kid) for key in trust.keys]
    if len(set(names)) != len(names):
        raise TrustError("The trust list names one key twice in the same role.")
    kids = {role: {key.kid for key in trust.keys if key.role == role} for role in _SINGLE_PURPOSE}
    if kids["holder"] & kids["seal"]:
        raise TrustError("The trust list has one key name for a holder's own key and for a seal: nobody could tell.")
    uses: dict[str, set[tuple[str, str]]] = {}
    for key in trust.keys:
        if key.role in _SINGLE_PURPOSE:
            uses.setdefault(key.public.kid, set()).add((key.role, key.owner))
    logs = (trust.log, *trust.ended)
    if len({policy.origin for policy in logs}) != len(logs):
        raise TrustError("The trust list names one log twice.")
    for note_key in (*(key for policy in logs for key in policy.keys), *trust.log.witnesses):
        uses.setdefault(note_key.public_key.kid, set()).add(("note", note_key.name))
    if any(len(of_one_key) > 1 for of_one_key in uses.values()):
        raise TrustError("The trust list lets one key sign two kinds of documents, or for two owners.")


def _quorum(payload: Mapping[str, Json]) -> int:
    quorum = payload.get("quorum", 0)
    if type(quorum) is not int:
        raise FormatError("Its quorum is not a number.")
    return quorum


def _list(members: Mapping[str, Json], name: str) -> list[Json]:
    value = members.get(name)
    if value is None and name not in {"keys", "vkeys"}:
        return []
    if not isinstance(value, list):
        raise FormatError(f"Its member {name!r} is not a list.")
    return value


def _object(members: Mapping[str, Json], name: str) -> dict[str, Json]:
    value = members.get(name)
    if not isinstance(value, dict):
        raise FormatError(f"Its member {name!r} is not an object.")
    return value


def _member(value: Json, name: str) -> dict[str, Json]:
    return _object({name: value}, name)


def _text(value: Json, name: str) -> str:
    return text({name: value}, name)


def _optional(members: Mapping[str, Json], name: str) -> str | None:
    return None if members.get(name) is None else text(members, name)


def _instant(members: Mapping[str, Json], name: str) -> datetime:
    return datetime.fromtimestamp(instant(members, name), UTC)


def _optional_instant(members: Mapping[str, Json], name: str) -> datetime | None:
    return None if members.get(name) is None else _instant(members, name)
