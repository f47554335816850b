"""Decisions found again: what policies said of each request, and what officers did, newest first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import not_, select
from sqlalchemy.orm import Session

from gateway.auditor.filters import ExchangeFilter
from gateway.auditor.receipts import payload_of
from gateway.auditor.scope import Scope
from gateway.auditor.search import Page, Search, instant
from gateway.db.engine import Database
from gateway.exchange.models import RECEIVED, ApprovalTask, ApprovalVerdict, Exchange

DECIDED: Final = ("released", "denied", "pending", "withdrawn")
"""What a decision can have come to: what failed was not decided."""
_UNDECIDED: Final = Exchange.state.in_((RECEIVED, "failed"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one officer of the holder said."""

    at: datetime
    approval: str
    verdict: str
    reason: str
    officer: str | None
    """None where it is not told: only the holder's auditors and those of the whole nation read who it was."""

    def document(self) -> dict[str, Any]:
        return {
            "at": instant(self.at),
            "approval": self.approval,
            "verdict": self.verdict,
            "reason": self.reason,
            "officer": self.officer,
        }


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision as a list shows it; the newest of an exchange that was pending."""

    exchange: str
    received_at: datetime
    decided_at: datetime | None
    requester: str
    holder: str
    record_type: str
    purpose: str
    outcome: str
    stage: str | None
    reason: str | None
    policies: Mapping[str, str]
    """Tier → version, of those that were asked, as the receipt names them."""
    book: str | None
    withheld: Sequence[Mapping[str, Any]]
    """`group`, `reason`, `policy`, as the receipt has them."""
    verdicts: Sequence[Verdict]
    log_index: int | None

    def document(self) -> dict[str, Any]:
        return {
            "exchange": self.exchange,
            "received_at": instant(self.received_at),
            "decided_at": None if self.decided_at is None else instant(self.decided_at),
            "requester": self.requester,
            "holder": self.holder,
            "record_type": self.record_type,
            "purpose": self.purpose,
            "outcome": self.outcome,
            "stage": self.stage,
            "reason": self.reason,
            "policies": dict(self.policies),
            "book": self.book,
            "withheld": [dict(one) for one in self.withheld],
            "verdicts": [one.document() for one in self.verdicts],
            "log_index": self.log_index,
        }


class DecisionSearch:
    def __init__(self, database: Database, search: Search) -> None:
        self._database = database
        self._search = search

    def page(self, scope: Scope, wanted: ExchangeFilter, *, after: int | None, limit: int) -> Page[Decided]:
        """Give one page of decisions, as `Search.exchanges` gives exchanges."""
        conditions = self._search.conditions(scope, wanted)
        page = self._search.rows(scope, conditions, after=after, limit=limit, but=_UNDECIDED)
        return Page(self._decided(scope, page.items), page.total, page.after)

    def every(self, scope: Scope, wanted: ExchangeFilter) -> Iterator[Decided]:
        """Give all of them, newest first, read piece by piece as they are taken."""
        for rows in self._search.every_row(scope, (not_(_UNDECIDED), *self._search.conditions(scope, wanted))):
            yield from self._decided(scope, rows)

    def _decided(self, scope: Scope, rows: Sequence[Any]) -> list[Decided]:
        exchanges: list[Exchange] = [row[0] for row in rows]
        with self._database.read() as session:
            verdicts = verdicts_of(session, scope, exchanges)
        return [_decided(one, verdicts.get(one.id, ())) for one in exchanges]


def verdicts_of(session: Session, scope: Scope, exchanges: Sequence[Exchange]) -> Mapping[str, Sequence[Verdict]]:
    """Find what officers said of exchanges, by exchange, the oldest first."""
    holders = {one.id: one.holder for one in exchanges}
    query = (
        select(ApprovalTask.exchange_id, ApprovalTask.approval, ApprovalVerdict)
        .join(ApprovalVerdict, ApprovalVerdict.task_id == ApprovalTask.id)
        .where(ApprovalTask.exchange_id.in_(holders))
        .order_by(ApprovalVerdict.at, ApprovalVerdict.actor)
    )
    found: dict[str, list[Verdict]] = {}
    for exchange_id, approval, said in session.execute(query):
        officer = said.actor if scope.agency in (None, holders[exchange_id]) else None
        verdict = Verdict(said.at, approval, said.verdict, said.reason_code, officer)
        found.setdefault(exchange_id, []).append(verdict)
    return found


def _decided(row: Exchange, verdicts: Sequence[Verdict]) -> Decided:
    receipt = payload_of(row.receipt) if row.receipt else {}
    policies, withheld, book = (receipt.get(name) for name in ("policies", "withheld", "book"))
    return Decided(
        exchange=row.id,
        received_at=row.received_at,
        decided_at=row.finished_at,
        requester=row.requester,
        holder=row.holder,
        record_type=row.record_type,
        purpose=row.purpose,
        outcome=row.state,
        stage=row.stage,
        reason=row.reason,
        policies={tier: str(version) for tier, version in policies.items()} if isinstance(policies, dict) else {},
        book=str(book) if book else None,
        withheld=[one for one in withheld if isinstance(one, dict)] if isinstance(withheld, list) else [],
        verdicts=verdicts,
        log_index=row.log_index,
    )
