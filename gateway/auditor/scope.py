"""Whose exchanges an auditor may see: those of one agency, on either side, or all of the nation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, literal, or_, select, true

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
        if self.agency is None:
            return true()
        own = f"{self.agency}."
        people = select(literal("person:") + Person.username).where(Person.agency_code == self.agency)
        recalls = select(literal("recall:") + Recall.id).where(Recall.holder == self.agency)
        return or_(
            AuditEntry.subject.in_([self.agency, *(f"{tier}/{self.agency}" for tier in TIERS)]),
            AuditEntry.subject.startswith(own, autoescape=True),
            AuditEntry.subject.in_(people),
            AuditEntry.subject.in_(recalls),
            AuditEntry.actor.startswith(own, autoescape=True),
            AuditEntry.actor.in_(people),
            AuditEntry.actor == self.actor,
        )


def of_caller(caller: Caller) -> Scope:
    """Give the scope of a system; it acts for its agency, whatever else its token holds."""
    return Scope(caller.client_id, None if NATIONAL in caller.scopes else caller.agency)


def of_person(person: SignedIn) -> Scope:
    return Scope(person.actor, person.agency)
