"""The keys that sign access tokens, rotated without a failed call: pending → active → retiring → retired."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import GatewayError
from gateway.keywrap import KeyWrap
from gateway.oauth.audit import Acts
from gateway.oauth.models import TokenKey
from ipx.keys import KeySigner, PublicKey, generate_signer, load_signer, public_key


class KeyState(StrEnum):
    PENDING = "pending"
    """Published, verifies nothing yet: verifiers that cache the key set must have seen it before it signs."""
    ACTIVE = "active"
    """Exactly one; it signs."""
    RETIRING = "retiring"
    """Signs no more, verifies until its last token has ended."""
    RETIRED = "retired"
    """Neither published nor trusted."""


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """How long a key spends in its states; the defaults rest on a key set that verifiers may keep for 300 s."""

    tokens_last: timedelta = timedelta(seconds=300)
    """Whole seconds. A key verifies longer than the last token it signed."""
    published_before_use: timedelta = timedelta(seconds=360)
    verifies_after_use: timedelta = timedelta(seconds=360)
    signs: timedelta = timedelta(days=90)


class TokenKeyError(GatewayError):
    """The signing keys of tokens cannot be used as they are; no token is issued."""


@dataclass(frozen=True, slots=True)
class _Ring:
    read_at: datetime
    signer: KeySigner | None
    verifying: Mapping[str, PublicKey]
    published: tuple[Mapping[str, Any], ...]


class TokenKeys:
    """The key ring as this worker sees it; a state changed elsewhere is seen here within half a second."""

    RELOAD = timedelta(milliseconds=500)
    LOOK_AGAIN = timedelta(milliseconds=50)

    def __init__(
        self, database: Database, key_wrap: KeyWrap, clock: Clock, *, acts: Acts, times: KeyTimes | None = None
    ) -> None:
        self._database = database
        self._key_wrap = key_wrap
        self._clock = clock
        self._acts = acts
        self._times = times or KeyTimes()
        self._lock = threading.Lock()
        self._ring: _Ring | None = None
        self._signers: dict[str, KeySigner] = {}

    @property
    def tokens_last_seconds(self) -> int:
        return int(self._times.tokens_last.total_seconds())

    def ensure_active(self) -> None:
        """Make the first key where there is none. Workers that start together end with one.

        Raises:
            TokenKeyError: the key in the database does not open, or more than one is active.
        """
        with self._database.read_connection() as connection:
            active = connection.scalars(select(TokenKey.kid).where(TokenKey.state == KeyState.ACTIVE)).all()
        if len(active) > 1:
            raise TokenKeyError(f"{len(active)} token signing keys are active; one must be")
        if not active:
            try:
                with self._database.write() as session:
                    self._add(session, KeyState.ACTIVE, actor="system")
            except IntegrityError:
                pass  # another worker was first: its key is the active one
        self._load()
        self.signer()

    def signer(self) -> KeySigner:
        """Give the one key that signs now.

        Raises:
            TokenKeyError: there is none.
        """
        signer = self._current().signer
        if signer is None:
            raise TokenKeyError("no token signing key is active; `ipx-gateway token-key rotate` makes one")
        return signer

    def verifier(self, kid: str) -> PublicKey | None:
        """Give the public half of an active or retiring key; a pending or retired one verifies nothing."""
        key = self._current().verifying.get(kid)
        if key is not None:
            return key
        # It may have become active in another worker since this one looked; garbage may not make us look each time.
        return self._current(self.LOOK_AGAIN).verifying.get(kid)

    def verifies(self, kid: str) -> bool:
        """Whether a key still verifies; without a second look, for tokens known already."""
        return kid in self._current().verifying

    def jwks(self) -> dict[str, Any]:
        """Give the public key set (RFC 7517, section 5): pending, active and retiring keys."""
        return {"keys": [dict(jwk) for jwk in self._current().published]}

    def rotate(self, *, actor: str) -> str:
        """Publish the next key; `advance` lets it sign once verifiers can know it. Returns its kid.

        A key that is pending already is the next one.
        """
        with self._database.write() as session:
            pending = session.scalar(select(TokenKey.kid).where(TokenKey.state == KeyState.PENDING))
            kid = pending or self._add(session, KeyState.PENDING, actor=actor)
        self._load()
        return kid

    def advance(self, *, actor: str = "system") -> list[str]:
        """Take every step that is due; called by the worker, any number of times, from any number of workers.

        Returns:
            What became of which key, such as `active <kid>`; empty where nothing was due.
        """
        with self._database.read() as session:
            if not self._due(session):
                return []  # the usual case: no writer is held up
        done: list[str] = []
        with self._database.write() as session:
            for step, row in self._due(session):
                kid = row.kid
                match step:
                    case KeyState.RETIRED:
                        self._retire(session, kid, actor=actor, cause="scheduled")
                    case KeyState.ACTIVE:
                        self._activate(session, kid, actor=actor)
                    case _:
                        kid = self._add(session, KeyState.PENDING, actor=actor)
                done.append(f"{step} {kid}")
        self._load()
        return done

    def _due(self, session: Session) -> list[tuple[KeyState, TokenKey]]:
        """Give the steps that are due: which key is to become what; `PENDING` for the key that needs a successor."""
        now = self._clock()
        rows = list(session.scalars(select(TokenKey).where(TokenKey.state != KeyState.RETIRED)))
        by_state = {row.state: row for row in rows}
        due = [
            (KeyState.RETIRED, row)
            for row in rows
            if row.state == KeyState.RETIRING and row.verifies_until and row.verifies_until <= now
        ]
        pending, active = by_state.get(KeyState.PENDING), by_state.get(KeyState.ACTIVE)
        if pending and (active is None or pending.created_at + self._times.published_before_use <= now):
            due.append((KeyState.ACTIVE, pending))
        elif pending is None and active and active.activated_at and active.activated_at + self._times.signs <= now:
            due.append((KeyState.PENDING, active))
        return due

    def revoke(self, kid: str, *, reason: str, actor: str) -> None:
        """Retire a key at once, in an emergency: every token it signed dies. A revoked active key is replaced.

        Raises:
            TokenKeyError: there is no such key, or it is retired.
        """
        with self._database.write() as session:
            state = session.scalar(select(TokenKey.state).where(TokenKey.kid == kid))
            if state is None or state == KeyState.RETIRED:
                raise TokenKeyError(f"there is no living token signing key {kid}")
            self._retire(session, kid, actor=actor, cause=reason)
            if state == KeyState.ACTIVE:
                self._add(session, KeyState.ACTIVE, actor=actor)
        self._load()

    def states(self) -> list[TokenKey]:
        """All keys, newest first, for operators."""
        with self._database.read() as session:
            return list(session.scalars(select(TokenKey).order_by(TokenKey.created_at.desc(), TokenKey.kid)))

    def _add(self, session: Session, state: KeyState, *, actor: str) -> str:
        signer = generate_signer("ES256")
        now = self._clock()
        is_active = state == KeyState.ACTIVE
        session.add(
            TokenKey(
                kid=signer.kid,
                alg=signer.alg,
                jwk=dict(signer.public_jwk),
                wrapped=self._key_wrap.wrap(signer.private_pem(), _context(signer.kid)),
                state=state,
                active_slot=1 if is_active else None,
                created_at=now,
                activated_at=now if is_active else None,
            )
        )
        session.flush()
        act = "server_key.activated" if is_active else "server_key.published"
        self._acts.record(session, actor, act, signer.kid, {})
        return signer.kid

    def _activate(self, session: Session, pending: str, *, actor: str) -> None:
        now = self._clock()
        active = session.scalar(select(TokenKey.kid).where(TokenKey.state == KeyState.ACTIVE))
        if active:
            until = now + self._times.verifies_after_use
            self._set(session, active, state=KeyState.RETIRING, active_slot=None, verifies_until=until)
        self._set(session, pending, state=KeyState.ACTIVE, active_slot=1, activated_at=now)
        if active:
            self._acts.record(session, actor, "server_key.retiring", active, {})
        self._acts.record(session, actor, "server_key.activated", pending, {})

    def _retire(self, session: Session, kid: str, *, actor: str, cause: str) -> None:
        self._set(session, kid, state=KeyState.RETIRED, active_slot=None, wrapped=None, retired_at=self._clock())
        self._acts.record(session, actor, "server_key.retired", kid, {"cause": cause})

    @staticmethod
    def _set(session: Session, kid: str, **values: Any) -> None:
        session.execute(update(TokenKey).where(TokenKey.kid == kid).values(**values))

    def _current(self, age: timedelta = RELOAD) -> _Ring:
        ring = self._ring
        if ring is not None and abs(self._clock() - ring.read_at) < age:
            return ring
        with self._lock:
            if self._ring is not None and self._ring is not ring:
                return self._ring  # another thread has just read it
            return self._read()

    def _load(self) -> None:
        with self._lock:
            self._read()

    def _read(self) -> _Ring:
        now = self._clock()
        with self._database.read_connection() as connection:
            rows = connection.execute(
                select(TokenKey.kid, TokenKey.state, TokenKey.alg, TokenKey.jwk, TokenKey.wrapped)
                .where(TokenKey.state != KeyState.RETIRED)
                .order_by(TokenKey.created_at, TokenKey.kid)
            ).all()
        active = next((row for row in rows if row.state == KeyState.ACTIVE), None)
        self._ring = _Ring(
            read_at=now,
            signer=self._open(active.kid, active.wrapped) if active else None,
            verifying={row.kid: public_key(row.jwk) for row in rows if row.state != KeyState.PENDING},
            published=tuple({**row.jwk, "kid": row.kid, "alg": row.alg, "use": "sig"} for row in rows),
        )
        return self._ring

    def _open(self, kid: str, wrapped: bytes) -> KeySigner:
        if kid not in self._signers:
            self._signers = {kid: load_signer(self._key_wrap.unwrap(wrapped, _context(kid)))}
        return self._signers[kid]


def _context(kid: str) -> str:
    return f"token-signing-key:{kid}"
