"""Exchanges found again: pages with a true count, and streams without an end."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Text, and_, cast, func, not_, or_, select
from sqlalchemy.orm import Session

from gateway.audit.models import AuditEntry
from gateway.auditor.act_conditions import act_conditions
from gateway.auditor.filters import ActFilter, ExchangeFilter, SignInFilter
from gateway.auditor.hashes import RightHashes
from gateway.auditor.models import ExchangeRight, ExchangeSearch, ExchangeVersions
from gateway.auditor.scope import Scope
from gateway.db.engine import Database
from gateway.exchange.cases import CaseHashes
from gateway.exchange.models import ApprovalTask, ApprovalVerdict, Exchange

PAGE_ROWS: Final = 50
MOST_ROWS: Final = 200
AT_ONCE: Final = 1000
"""Rows that a stream reads at once."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Found:
    """One exchange as a list shows it."""

    id: str
    received_at: datetime
    requester: str
    holder: str
    client: str
    supplier: str | None
    record_type: str
    purpose: str
    legal_basis: str | None
    outcome: str
    stage: str | None
    reason: str | None
    withheld: tuple[str, ...]
    took_ms: float | None
    log_index: int | None
    is_erased: bool

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "received_at": instant(self.received_at),
            "requester": self.requester,
            "holder": self.holder,
            "client": self.client,
            "supplier": self.supplier,
            "record_type": self.record_type,
            "purpose": self.purpose,
            "legal_basis": self.legal_basis,
            "outcome": self.outcome,
            "stage": self.stage,
            "reason": self.reason,
            "withheld": list(self.withheld),
            "took_ms": self.took_ms,
            "log_index": self.log_index,
            "erased": self.is_erased,
        }


@dataclass(frozen=True, slots=True)
class Act:
    """One act or sign-in as a list shows it."""

    id: str
    at: datetime
    actor: str
    act: str
    subject: str
    detail: dict[str, Any]
    log_index: int | None

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "at": instant(self.at),
            "actor": self.actor,
            "act": self.act,
            "subject": self.subject,
            "detail": self.detail,
            "log_index": self.log_index,
        }


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    items: Sequence[Item]
    total: int
    """Of the whole filter, counted, not estimated."""
    after: int | None
    """Where the next page begins; None on the last."""


class Search:
    def __init__(self, database: Database, cases: CaseHashes, rights: RightHashes) -> None:
        self._database = database
        self._cases = cases
        self._rights = rights

    def exchanges(self, scope: Scope, wanted: ExchangeFilter, *, after: int | None, limit: int) -> Page[Found]:
        """Give one page, newest first.

        Args:
            scope: whose exchanges may be seen.
            wanted: the filter.
            after: `Page.after` of the page before.
            limit: at most so many, no more than 200.
        """
        page = self.rows(scope, self.conditions(scope, wanted), after=after, limit=limit)
        return Page([_found(row) for row in page.items], page.total, page.after)

    def every_exchange(self, scope: Scope, wanted: ExchangeFilter) -> Iterator[Found]:
        """Give all of them, newest first, read piece by piece as they are taken."""
        for rows in self.every_row(scope, self.conditions(scope, wanted)):
            yield from map(_found, rows)

    def rows(
        self,
        scope: Scope,
        conditions: Iterable[ColumnElement[bool]],
        *,
        after: int | None,
        limit: int,
        but: ColumnElement[bool] | None = None,
    ) -> Page[Any]:
        """Give one page of rows, each an exchange with what is noted of it, as `exchanges`.

        Args:
            scope: whose exchanges may be seen.
            conditions: what each fulfils.
            after: `Page.after` of the page before.
            limit: at most so many, no more than 200.
            but: few that are left out: they are counted apart, since an index finds them and not the others.
        """
        limit, conditions = min(limit, MOST_ROWS), list(conditions)
        wanted = conditions if but is None else [*conditions, not_(but)]
        counted = select(func.count()).select_from(Exchange).where(*conditions)
        with self._database.read() as session:
            rows = _newest(session, scope, wanted, after, limit + 1)
            total = sum(session.scalar(counted.where(side)) or 0 for side in scope.sides())
            if but is not None:
                total -= sum(session.scalar(counted.where(side, but)) or 0 for side in scope.sides())
        last = rows[limit - 1][0] if len(rows) > limit else None
        return Page(rows[:limit], total, None if last is None else _position(last.received_at, last.id))

    def every_row(self, scope: Scope, conditions: Iterable[ColumnElement[bool]]) -> Iterator[Sequence[Any]]:
        """Give all such rows piece by piece, as they are taken."""
        conditions, after = list(conditions), None
        while True:
            with self._database.read() as session:
                rows = _newest(session, scope, conditions, after, AT_ONCE)
            yield rows
            if len(rows) < AT_ONCE:
                return
            after = _position(rows[-1][0].received_at, rows[-1][0].id)

    def acts(self, scope: Scope, wanted: ActFilter | SignInFilter, *, after: int | None, limit: int) -> Page[Act]:
        """Give one page of acts, or of sign-ins alone, newest first, as `exchanges`."""
        limit = min(limit, MOST_ROWS)
        matches = and_(scope.acts(), *act_conditions(wanted))
        query = _newest_first(select(AuditEntry).where(matches), AuditEntry.at, AuditEntry.id, after).limit(limit + 1)
        with self._database.read() as session:
            rows = session.scalars(query).all()
            total = session.scalar(select(func.count()).select_from(AuditEntry).where(matches)) or 0
        items = [_act(row) for row in rows[:limit]]
        last = items[-1] if len(rows) > limit else None
        return Page(items, total, None if last is None else _position(last.at, last.id))

    def every_act(self, scope: Scope, wanted: ActFilter | SignInFilter) -> Iterator[Act]:
        """Give all of them, newest first, read piece by piece as they are taken."""
        matches, after = and_(scope.acts(), *act_conditions(wanted)), None
        while True:
            query = _newest_first(select(AuditEntry).where(matches), AuditEntry.at, AuditEntry.id, after).limit(AT_ONCE)
            with self._database.read() as session:
                items = [_act(row) for row in session.scalars(query)]
            yield from items
            if len(items) < AT_ONCE:
                return
            after = _position(items[-1].at, items[-1].id)

    def conditions(self, scope: Scope, wanted: ExchangeFilter) -> Iterator[ColumnElement[bool]]:
        """Say of an exchange what the filter wants; of officers only the holder's and the nation's know."""
        for column, value in (
            (Exchange.id, wanted.id),
            (Exchange.requester, wanted.requester),
            (Exchange.holder, wanted.holder),
            (Exchange.client_id, wanted.client),
            (Exchange.record_type, wanted.record_type),
            (Exchange.record_sha256, wanted.record_sha256),
            (Exchange.purpose, wanted.purpose),
            (Exchange.reason, wanted.reason),
            (Exchange.case_hash, self._cases.of(wanted.case) if wanted.case else None),
        ):
            if value is not None:
                yield column == value
        if wanted.outcome:
            yield Exchange.state.in_(wanted.outcome)
        if wanted.since is not None:
            yield Exchange.received_at >= wanted.since
        if wanted.until is not None:
            yield Exchange.received_at < wanted.until
        if wanted.right is not None:
            mine = ExchangeRight.right_hash == self._rights.of(wanted.right)
            yield Exchange.id.in_(select(ExchangeRight.exchange_id).where(mine))
        noted = select(ExchangeSearch.exchange_id)
        if wanted.legal_basis is not None:
            yield Exchange.id.in_(
                noted.where(ExchangeSearch.legal_basis.icontains(wanted.legal_basis, autoescape=True))
            )
        if wanted.book is not None:
            yield Exchange.id.in_(noted.where(ExchangeSearch.book.startswith(wanted.book)))
        yield from _by_whom_and_by_what(scope, wanted)
        if wanted.withheld is not None:
            yield Exchange.id.in_(
                noted.where(cast(ExchangeSearch.withheld, Text).contains(f'"{wanted.withheld}"', autoescape=True))
            )


