"""Sign-ins as rows: begun, looked up at each request, ended; idle after 15 minutes, over after 8 hours."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.people.models import OneTimeLink, Person, SignIn
from ipx.ids import uuid7

IDLE: Final = timedelta(minutes=15)
ABSOLUTE: Final = timedelta(hours=8)
SEEN_EVERY: Final = timedelta(seconds=30)
"""How often at most a sign-in's last use is written down."""
TOKEN_BYTES: Final = 32
KEPT: Final = timedelta(days=30)
"""How long the row of a sign-in is kept after it can no longer be open."""


class SignIns:
    """Who is signed in where. Nothing is cached: what ended elsewhere has ended here."""

    def __init__(self, database: Database, audit: AuditTrail, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    def begin(self, session: Session, person: Person, *, via: str, address: str, agent: str) -> str:
        """Write a sign-in with its audit entry and give the token for the browser's cookie.

        Args:
            session: the writing transaction of what was proved; the sign-in holds from its commit on.
            person: as stored.
            via: by what it was proved: `passkey`, `password and code` …
            address: where from.
            agent: the browser's words about itself, cut to 255 characters.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock()
        row = SignIn(
            id=uuid7(),
            person_id=person.id,
            token_sha256=_digest(token),
            via=via,
            began_at=now,
            seen_at=now,
            address=address[:45],
            agent=agent[:255],
        )
        session.add(row)
        session.flush()
        actor = f"person:{person.username}"
        self._audit.record(session, actor, "person.signed_in", actor, {"id": row.id, "via": via, "ip": row.address})
        return token

    def current(self, token: str) -> SignIn | None:
        """Give the open sign-in of a token, with its person, and note that it was seen; None: sign in again."""
        now = self._clock()
        with self._database.read() as session:
            found = session.scalar(select(SignIn).where(SignIn.token_sha256 == _digest(token)))
        if found is None or not is_open(found, now) or found.person.suspended_at is not None:
            return None
        if now - found.seen_at >= SEEN_EVERY:
            with self._database.write() as session:
                session.merge(found, load=True).seen_at = now
        return found

    def end(self, token: str, because: str) -> None:
        """End one sign-in: the person signed out."""
        with self._database.write() as session:
            found = session.scalar(select(SignIn).where(SignIn.token_sha256 == _digest(token)))
            if found is None or found.ended_at is not None:
                return
            found.ended_at, found.ended_because = self._clock(), because
            session.flush()
            actor = f"person:{found.person.username}"
            self._audit.record(session, actor, "person.signed_out", actor, {"id": found.id})

    def sweep(self) -> int:
        """Forget sign-ins and one-time links that ended long ago: addresses and browsers are personal data.

        Returns:
            How many rows. What happened stays in the audit entries.
        """
        before = self._clock() - KEPT
        with self._database.write() as session:
            gone = session.execute(delete(SignIn).where(SignIn.began_at < before)).rowcount  # type: ignore[attr-defined]
            links = session.execute(delete(OneTimeLink).where(OneTimeLink.expires_at < before))
            return int(gone) + int(links.rowcount)  # type: ignore[attr-defined]


def is_open(row: SignIn, now: datetime) -> bool:
    return row.ended_at is None and now - row.seen_at < IDLE and now - row.began_at < ABSOLUTE


def open_of(session: Session, person_id: str, now: datetime) -> list[SignIn]:
    """List a person's open sign-ins, the newest first."""
    query = (
        select(SignIn)
        .where(
            SignIn.person_id == person_id,
            SignIn.ended_at.is_(None),
            SignIn.seen_at > now - IDLE,
            SignIn.began_at > now - ABSOLUTE,
        )
        .order_by(SignIn.began_at.desc(), SignIn.id.desc())
    )
    return list(session.scalars(query))


def end(
    session: Session,
    person_id: str,
    now: datetime,
    because: str,
    *,
    only: Sequence[str] | None = None,
    but: str | None = None,
) -> list[str]:
    """End a person's open sign-ins within the caller's transaction; gives their ids."""
    ended = []
    for row in open_of(session, person_id, now):
        if (only is None or row.id in only) and row.id != but:
            row.ended_at, row.ended_because = now, because
            ended.append(row.id)
    return ended


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
