"""Each agency's own side of the exchanges it took part in, in the order of the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, func, select

from gateway.db.engine import Database
from gateway.evidence.models import LogEntry, LogShard
from gateway.exchange.cases import CaseHashes
from gateway.exchange.models import Exchange
from gateway.exchange.readers import Reader, Side
from ipx.encoding import b64url

PAGE_ROWS: Final = 200
"""The largest page."""


@dataclass(frozen=True, slots=True)
class Line:
    """One exchange as both of its parties may see it at any time: its receipt, and what ties that to the log."""

    exchange_id: str
    client_id: str
    requester: str
    holder: str
    record_type: str
    purpose: str
    outcome: str
    received_at: datetime
    receipt: str
    log_index: int
    """Its place among the entries of all shards."""
    first: int
    """The place at which the shard begins in whose tree its leaf stands; the receipt names that log."""
    entry: bytes
    salt: bytes | None
    """None once the exchange was erased: from then on nothing ties the receipt to the log."""
    erased_at: datetime | None
    answer_expired_at: datetime | None
    recalled_at: datetime | None

    @property
    def answer(self) -> str:
        """What is left of the answer: `kept recalled expired erased`."""
        if self.erased_at:
            return "erased"
        if self.recalled_at and self.outcome == "released":
            return "recalled"
        return "expired" if self.answer_expired_at else "kept"

    def document(self) -> dict[str, Any]:
        log = None
        if self.salt is not None:
            log = {"index": self.log_index - self.first, "entry": self.entry.decode("ascii"), "salt": b64url(self.salt)}
        return {
            "id": self.exchange_id,
            "client": self.client_id,
            "requester": self.requester,
            "holder": self.holder,
            "record_type": self.record_type,
            "purpose": self.purpose,
            "outcome": self.outcome,
            "received_at": _instant(self.received_at),
            "receipt": self.receipt,
            "log": log,
            "answer": self.answer,
            "erased_at": _instant(self.erased_at),
        }


@dataclass(frozen=True, slots=True)
class Page:
    lines: Sequence[Line]
    is_last: bool

    @property
    def end(self) -> int:
        """Where the next page begins."""
        return self.lines[-1].log_index


class MutualLog:
    def __init__(self, database: Database, cases: CaseHashes) -> None:
        self._database = database
        self._cases = cases

    def page(self, reader: Reader, side: Side, *, case_ref: str | None, after: int, limit: int) -> Page:
        """Give the finished exchanges in which a reader was on one side, in the order of the log.

        A line is given its place while the log is locked: whoever has read up to one has missed none before it.

        Args:
            reader: whose.
            side: the one the reader was on.
            case_ref: only those of this case, as it was written in the requests.
            after: log index behind which the page begins.
            limit: at most so many, no more than 200.
        """
        query = (
            select(Exchange, LogEntry.entry, _FIRST)
            .join(LogEntry, LogEntry.idx == Exchange.log_index)
            .where(reader.side(side), Exchange.log_index > after)
            .order_by(Exchange.log_index)
            .limit(min(limit, PAGE_ROWS) + 1)
        )
        if case_ref is not None:
            query = query.where(Exchange.case_hash == self._cases.of(case_ref))
        with self._database.read() as session:
            found = session.execute(query).all()
        return Page([_line(row) for row in found[:limit]], len(found) <= limit)


_FIRST = select(func.max(LogShard.first)).where(LogShard.first <= Exchange.log_index).scalar_subquery()


def _line(row: Row[Exchange, bytes, int]) -> Line:
    exchange, entry, first = row
    return Line(
        exchange_id=exchange.id,
        client_id=exchange.client_id,
        requester=exchange.requester,
        holder=exchange.holder,
        record_type=exchange.record_type,
        purpose=exchange.purpose,
        outcome=exchange.state,
        received_at=exchange.received_at,
        receipt=exchange.receipt or "",
        log_index=exchange.log_index or 0,
        first=first,
        entry=entry,
        salt=exchange.salt,
        erased_at=exchange.erased_at,
        answer_expired_at=exchange.answer_expired_at,
        recalled_at=exchange.recalled_at,
    )


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")
