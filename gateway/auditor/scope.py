"""Whose exchanges an auditor may see: those of one agency, on either side, or all of the nation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, true

from gateway.audit.models import AuditEntry
from gateway.auditor.models import ExchangeDay
from gateway.exchange.models import Exchange
from gateway.oauth.guard import Caller
from gateway.people.access import SignedIn

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
        """Select the acts that an agency's own systems did, or that were done to the agency and what is its own."""
        if self.agency is None:
            return true()
        own = f"{self.agency}."
        return or_(
            AuditEntry.subject == self.agency,
            AuditEntry.subject.startswith(own, autoescape=True),
            AuditEntry.actor.startswith(own, autoescape=True),
            AuditEntry.actor == self.actor,
        )


def of_caller(caller: Caller) -> Scope:
    """Give the scope of a system; it acts for its agency, whatever else its token holds."""
    return Scope(caller.client_id, None if NATIONAL in caller.scopes else caller.agency)


def of_person(person: SignedIn) -> Scope:
    return Scope(person.actor, person.agency)
