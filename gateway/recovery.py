"""After a crash: exchanges that were filed and never finished are closed as failed, so that no call stays open."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.exchange.journal import Journal
from gateway.exchange.models import RECEIVED, Exchange
from gateway.exchange.outcomes import Failed


class Recovery:
    """Closes what a crash left open. A worker that is only slow loses the race for the log entry, and says the same."""

    def __init__(self, database: Database, journal: Journal, clock: Clock, node: str) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._node = node

    def close_overdue(self) -> int:
        """Close the exchanges of all nodes whose time is up. Returns how many."""
        return self._close(Exchange.deadline_at < self._clock())

    def close_own(self) -> int:
        """Close every open exchange of this node: before its first worker starts, none of them can be running."""
        return self._close(Exchange.node == self._node)

    def _close(self, condition: Any) -> int:
        closed = 0
        for exchange_id in self._open(condition):
            self._journal.close(self._journal.reopen(exchange_id), Failed("log", "interrupted"), None)
            closed += 1
        return closed

    def _open(self, condition: Any) -> Iterator[str]:
        with self._database.read() as session:
            yield from session.scalars(select(Exchange.id).where(Exchange.state == RECEIVED, condition)).all()