def _by_whom_and_by_what(scope: Scope, wanted: ExchangeFilter) -> Iterator[ColumnElement[bool]]:
    """Match the person who asked or decided, and the version of policies."""
    noted = select(ExchangeSearch.exchange_id)
    if wanted.person is not None:
        officers = {wanted.person, f"person:{wanted.person}"}
        decided = select(ApprovalTask.exchange_id).join(ApprovalVerdict, ApprovalVerdict.task_id == ApprovalTask.id)
        of_officer = Exchange.id.in_(decided.where(ApprovalVerdict.actor.in_(officers)))
        yield or_(
            Exchange.id.in_(noted.where(ExchangeSearch.person == wanted.person)),
            of_officer if scope.agency is None else and_(Exchange.holder == scope.agency, of_officer),
        )
    if wanted.policy_version is not None:
        tiers = (ExchangeVersions.guardrail, ExchangeVersions.holder, ExchangeVersions.egress)
        named = select(ExchangeVersions.id).where(or_(*(tier == wanted.policy_version for tier in tiers)))
        yield Exchange.id.in_(noted.where(ExchangeSearch.versions.in_(named)))


def instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _newest(
    session: Session, scope: Scope, conditions: Sequence[ColumnElement[bool]], after: int | None, limit: int
) -> list[Any]:
    """Read the newest exchanges of each side by its own index, and give the newest of all."""
    rows: list[Any] = []
    for side in scope.sides():
        query = _newest_first(_EXCHANGES.where(side, *conditions), Exchange.received_at, Exchange.id, after)
        rows += session.execute(query.limit(limit)).all()
    rows.sort(key=lambda row: (row[0].received_at, row[0].id), reverse=True)
    return rows[:limit]


def _newest_first(query: Any, at: Any, name: Any, after: int | None) -> Any:
    if after is not None:
        moment, last = _EPOCH + timedelta(microseconds=after >> 128), str(UUID(int=after & ((1 << 128) - 1)))
        query = query.where(at <= moment, or_(at < moment, name < last))  # the first part is what an index begins with
    return query.order_by(at.desc(), name.desc())


def _position(at: datetime, name: str) -> int:
    """Pack time and id into one number: what a cursor holds."""
    microseconds = (at - _EPOCH) // timedelta(microseconds=1)
    return (microseconds << 128) | UUID(name).int


_EXCHANGES = select(Exchange, ExchangeSearch.legal_basis, ExchangeSearch.withheld).join(
    ExchangeSearch, ExchangeSearch.exchange_id == Exchange.id, isouter=True
)


def _found(row: Any) -> Found:
    exchange, legal_basis, withheld = row
    return Found(
        id=exchange.id,
        received_at=exchange.received_at,
        requester=exchange.requester,
        holder=exchange.holder,
        client=exchange.client_id,
        supplier=(exchange.acts_as or {}).get("supplier"),
        record_type=exchange.record_type,
        purpose=exchange.purpose,
        legal_basis=legal_basis,
        outcome=exchange.state,
        stage=exchange.stage,
        reason=exchange.reason,
        withheld=tuple(withheld or ()),
        took_ms=round(sum(exchange.timing_ms.values()), 1) if exchange.timing_ms else None,
        log_index=exchange.log_index,
        is_erased=exchange.erased_at is not None,
    )


def _act(row: AuditEntry) -> Act:
    return Act(row.id, row.at, row.actor, row.act, row.subject, dict(row.detail), row.log_index)
