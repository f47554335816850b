"""A data subject's request: who read records about one person; what an order seals is hidden until its date."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import aliased

from gateway.audit.service import AuditTrail
from gateway.auditor.models import ExchangeParty, ExchangeSeal, ExchangeSearch
from gateway.auditor.scope import Scope
from gateway.auditor.search import instant
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError, UnknownError
from gateway.exchange.models import Exchange, Recall, RecallExchange
from gateway.records.facts import PartyKeys

IDENTIFIER_CHARACTERS: Final = 255


@dataclass(frozen=True, slots=True)
class Read:
    """One time that a record about the person was handed over."""

    at: datetime
    exchange: str
    requester: str
    holder: str
    record_type: str
    purpose: str
    legal_basis: str | None

    def document(self) -> dict[str, Any]:
        return {
            "at": instant(self.at),
            "exchange": self.exchange,
            "requester": self.requester,
            "holder": self.holder,
            "record_type": self.record_type,
            "purpose": self.purpose,
            "legal_basis": self.legal_basis,
        }


class Subjects:
    def __init__(self, database: Database, parties: PartyKeys, audit: AuditTrail, clock: Clock) -> None:
        self._database = database
        self._parties = parties
        self._audit = audit
        self._clock = clock

    def readers(self, scope: Scope, identifier: str) -> Sequence[Read]:
        """List who was given records about a person, newest first, as it may be told to that person today.

        An exchange under an order is left out until its date; one of a record that was sealed, then or since, until
        such an order has named a date and that is past, or the holder has unsealed what it sealed since. The look is
        an act of the log, with the key of the person, not the number.

        Args:
            scope: whose exchanges may be seen.
            identifier: a number of the person as records write it: `CN.uscc:91…`, or `<holder>:<own number>`.

        Raises:
            InvalidInputError: there is no number.
        """
        identifier = identifier.strip()
        if not 0 < len(identifier) <= IDENTIFIER_CHARACTERS:
            raise InvalidInputError([Fault("/identifier", "length", f"1 to {IDENTIFIER_CHARACTERS} characters")])
        key, now = self._parties.of(identifier), self._clock()
        never_sealed = and_(
            ExchangeSeal.exchange_id.is_(None), ExchangeParty.is_sealed.is_(False), Exchange.id.not_in(_sealed_since())
        )
        open_now = or_(never_sealed, ExchangeSeal.until <= now)
        query = (
            select(Exchange, ExchangeSearch.legal_basis)
            .join(ExchangeParty, ExchangeParty.exchange_id == Exchange.id)
            .join(ExchangeSeal, ExchangeSeal.exchange_id == Exchange.id, isouter=True)
            .join(ExchangeSearch, ExchangeSearch.exchange_id == Exchange.id, isouter=True)
            .where(ExchangeParty.party == key, open_now, scope.exchanges())
            .order_by(Exchange.received_at.desc(), Exchange.id.desc())
        )
        with self._database.write() as session:
            found = [
                Read(row.received_at, row.id, row.requester, row.holder, row.record_type, row.purpose, legal_basis)
                for row, legal_basis in session.execute(query)
            ]
            self._audit.record(session, scope.actor, "audit.subject", f"party:{key[:32]}", {"found": len(found)})
        return found

    def seal(self, exchange_id: str, *, until: datetime, order: str, actor: str) -> None:
        """Hide an exchange from the persons whom it is about until a date; a later order replaces an earlier one.

        Raises:
            UnknownError: there is no such exchange.
            InvalidInputError: the order has no number.
        """
        if not order.strip():
            raise InvalidInputError([Fault("/order", "missing", "the number of the order")])
        with self._database.write() as session:
            if session.get(Exchange, exchange_id) is None:
                raise UnknownError(f"no exchange {exchange_id}")
            session.merge(
                ExchangeSeal(exchange_id=exchange_id, until=until, order=order, actor=actor, at=self._clock())
            )
            detail = {"until": instant(until), "order": order}
            self._audit.record(session, actor, "exchange.sealed", exchange_id, detail)


def _sealed_since() -> Select[str]:
    """Select the exchanges whose record its holder sealed after it had gone out, and has not unsealed."""
    lifting = aliased(Recall)
    lifted = select(lifting.id).where(
        lifting.record_sha256 == Recall.record_sha256, lifting.kind == "unsealed", lifting.id > Recall.id
    )
    return (
        select(RecallExchange.exchange_id)
        .join(Recall, Recall.id == RecallExchange.recall_id)
        .where(Recall.kind == "sealed", ~lifted.exists())
    )
