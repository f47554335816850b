"""Flags as auditors work with them: listed within their scope, given to somebody, explained, closed or dismissed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, true

from gateway.audit.service import AuditTrail
from gateway.auditor.flag_methods import BULK, HOURS, KINDS, PROBING, PURPOSE, REASONS
from gateway.auditor.models import Flag
from gateway.auditor.scope import Scope
from gateway.auditor.search import MOST_ROWS, Page, instant
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import ChangedSinceSeenError, Fault, InvalidInputError, UnknownError
from gateway.people.models import Person, PersonRole

OPEN: Final = "open"
FALSE_ALARM: Final = "false_alarm"
STATUSES: Final = (OPEN, "looked_into", "closed", FALSE_ALARM)
FILTERS: Final = ("kind", "status", "requester", "holder", "assignee")
NOTE_CHARACTERS: Final = 2000


@dataclass(frozen=True, slots=True)
class Raised:
    """One flag as a list shows it."""

    id: str
    kind: str
    requester: str
    holder: str
    subject: str
    day: date
    numbers: Mapping[str, int]
    status: str
    assignee: str
    note: str
    found_at: datetime
    changed_at: datetime

    @property
    def version(self) -> str:
        """Name what has been said of it so far, 32 hexadecimal digits; whatever anybody says gives another name."""
        said = [self.status, self.assignee, self.note, self.changed_at.isoformat()]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]

    @property
    def reason(self) -> str:
        """Why it was raised, in English words."""
        return REASONS[self.kind] % self.numbers

    @property
    def exchanges(self) -> dict[str, str]:
        """Give the search that finds the exchanges it is about."""
        query = {"requester": self.requester, "since": self.day.isoformat(), "until": self.day.isoformat()}
        if self.holder:
            query["holder"] = self.holder
        names = {HOURS: "client", PROBING: "client", PURPOSE: "purpose", BULK: "person"}
        return query | ({names[self.kind]: self.subject} if self.kind in names else {})

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "requester": self.requester,
            "holder": self.holder or None,
            "subject": self.subject or None,
            "day": self.day.isoformat(),
            "reason": self.reason,
            "numbers": dict(self.numbers),
            "status": self.status,
            "assignee": self.assignee or None,
            "note": self.note,
            "found_at": instant(self.found_at),
            "changed_at": instant(self.changed_at),
            "version": self.version,
            "exchanges": self.exchanges,
        }


class Flags:
    def __init__(self, database: Database, audit: AuditTrail, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    def list(self, scope: Scope, wanted: Mapping[str, str], *, after: int | None, limit: int) -> Page[Raised]:
        """Give one page of flags, newest first.

        Args:
            scope: whose flags may be seen.
            wanted: values of `FILTERS`.
            after: `Page.after` of the page before.
            limit: at most so many, no more than 200.

        Raises:
            InvalidInputError: a member of the filter is unknown or cannot be used.
        """
        matches = and_(_visible(scope), *_conditions(wanted))
        limit = min(limit, MOST_ROWS)
        query = select(Flag).where(matches).order_by(Flag.id.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(Flag.id < str(UUID(int=after)))
        with self._database.read() as session:
            rows = session.scalars(query).all()
            total = session.scalar(select(func.count()).select_from(Flag).where(matches)) or 0
        items = [_raised(row) for row in rows[:limit]]
        return Page(items, total, UUID(items[-1].id).int if len(rows) > limit else None)

    def show(self, scope: Scope, flag_id: str) -> Raised:
        """Give one.

        Raises:
            UnknownError: there is none, or it is outside the scope: the two look alike.
        """
        with self._database.read() as session:
            row = session.scalar(select(Flag).where(Flag.id == flag_id, _visible(scope)))
        if row is None:
            raise UnknownError(f"no flag {flag_id}")
        return _raised(row)

    def mark(self, scope: Scope, flag_id: str, given: Mapping[str, str], *, seen: str) -> Raised:
        """Change status, assignee or note; what is not given stays. It is an act of the log.

        A false alarm keeps the same from being raised again within four weeks.

        Args:
            scope: who says it.
            flag_id: of which flag.
            given: what is said, by member.
            seen: `Raised.version` of what they looked at before.

        Raises:
            UnknownError: as `show`.
            ChangedSinceSeenError: somebody else has said something of it meanwhile.
            InvalidInputError: a member is unknown or cannot be used; the assignee is no auditor of the same scope.
        """
        faults = [Fault(f"/{name}", "unknown", "no such member") for name in given if name not in _MARKS]
        if given.get("status", OPEN) not in STATUSES:
            faults.append(Fault("/status", "status", f"one of {', '.join(STATUSES)}"))
        if len(given.get("note", "")) > NOTE_CHARACTERS:
            faults.append(Fault("/note", "length", f"at most {NOTE_CHARACTERS} characters"))
        assignee = given.get("assignee", "")
        if assignee and assignee not in {scope.actor, *self.auditors(scope)}:
            faults.append(Fault("/assignee", "assignee", "an auditor who sees this flag: person:<username>"))
        if faults:
            raise InvalidInputError(faults)
        with self._database.write() as session:
            row = session.scalar(select(Flag).where(Flag.id == flag_id, _visible(scope)).with_for_update())
            if row is None:
                raise UnknownError(f"no flag {flag_id}")
            if _raised(row).version != seen:
                raise ChangedSinceSeenError(f"flag {flag_id} was changed since version {seen[:32]}")
            changed = {name: value for name, value in given.items() if getattr(row, name) != value}
            if changed:
                for name, value in changed.items():
                    setattr(row, name, value)
                row.changed_at = self._clock()
                self._audit.record(session, scope.actor, "flag.marked", f"flag:{row.id}", changed)
            return _raised(row)

    def auditors(self, scope: Scope) -> Sequence[str]:
        """Name who can be given a flag: the auditors of the same agency, or those of the nation."""
        same = Person.agency_code.is_(None) if scope.agency is None else Person.agency_code == scope.agency
        query = (
            select(Person.username)
            .where(same, Person.roles.any(PersonRole.name == "auditor"))
            .order_by(Person.username)
        )
        with self._database.read() as session:
            return [f"person:{username}" for username in session.scalars(query)]


_MARKS: Final = ("status", "assignee", "note")


def _visible(scope: Scope) -> ColumnElement[bool]:
    if scope.agency is None:
        return true()
    return or_(Flag.requester == scope.agency, Flag.holder == scope.agency)


def _conditions(wanted: Mapping[str, str]) -> Sequence[ColumnElement[bool]]:
    known = {"kind": KINDS, "status": STATUSES}
    faults = [
        Fault(f"/{name}", "unknown", f"no such parameter; there are {', '.join(FILTERS)}")
        for name in wanted
        if name not in FILTERS
    ]
    faults += [
        Fault(f"/{name}", "value", f"one of {', '.join(words)}")
        for name, words in known.items()
        if wanted.get(name) and wanted[name] not in words
    ]
    if faults:
        raise InvalidInputError(faults)
    return [getattr(Flag, name) == value for name, value in wanted.items() if value]


def _raised(row: Flag) -> Raised:
    return Raised(
        id=row.id,
        kind=row.kind,
        requester=row.requester,
        holder=row.holder,
        subject=row.subject,
        day=row.day,
        numbers=row.numbers,
        status=row.status,
        assignee=row.assignee,
        note=row.note,
        found_at=row.found_at,
        changed_at=row.changed_at,
    )
