"""Recalls as auditors find them: those their agency made or was told of, all of the nation; an addressee's own part."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, true
from sqlalchemy.orm import Session

from gateway.auditor.filters import RecallFilter
from gateway.auditor.scope import Scope
from gateway.auditor.search import AT_ONCE, MOST_ROWS, Page, Search
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import UnknownError
from gateway.exchange.models import Exchange, Recall, RecallAddressee, RecallExchange
from gateway.exchange.recall_reading import RecallReader
from gateway.exchange.recall_told import RecallTold


class RecallSearch:
    def __init__(self, database: Database, reader: RecallReader, search: Search, clock: Clock) -> None:
        self._database = database
        self._search = search
        self._reader = reader
        self._clock = clock

    def page(self, scope: Scope, wanted: RecallFilter, *, after: int | None, limit: int) -> Page[RecallTold]:
        """Give one page, newest first, with the true number of all.

        Args:
            scope: whose recalls may be seen.
            wanted: the filter.
            after: `Page.after` of the page before.
            limit: at most so many, no more than 200.
        """
        limit = min(limit, MOST_ROWS)
        matches = and_(_visible(scope), *self._conditions(scope, wanted))
        with self._database.read() as session:
            items = self._newest(session, scope, matches, after, limit + 1)
            total = session.scalar(select(func.count()).select_from(Recall).where(matches)) or 0
        return Page(items[:limit], total, UUID(items[limit - 1].id).int if len(items) > limit else None)

    def every(self, scope: Scope, wanted: RecallFilter) -> Iterator[RecallTold]:
        """Give all of them, newest first, read piece by piece as they are taken."""
        matches, after = and_(_visible(scope), *self._conditions(scope, wanted)), None
        while True:
            with self._database.read() as session:
                items = self._newest(session, scope, matches, after, AT_ONCE)
            yield from items
            if len(items) < AT_ONCE:
                return
            after = UUID(items[-1].id).int

    def show(self, scope: Scope, recall_id: str) -> RecallTold:
        """Give one.

        Raises:
            UnknownError: there is none, or it is outside the scope: the two look alike.
        """
        with self._database.read() as session:
            row = session.scalar(select(Recall).where(Recall.id == recall_id, _visible(scope)))
            if row is None:
                raise UnknownError(f"no recall {recall_id}")
            [found] = self._reader.seen_by(session, [row], scope.agency)
        return found

    def _newest(
        self, session: Session, scope: Scope, matches: ColumnElement[bool], after: int | None, limit: int
    ) -> Sequence[RecallTold]:
        query = select(Recall).where(matches).order_by(Recall.id.desc()).limit(limit)
        if after is not None:
            query = query.where(Recall.id < str(UUID(int=after)))
        return self._reader.seen_by(session, session.scalars(query).all(), scope.agency)

    def _conditions(self, scope: Scope, wanted: RecallFilter) -> Iterator[ColumnElement[bool]]:
        for column, value in (
            (Recall.id, wanted.id),
            (Recall.holder, wanted.holder),
            (Recall.kind, wanted.kind),
            (Recall.record_type, wanted.record_type),
            (Recall.record_sha256, wanted.record_sha256),
        ):
            if value is not None:
                yield column == value
        if wanted.since is not None:
            yield Recall.made_at >= wanted.since
        if wanted.until is not None:
            yield Recall.made_at < wanted.until
        if wanted.given_out is not None:
            by = select(RecallExchange.recall_id).join(Exchange, Exchange.id == RecallExchange.exchange_id)
            yield Recall.id.in_(by.where(scope.exchanges(), *self._search.conditions(scope, wanted.given_out)))
        of_whom = [*self._of_addressee(wanted)]
        if of_whom:
            # By what others were told, nobody may search who may not see it.
            seen: Any = true()
            if scope.agency is not None:
                seen = or_(Recall.holder == scope.agency, RecallAddressee.agency == scope.agency)
            mine = RecallAddressee.recall_id == Recall.id
            yield select(RecallAddressee.agency).where(mine, seen, *of_whom).exists()

    def _of_addressee(self, wanted: RecallFilter) -> Iterator[ColumnElement[bool]]:
        if wanted.addressee is not None:
            yield RecallAddressee.agency == wanted.addressee
        if wanted.state == "overdue":
            yield and_(RecallAddressee.state == "open", RecallAddressee.due_at <= self._clock())
        elif wanted.state is not None:
            yield RecallAddressee.state == wanted.state


def _visible(scope: Scope) -> ColumnElement[bool]:
    if scope.agency is None:
        return true()
    told = select(RecallAddressee.recall_id).where(RecallAddressee.agency == scope.agency)
    return or_(Recall.holder == scope.agency, Recall.id.in_(told))
