"""The register of people: added, given roles, suspended, invited; every act with its audit entry and leaf."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.agencies.models import Agency
from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import AlreadyExistsError, Fault, InvalidInputError, UnknownError
from gateway.people import links, sign_ins
from gateway.people.errors import NotAllowedError, PersonChangedError
from gateway.people.models import OneTimeLink, Person, PersonRole, SignIn
from gateway.people.roles import require_roles
from gateway.people.rules import is_chief, named, require_chief, require_other, require_username
from ipx.ids import uuid7

LINK_HOURS: Final = 24
LANGUAGES: Final = ("en", "zh_Hans_CN")
THEMES: Final = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time link, as its path on this gateway. Shown once: only a hash of it is kept."""

    username: str
    path: str
    expires_at: datetime


class People:
    """Who may use the consoles.

    `within` is the agency whose administrator acts: people of others are then unknown. None reaches everybody.
    `actor` is `person:<username>` for somebody signed in, `operator:<account>` at a shell.
    """

    def __init__(self, database: Database, audit: AuditTrail, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    def add(
        self,
        username: str,
        *,
        name: str,
        roles: Iterable[str],
        actor: str,
        agency: str | None = None,
        upstream_subject: str | None = None,
        within: str | None = None,
    ) -> Person:
        """Register a person, who can sign in only after an invitation, or from upstream where a subject is named.

        Raises:
            InvalidInputError: username, name or a role cannot be taken.
            UnknownError: there is no such agency.
            AlreadyExistsError: the username or the subject is taken.
            NotAllowedError: the acting administrator is of another agency.
        """
        given = require_roles(roles)
        require_username(username)
        name = named(name)
        if within is not None and agency != within:
            raise NotAllowedError(f"an administrator of {within} adds people of {within} only")
        with self._database.write() as session:
            if agency is not None and session.get(Agency, agency) is None:
                raise UnknownError(f"there is no agency {agency}; `ipx-gateway agency list` shows those that exist")
            if _by_username(session, username) is not None:
                raise AlreadyExistsError(f"person {username} exists")
            _require_free_subject(session, upstream_subject)
            person = Person(
                id=uuid7(),
                username=username,
                name=name,
                agency_code=agency,
                created_at=self._clock(),
                upstream_subject=upstream_subject,
                fs_uniquifier=secrets.token_hex(32),
                fs_webauthn_user_handle=secrets.token_hex(32),
                roles=[PersonRole(name=role) for role in sorted(given)],
                webauthn=[],
            )
            session.add(person)
            session.flush()
            detail = {"agency": agency, "roles": sorted(given), "upstream": upstream_subject is not None}
            self._audit.record(session, actor, "person.added", f"person:{username}", detail)
        return person

    def people(self, *, within: str | None = None) -> list[Person]:
        query = select(Person).order_by(Person.username)
        if within is not None:
            query = query.where(Person.agency_code == within)
        with self._database.read() as session:
            return list(session.scalars(query))

    def person(self, username: str, *, within: str | None = None) -> Person:
        with self._database.read() as session:
            return _existing(session, username, within)

    def set_roles(
        self, username: str, roles: Iterable[str], *, actor: str, within: str | None = None, seen: int | None = None
    ) -> None:
        """Give a person these roles and no others; all their sign-ins end.

        Args:
            username: whose.
            roles: all of them.
            actor: who gives them.
            within: see the class.
            seen: the person's version that the decision was made from; None: whatever it is.

        Raises:
            PersonChangedError: the person has changed since then.
            NotAllowedError: nobody changes their own roles.
            InvalidInputError: it would leave no active nation-wide administrator.
        """
        given = require_roles(roles)
        with self._database.write() as session:
            person = _existing(session, username, within, lock=True)
            require_other(person, actor)
            if seen is not None and person.version != seen:
                raise PersonChangedError(f"{username} was changed meanwhile")
            if given == person.role_names:
                return
            before, was_chief = sorted(person.role_names), is_chief(person)
            person.roles = [role for role in person.roles if role.name in given] + [
                PersonRole(name=role) for role in sorted(given - person.role_names)
            ]
            self._flush_and_end(session, person, "roles changed")
            if was_chief:
                require_chief(session)
            detail = {"before": before, "after": sorted(given)}
            self._audit.record(session, actor, "person.roles_set", f"person:{username}", detail)

    def suspend(self, username: str, *, reason: str, actor: str, within: str | None = None) -> None:
        """Shut a person out at once, whatever they have open. Suspending twice keeps the first instant."""
        if not reason.strip():
            raise InvalidInputError([Fault("/reason", "missing", "say why")])
        with self._database.write() as session:
            person = _existing(session, username, within, lock=True)
            require_other(person, actor)
            if person.suspended_at is not None:
                return
            was_chief = is_chief(person)
            person.suspended_at = self._clock()
            person.suspended_reason = reason.strip()
            self._flush_and_end(session, person, "suspended")
            if was_chief:
                require_chief(session)
            self._audit.record(session, actor, "person.suspended", f"person:{username}", {"reason": reason.strip()})

    def resume(self, username: str, *, actor: str, within: str | None = None) -> None:
        with self._database.write() as session:
            person = _existing(session, username, within, lock=True)
            require_other(person, actor)
            if person.suspended_at is None:
                return
            person.suspended_at = None
            person.suspended_reason = None
            session.flush()
            self._audit.record(session, actor, "person.resumed", f"person:{username}", {})

    def invite(
        self, username: str, *, actor: str, reset: bool = False, hours: int = LINK_HOURS, within: str | None = None
    ) -> Invitation:
        """Make the one-time link by which a person sets up what they sign in with; earlier links end.

        Args:
            username: whom to let in.
            actor: who invites.
            reset: the person lost what they signed in with: passkeys, password, authenticator and codes are taken
                away now, and all sign-ins end.
            hours: how long the link holds.
            within: see the class.

        Raises:
            AlreadyExistsError: the person can sign in already, and `reset` is not said.
            NotAllowedError: the person is suspended, or invites themselves.
        """
        with self._database.write() as session:
            person = _existing(session, username, within, lock=True)
            require_other(person, actor)
            if person.suspended_at is not None:
                raise NotAllowedError(f"{username} is suspended; resume first")
            if (person.webauthn or person.password is not None) and not reset:
                raise AlreadyExistsError(
                    f"{username} can sign in already; a reset takes away passkeys, password, authenticator and codes"
                )
            if reset:
                _take_away_factors(person)
                self._flush_and_end(session, person, "reset")
            now = self._clock()
            links.end_all(session, person.id, now)
            token = links.new_token()
            expires_at = now + timedelta(hours=hours)
            session.add(
                OneTimeLink(token_sha256=links.digest(token), person_id=person.id, made_at=now, expires_at=expires_at)
            )
            session.flush()
            detail = {"reset": reset, "hours": hours}
            self._audit.record(session, actor, "person.invited", f"person:{username}", detail)
        return Invitation(username, links.path(token), expires_at)

    def set_upstream(self, username: str, subject: str | None, *, actor: str, within: str | None = None) -> None:
        """Say who this person is at the upstream identity provider; all their sign-ins end."""
        with self._database.write() as session:
            person = _existing(session, username, within, lock=True)
            require_other(person, actor)
            if person.upstream_subject == subject:
                return
            _require_free_subject(session, subject)
            person.upstream_subject = subject
            self._flush_and_end(session, person, "upstream changed")
            detail = {"upstream": subject is not None}
            self._audit.record(session, actor, "person.upstream_set", f"person:{username}", detail)

    def set_taste(self, username: str, *, language: str | None, theme: str | None) -> None:
        """Keep a person's choice of language and colours; nobody else is concerned, so it is no audited act.

        Raises:
            InvalidInputError: the language or theme is unknown.
        """
        faults = []
        if language is not None and language not in LANGUAGES:
            faults.append(Fault("/language", "unknown_language", f"one of {', '.join(LANGUAGES)}"))
        if theme is not None and theme not in THEMES:
            faults.append(Fault("/theme", "unknown_theme", f"one of {', '.join(THEMES)}"))
        if faults:
            raise InvalidInputError(faults)
        with self._database.write() as session:
            person = _existing(session, username, None, lock=True)
            person.language, person.theme = language, theme

    def sign_ins(self, username: str, *, within: str | None = None) -> list[SignIn]:
        """List a person's open sign-ins, the newest first."""
        with self._database.read() as session:
            return sign_ins.open_of(session, _existing(session, username, within).id, self._clock())

    def end_sign_ins(
        self,
        username: str,
        *,
        actor: str,
        only: Sequence[str] | None = None,
        but: str | None = None,
        within: str | None = None,
    ) -> int:
        """End a person's sign-ins: all, those whose ids are named, or all but one. Gives how many were open."""
        with self._database.write() as session:
            person = _existing(session, username, within, lock=True)
            ended = sign_ins.end(session, person.id, self._clock(), "ended", only=only, but=but)
            if ended:
                session.flush()
                detail = {"sign_ins": ended}
                self._audit.record(session, actor, "person.sign_ins_ended", f"person:{username}", detail)
            return len(ended)

    def _flush_and_end(self, session: Session, person: Person, because: str) -> None:
        person.fs_uniquifier = secrets.token_hex(32)
        sign_ins.end(session, person.id, self._clock(), because)
        session.flush()


def _by_username(session: Session, username: str, *, lock: bool = False) -> Person | None:
    query = select(Person).where(Person.username == username)
    return session.scalar(query.with_for_update(of=Person) if lock else query)


def _existing(session: Session, username: str, within: str | None, *, lock: bool = False) -> Person:
    person = _by_username(session, username, lock=lock)
    if person is None or (within is not None and person.agency_code != within):
        raise UnknownError(f"there is no person {username}; `ipx-gateway people list` shows those that exist")
    return person


def _take_away_factors(person: Person) -> None:
    person.password = None
    person.tf_primary_method = person.tf_totp_secret = person.totp_counter = None
    person.mf_recovery_codes = None
    person.webauthn = []


def _require_free_subject(session: Session, subject: str | None) -> None:
    if subject is None:
        return
    if not 0 < len(subject) <= 255:  # noqa: PLR2004  (OpenID Connect Core, section 2)
        raise InvalidInputError([Fault("/upstream_subject", "bad_subject", "1 to 255 characters")])
    if session.scalar(select(Person.id).where(Person.upstream_subject == subject)):
        raise AlreadyExistsError("another person has this upstream subject")
