"""Keys kept in the database for holders: seals, keys of record names, and public keys of those that sign themselves."""

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import AlreadyExistsError, Fault, InvalidInputError, UnknownError
from gateway.evidence.acts import ActTrail
from gateway.evidence.models import SigningKey
from gateway.keywrap import KeyWrap
from ipx.encoding import b64url
from ipx.errors import EvidenceError
from ipx.keys import KeyRing, Role, Signer, TrustedKey, generate_signer, load_signer, public_key

ID_KEY_BYTES: Final = 64
"""AES-256-SIV (RFC 5297) takes two keys of 32 bytes."""
SEAL_LIFETIME: Final = timedelta(days=730)
KEY_SECONDS: Final = 5.0
"""How long a key read from the database is used before it is read again: a revocation elsewhere takes this long."""

_SYSTEM: Final = "gateway"
"""The actor of what the gateway does of itself."""


@dataclass(frozen=True, slots=True)
class _Fresh:
    until: float
    value: Any


class HolderKeys:
    """Keys kept here for holders, wrapped under the key-encryption key: each has one purpose and one owner."""

    def __init__(self, database: Database, wrap: KeyWrap, acts: ActTrail, clock: Clock) -> None:
        self._database = database
        self._wrap = wrap
        self._acts = acts
        self._clock = clock
        self._lock = threading.Lock()
        self._fresh: dict[tuple[str, str], _Fresh] = {}

    def seal(self, holder: str) -> Signer:
        """Give the key that seals records for a holder that cannot sign; made on first use."""
        signer: Signer = self._remembered("seal", holder, self._live_seal)
        return signer

    def id_key(self, holder: str) -> bytes:
        """Give the key that makes the holder's record ids opaque; made on first use, never changed: ids would change.

        Returns:
            64 bytes for AES-SIV.
        """
        key: bytes = self._remembered("id", holder, self._live_id_key)
        return key

    def ring(self) -> KeyRing:
        """Give the public keys with which holders' own signatures and seals are checked."""
        ring: KeyRing = self._remembered("ring", "", lambda _: self._read_ring())
        return ring

    def renew_seal(self, session: Session, holder: str, actor: str) -> SigningKey:
        """Make a new seal key; the old one stays listed, so that what it sealed still verifies.

        Publish the trust list in the same transaction: a key is listed before its first use.
        """
        return self._make_seal(session, holder, actor, _next_number(session, "seal", holder))

    def _make_seal(self, session: Session, holder: str, actor: str, number: int) -> SigningKey:
        signer = generate_signer("Ed25519")
        row = self._add(
            session,
            SigningKey(
                kid=signer.kid,
                role="seal",
                owner=holder,
                number=number,
                alg=signer.alg,
                public_jwk=dict(signer.public_jwk),
                wrapped_private=self._wrap.wrap(signer.private_pem(), _context("seal", holder, signer.kid)),
                valid_until=self._clock() + SEAL_LIFETIME,
            ),
        )
        self._acts.record(session, actor, "seal_key.made", holder, {"kid": row.kid, "number": row.number})
        self._forget()
        return row

    def register(self, session: Session, holder: str, jwk: Mapping[str, Any], actor: str) -> SigningKey:
        """Take a holder's own public key, with which it signs its records.

        Raises:
            InvalidInputError: not a public key for Ed25519 or ES256.
            AlreadyExistsError: it is registered, for this holder or as a seal.
        """
        try:
            key = public_key(jwk)
        except EvidenceError as error:
            raise InvalidInputError([Fault("/jwk", "key", str(error))]) from error
        if session.get(SigningKey, key.kid) is not None:
            raise AlreadyExistsError(f"the key {key.kid} is registered already")
        row = self._add(
            session,
            SigningKey(
                kid=key.kid,
                role="holder",
                owner=holder,
                number=_next_number(session, "holder", holder),
                alg=key.alg,
                public_jwk=dict(key.jwk),
            ),
        )
        self._acts.record(session, actor, "holder_key.added", holder, {"kid": row.kid, "alg": row.alg})
        self._forget()
        return row

    def revoke(self, session: Session, kid: str, actor: str, reason: str) -> None:
        """Revoke a seal or a holder's own key; what it signed before a trusted time stays valid.

        Raises:
            UnknownError: there is no such key, or it signs nothing.
        """
        row = session.get(SigningKey, kid)
        if row is None or row.role not in {"seal", "holder"}:
            raise UnknownError(f"no signing key {kid}")
        row.revoked_at, row.revoked_reason = self._clock(), reason
        session.flush()
        self._acts.record(session, actor, f"{row.role}_key.revoked", row.owner, {"kid": kid, "reason": reason})
        self._forget()

    def _remembered(self, kind: str, holder: str, read: Any) -> Any:
        known = self._fresh.get((kind, holder))
        if known is not None and time.monotonic() < known.until:
            return known.value
        value = read(holder)
        with self._lock:
            self._fresh[kind, holder] = _Fresh(time.monotonic() + KEY_SECONDS, value)
        return value

    def _forget(self) -> None:
        with self._lock:
            self._fresh.clear()

    def _live_seal(self, holder: str) -> Signer:
        row = self._newest("seal", holder) or self._first("seal", holder)
        return load_signer(self._unwrapped(row))

    def _live_id_key(self, holder: str) -> bytes:
        return self._unwrapped(self._newest("id", holder) or self._first("id", holder))

    def _newest(self, role: str, holder: str) -> SigningKey | None:
        with self._database.read() as session:
            return self._find(session, role, holder)

    def _find(self, session: Session, role: str, holder: str) -> SigningKey | None:
        now = self._clock()
        return session.scalars(
            select(SigningKey)
            .where(SigningKey.role == role, SigningKey.owner == holder)
            .where(SigningKey.revoked_at.is_(None), SigningKey.valid_from <= now)
            .where(SigningKey.valid_until.is_(None) | (SigningKey.valid_until > now))
            .order_by(SigningKey.number.desc())
            .limit(1)
        ).one_or_none()

    def _first(self, role: str, holder: str) -> SigningKey:
        """Make the key that is missing; where another process was faster, take that one."""
        try:
            with self._database.write() as session:
                # The number first: a key that is made meanwhile is then either found, or has the number already.
                number = _next_number(session, role, holder)
                row = self._find(session, role, holder)
                if row is None:
                    make = self._make_seal if role == "seal" else self._make_id_key
                    row = make(session, holder, _SYSTEM, number)
                return row
        except IntegrityError:
            row = self._newest(role, holder)
            if row is None:
                raise
            return row

    def _make_id_key(self, session: Session, holder: str, actor: str, number: int) -> SigningKey:
        kid = "id-" + b64url(secrets.token_bytes(16))
        key = secrets.token_bytes(ID_KEY_BYTES)
        row = self._add(
            session,
            SigningKey(
                kid=kid,
                role="id",
                owner=holder,
                number=number,
                alg="A256SIV",
                wrapped_private=self._wrap.wrap(key, _context("id", holder, kid)),
            ),
        )
        self._acts.record(session, actor, "id_key.made", holder, {"kid": kid})
        return row

    def _add(self, session: Session, row: SigningKey) -> SigningKey:
        row.valid_from = self._clock()
        session.add(row)
        session.flush()
        return row

    def _unwrapped(self, row: SigningKey) -> bytes:
        if row.wrapped_private is None:
            raise UnknownError(f"the key {row.kid} of {row.owner} has no private half here")
        return self._wrap.unwrap(row.wrapped_private, _context(row.role, row.owner, row.kid))

    def _read_ring(self) -> KeyRing:
        with self._database.read() as session:
            return KeyRing(holder_keys(session))


def _next_number(session: Session, role: str, owner: str) -> int:
    last = session.scalar(select(func.max(SigningKey.number)).where(SigningKey.role == role, SigningKey.owner == owner))
    return (last or 0) + 1


def holder_keys(session: Session) -> list[TrustedKey]:
    """Give every key that seals or signs records, ended and revoked ones too, in the order they were made."""
    roles: dict[str, Role] = {"seal": "seal", "holder": "holder"}
    rows = session.scalars(
        select(SigningKey)
        .where(SigningKey.role.in_(roles))
        .order_by(SigningKey.owner, SigningKey.role, SigningKey.number)
    )
    return [
        TrustedKey(
            role=roles[row.role],
            kid=row.kid,
            owner=row.owner,
            public=public_key(row.public_jwk or {}),
            valid_from=row.valid_from,
            valid_until=row.valid_until,
            revoked_at=row.revoked_at,
            reason=row.revoked_reason,
        )
        for row in rows
    ]


def _context(role: str, holder: str, kid: str) -> str:
    return f"{role}-key:{holder}:{kid}"
