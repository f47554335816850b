"""Whose exchanges an auditor may see: those of one agency, on either side, or all of the nation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, literal, or_, select, true

from gateway.audit.models import AuditEntry
from gateway.auditor.models import ExchangeDay
from gateway.exchange.models import Exchange, Recall
from gateway.oauth.guard import Caller
from gateway.people.access import SignedIn
from gateway.people.models import Person
from policies.reference import TIERS

OWN: Final = "audit:read"
"""Scope of a client that audits for its own agency."""
NATIONAL: Final = "audit:national"
"""Scope of a client that audits for the nation."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Who looks, and at whose exchanges."""

    actor: str
    agency: str | None
    """None: all agencies."""

    def exchanges(self, table: type[Exchange] | type[ExchangeDay] = Exchange) -> ColumnElement[bool]:
        """Select the exchanges, or the counts of those, in which the agency asked or was asked."""
        if self.agency is None:
            return true()
        return or_(table.requester == self.agency, table.holder == self.agency)

    def sides(self) -> Sequence[ColumnElement[bool]]:
        """Select the same in parts that have nothing in common: an index counts each of them, and none their union."""
        if self.agency is None:
            return (true(),)
        return (
            Exchange.requester == self.agency,
            and_(Exchange.holder == self.agency, Exchange.requester != self.agency),
        )

    def acts(self) -> ColumnElement[bool]:
        """Select what the agency's own systems and people did, and what was done to it and to what is its own.

        Its own are its systems, its people with their sign-ins, its policies and the recalls that it made.
        """
        return true() if self.agency is None else or_(acts_of(self.agency), AuditEntry.actor == self.actor)


def acts_of(agency: str) -> ColumnElement[bool]:
    """Select what an agency's systems and people did, and what was done to it and to what is its own."""
    own, people = f"{agency}.", people_of(agency)
    recalls = select(literal("recall:") + Recall.id).where(Recall.holder == agency)
    return or_(
        AuditEntry.subject.in_([agency, *(f"{tier}/{agency}" for tier in TIERS)]),
        AuditEntry.subject.startswith(own, autoescape=True),
        AuditEntry.subject.in_(people),
        AuditEntry.subject.in_(recalls),
        AuditEntry.actor.startswith(own, autoescape=True),
        AuditEntry.actor.in_(people),
    )


def people_of(agency: str) -> Select[str]:
    """Select an agency's people, as entries of the audit trail name them."""
    return select(literal("person:") + Person.username).where(Person.agency_code == agency)


def of_caller(caller: Caller) -> Scope:
    """Give the scope of a system; it acts for its agency, whatever else its token holds."""
    return Scope(caller.client_id, None if NATIONAL in caller.scopes else caller.agency)


def of_person(person: SignedIn) -> Scope:
    return Scope(person.actor, person.agency)
