"""Recalls read again: to the holder whole, to an addressee its own part, to the gateway's own people all."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import UnknownError
from gateway.evidence.payloads import PayloadCipher, Payloads
from gateway.exchange.models import Recall, RecallAddressee, RecallExchange
from gateway.exchange.recall_told import Addressed, RecallTold, Role, told_of

PAGE_RECALLS: Final = 200
"""The largest page."""
STATEMENT: Final = "statement"
WAITING: Final = ("open", "disputed")
"""States of an addressee that may still acknowledge."""


class RecallReader:
    def __init__(self, database: Database, payloads: Payloads, clock: Clock) -> None:
        self._database = database
        self._payloads = payloads
        self._clock = clock

    def list(
        self, agency: str | None, role: Role, *, is_open: bool = False, before: str | None = None, limit: int = 50
    ) -> Sequence[RecallTold]:
        """List recalls, the newest first.

        Args:
            agency: whose side; None, for the gateway's own people: all that there are.
            role: as the holder, those it made; as an addressee, those it was told of.
            is_open: only those of which somebody (the addressee itself) is still to acknowledge or disputes.
            before: id of the last one of the page before.
            limit: at most so many, no more than 200; a shorter list is the last.
        """
        query = select(Recall)
        waiting = RecallAddressee.state.in_(WAITING)
        if agency is not None and role == "holder":
            query = query.where(Recall.holder == agency)
        elif agency is not None:
            mine = select(RecallAddressee.recall_id).where(RecallAddressee.agency == agency)
            query = query.where(Recall.id.in_(mine.where(waiting) if is_open else mine))
        if is_open and (role == "holder" or agency is None):
            query = query.where(Recall.id.in_(select(RecallAddressee.recall_id).where(waiting)))
        if before is not None:
            query = query.where(Recall.id < before)
        with self._database.read() as session:
            rows = session.scalars(query.order_by(Recall.id.desc()).limit(min(limit, PAGE_RECALLS))).all()
            return self._tell(session, rows, agency, None if role == "holder" else role)

    def show(self, recall_id: str, agency: str | None, role: Role | None = None) -> RecallTold:
        """Give one recall, to its holder whole, to an addressee its own part.

        Raises:
            UnknownError: there is none, or the agency is neither: the two look alike.
        """
        with self._database.read() as session:
            row = session.get(Recall, recall_id)
            [told] = self._tell(session, [row], agency, role) if row is not None else [None]
        if told is None or (agency not in {None, told.holder} and not told.addressees):
            raise UnknownError(f"no recall {recall_id}")
        return told

    def of_exchange(self, exchange_id: str, agency: str | None) -> Sequence[RecallTold]:
        """Give the recalls of the records that an exchange released, the oldest first, as one agency may see them."""
        query = select(Recall).join(RecallExchange, RecallExchange.recall_id == Recall.id)
        with self._database.read() as session:
            rows = session.scalars(query.where(RecallExchange.exchange_id == exchange_id).order_by(Recall.id)).all()
            return self.seen_by(session, rows, agency)

    def seen_by(self, session: Session, rows: Sequence[Recall], agency: str | None) -> Sequence[RecallTold]:
        """Tell what an agency made whole, and its own part of the others; None: all of it."""
        return self._tell(session, rows, agency)

    def delivered(self, agency: str, recall_ids: Sequence[str]) -> None:
        """Note that a system of an addressee has these recalls."""
        if not recall_ids:
            return
        news = and_(
            RecallAddressee.agency == agency,
            RecallAddressee.recall_id.in_(recall_ids),
            RecallAddressee.delivered_at.is_(None),
        )
        with self._database.write() as session:
            session.execute(update(RecallAddressee).where(news).values(delivered_at=self._clock()))

    def overdue(self) -> dict[str, int]:
        """Count by holder the addressees whose time has passed without a word; holders without any are left out."""
        counted = (
            select(Recall.holder, func.count())
            .join(RecallAddressee, RecallAddressee.recall_id == Recall.id)
            .where(self._late())
            .group_by(Recall.holder)
        )
        with self._database.read() as session:
            found: dict[str, int] = dict(session.execute(counted).all())
        return found

    def standing(self, agency: str) -> tuple[int, int, int]:
        """Count what an agency is to acknowledge, how much of it is overdue, and overdue answers to its own recalls."""
        count = select(func.count()).select_from(RecallAddressee)
        own = count.where(RecallAddressee.agency == agency, RecallAddressee.state == "open")
        made = select(Recall.id).where(Recall.holder == agency)
        with self._database.read() as session:
            return (
                session.scalar(own) or 0,
                session.scalar(own.where(self._late())) or 0,
                session.scalar(count.where(self._late(), RecallAddressee.recall_id.in_(made))) or 0,
            )

    def _late(self) -> ColumnElement[bool]:
        return and_(RecallAddressee.state == "open", RecallAddressee.due_at <= self._clock())

    def cipher(self, row: Recall) -> PayloadCipher:
        """Give what opens the statements of a recall."""
        return self._payloads.of(row.id, row.wrapped_key, None)

    def _tell(
        self, session: Session, rows: Sequence[Recall], agency: str | None, role: Role | None = None
    ) -> Sequence[RecallTold]:
        """Put together recalls with their addressees: all where the agency is the holder, else itself alone."""
        whole = {row.id for row in rows if agency is None or (row.holder == agency and role != "addressee")}
        partly = {row.id for row in rows} - whole

        def seen(recall_id: InstrumentedAttribute[str], whose: InstrumentedAttribute[str]) -> ColumnElement[bool]:
            return or_(recall_id.in_(whole), and_(recall_id.in_(partly), whose == agency))

        held: dict[tuple[str, str], list[str]] = {}
        exchanges = select(RecallExchange.recall_id, RecallExchange.requester, RecallExchange.exchange_id).where(
            seen(RecallExchange.recall_id, RecallExchange.requester)
        )
        for recall_id, requester, exchange_id in session.execute(exchanges.order_by(RecallExchange.exchange_id)):
            held.setdefault((recall_id, requester), []).append(exchange_id)
        told: dict[str, list[RecallAddressee]] = {}
        addressees = select(RecallAddressee).where(seen(RecallAddressee.recall_id, RecallAddressee.agency))
        for one in session.scalars(addressees.order_by(RecallAddressee.agency)):
            told.setdefault(one.recall_id, []).append(one)
        return [self._told(row, told.get(row.id, ()), held) for row in rows]

    def _told(
        self, row: Recall, addressees: Sequence[RecallAddressee], held: Mapping[tuple[str, str], Sequence[str]]
    ) -> RecallTold:
        cipher, now = self.cipher(row), self._clock()
        found = [
            Addressed(
                agency=one.agency,
                state=one.state,
                exchanges=tuple(held.get((row.id, one.agency), ())),
                due_at=one.due_at,
                delivered_at=one.delivered_at,
                acknowledged_at=one.acknowledged_at,
                action=one.action,
                acknowledgement=cipher.decrypt(signed_by(one.agency), one.acknowledgement).decode("ascii")
                if one.acknowledgement
                else None,
                is_overdue=one.state == "open" and one.due_at is not None and one.due_at <= now,
            )
            for one in addressees
        ]
        return told_of(row, cipher.decrypt(STATEMENT, row.statement), found)


def signed_by(agency: str) -> str:
    """Name the object that holds an addressee's statement."""
    return f"acknowledgement:{agency}"
