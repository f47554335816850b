"""What holds for every act about people, whoever acts: names, nobody for themselves, somebody left in charge."""

import re
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.errors import Fault, InvalidInputError
from gateway.people.errors import NotAllowedError
from gateway.people.models import Person, PersonRole

USERNAME: Final = re.compile(r"[a-z][a-z0-9._-]{1,62}")
NAME_CHARACTERS: Final = 200


def require_other(person: Person, actor: str) -> None:
    if actor == f"person:{person.username}":
        raise NotAllowedError("nobody changes their own roles or account: another administrator has to")


def is_chief(person: Person) -> bool:
    """Whether this is an active administrator of the gateway's own authority."""
    return person.active and person.agency_code is None and "administrator" in person.role_names


def require_chief(session: Session) -> None:
    """Refuse an act after which no nation-wide administrator is left who could undo it.

    Raises:
        InvalidInputError: there is none; the caller's transaction must not be committed.
    """
    left = session.scalar(
        select(Person.id)
        .join(PersonRole)
        .where(PersonRole.name == "administrator", Person.agency_code.is_(None), Person.suspended_at.is_(None))
        .limit(1)
    )
    if left is None:
        detail = "it would leave no active administrator of the gateway's own authority; add another first"
        raise InvalidInputError([Fault("/roles", "last_administrator", detail)])


def require_username(username: str) -> None:
    if not USERNAME.fullmatch(username):
        detail = "2 to 63 small letters, digits, dots, hyphens and underscores, beginning with a letter"
        raise InvalidInputError([Fault("/username", "bad_username", detail)])


def named(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= NAME_CHARACTERS or not name.isprintable():
        raise InvalidInputError([Fault("/name", "bad_name", f"1 to {NAME_CHARACTERS} characters")])
    return name
