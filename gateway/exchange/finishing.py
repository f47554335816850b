"""Writing how an exchange ended: what its row and its payloads get in the transaction of its log entry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Final, cast

from sqlalchemy import JSON, Connection, String, Table, bindparam, or_, select, text, update
from sqlalchemy.exc import IntegrityError

from gateway.clock import Clock
from gateway.db.base import UtcDateTime
from gateway.db.group_commit import Joint, NotTogetherError
from gateway.db.postgres import outgrown
from gateway.db.prepared import Prepared, in_one_go
from gateway.evidence.models import LogEntry
from gateway.exchange.errors import LostRaceError, RecalledMeanwhileError
from gateway.exchange.filing import INSERT_PAYLOAD
from gateway.exchange.large_records import LARGE_BYTES
from gateway.exchange.models import Exchange
from gateway.exchange.steps import Stopwatch
from ipx.values import value

_EXCHANGE = cast("Table", Exchange.__table__)
_NEW: Final = (
    *("state", "stage", "reason", "finished_at", "timing_ms", "receipt", "salt"),
    *("pending_receipt", "pending_salt"),
)
"""Columns that the end of an exchange gives it."""

_LOG_INDEX = select(LogEntry.idx).where(LogEntry.step_id == bindparam("step")).scalar_subquery()
"""Of the leaf that was appended in the same transaction."""

_FINISH_ONE = (
    update(_EXCHANGE)
    .where(
        _EXCHANGE.c.id == bindparam("exchange"),
        _EXCHANGE.c.state == bindparam("old_state"),
        # A recall marks open exchanges while it holds the log, as this does: none slips through between the two.
        or_(_EXCHANGE.c.recalled_at.is_(None), bindparam("ends_as", type_=String) != "released"),
    )
    .values({name: bindparam(f"new_{name}") for name in _NEW} | {"log_index": _LOG_INDEX})
)
_FINISH = Prepared(_FINISH_ONE)

_IS_OPEN = Prepared(
    select(_EXCHANGE.c.id).where(_EXCHANGE.c.id == bindparam("exchange"), _EXCHANGE.c.state == bindparam("old_state"))
)

_ENDED: Final = ("exchange", "step", "old_state", *(f"new_{name}" for name in _NEW))
_SET: Final = ", ".join(f"{name} = ended.column{_ENDED.index(f'new_{name}') + 1}" for name in _NEW)
_FINISH_EACH = Prepared(
    {
        "sqlite": text(  # which names the columns of VALUES column1, column2, ...
            f"UPDATE exchange SET {_SET}, log_index = (SELECT idx FROM log_entry WHERE step_id = ended.column2) "  # noqa: S608  (our own names)
            f"FROM (VALUES ({', '.join(f':{name}' for name in _ENDED)})) AS ended "
            "WHERE exchange.id = ended.column1 AND exchange.state = ended.column3 "
            "AND (exchange.recalled_at IS NULL OR ended.column4 <> 'released')"
        ).bindparams(bindparam("new_finished_at", type_=UtcDateTime), bindparam("new_timing_ms", type_=JSON)),
        "postgresql": _FINISH_ONE,
    }
)
"""`_FINISH` for several exchanges: they cost PostgreSQL least one by one, sent in one go."""


@value
class Finish(Joint[None]):
    """How one exchange ended.

    Args:
        exchange_id: of an exchange that is open.
        step: of the leaf.
        clock: says when.
        watch: times its steps; it runs until the row is written.
        row: what its row gets, by parameter of the statement.
        payloads: rows with what is kept of the answer.
        also: writes what belongs to the outcome beside the row; statements only.
    """

    exchange_id: str
    step: str
    clock: Clock
    watch: Stopwatch | None
    row: Mapping[str, Any]
    payloads: Sequence[Mapping[str, Any]]
    also: Callable[[Connection], None] | None
    timing: dict[str, float] = field(default_factory=dict)
    """What the row says of the time that each step took, in milliseconds."""

    def __call__(self, connection: Connection) -> None:
        """Write it alone.

        Raises:
            RecalledMeanwhileError: it may not end with a release any more.
            LostRaceError: the exchange was closed meanwhile.
        """
        values = self.values()
        if _FINISH.run(connection, values) != 1:
            if _IS_OPEN.first(connection, {name: values[name] for name in ("exchange", "old_state")}) is not None:
                raise RecalledMeanwhileError(self.exchange_id)
            raise LostRaceError(self.exchange_id)
        INSERT_PAYLOAD.run_at_once(connection, self.payloads)
        if sum(len(payload["ciphertext"]) for payload in self.payloads) > LARGE_BYTES:
            outgrown(connection)
        if self.also is not None:
            self.also(connection)

    @classmethod
    def together(cls, connection: Connection, writes: "Sequence[Finish]") -> Sequence[None]:
        """Write how several ended, all of them still open: otherwise nothing is written."""
        payloads = [row for finish in writes for row in finish.payloads]
        try:
            with in_one_go(connection):
                ended = _FINISH_EACH.queue_at_once(connection, [finish.values() for finish in writes])
                INSERT_PAYLOAD.queue_at_once(connection, payloads)
        except IntegrityError as error:  # one that was closed meanwhile has its payloads already
            raise NotTogetherError from error
        if ended() != len(writes):
            raise NotTogetherError
        if sum(len(payload["ciphertext"]) for payload in payloads) > LARGE_BYTES:
            outgrown(connection)
        for finish in writes:
            if finish.also is not None:
                finish.also(connection)
        return [None] * len(writes)

    def values(self) -> dict[str, Any]:
        """Give what its row gets, by parameter of the statement; called when it is about to be written."""
        self.timing.clear()
        if self.watch is not None:
            self.timing.update(self.watch.spent_ms())
            self.timing["log"] = round(self.timing.get("log", 0.0) + self.watch.running_ms(), 3)
        return {
            "exchange": self.exchange_id,
            "step": self.step,
            "ends_as": self.row["new_state"],
            "new_finished_at": self.clock(),
            "new_timing_ms": self.timing,
            **self.row,
        }
