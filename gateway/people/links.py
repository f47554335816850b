"""One-time links: a random token in a path, kept as its hash; looking does not spend it, using does, once."""

import hashlib
import secrets
from datetime import datetime
from typing import Final

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from gateway.people.errors import LinkSpentError
from gateway.people.models import OneTimeLink, Person

TOKEN_BYTES: Final = 32
PATH: Final = "/set-up/"


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def path(token: str) -> str:
    return PATH + token


def look(session: Session, token: str, now: datetime) -> Person:
    """Give whom a link lets in.

    Raises:
        LinkSpentError: it was used, has expired, never was, or the person is suspended.
    """
    link = session.get(OneTimeLink, digest(token))
    person = session.get(Person, link.person_id) if link is not None else None
    if link is None or person is None or link.used_at is not None or link.expires_at <= now or not person.active:
        raise LinkSpentError("the link was used, has expired or never was")
    return person


def spend(session: Session, token: str, now: datetime) -> Person:
    """Use a link up; of two who try at once, one is refused.

    Raises:
        LinkSpentError: as `look` says.
    """
    person = look(session, token, now)
    spent = session.execute(
        update(OneTimeLink)
        .where(OneTimeLink.token_sha256 == digest(token), OneTimeLink.used_at.is_(None))
        .values(used_at=now)
    )
    if not isinstance(spent, CursorResult) or spent.rowcount != 1:
        raise LinkSpentError("another request used the link at the same moment")
    return person


def end_all(session: Session, person_id: str, now: datetime) -> None:
    """Let no earlier link of a person work any more."""
    for link in session.scalars(
        select(OneTimeLink).where(OneTimeLink.person_id == person_id, OneTimeLink.used_at.is_(None))
    ):
        link.used_at = now
