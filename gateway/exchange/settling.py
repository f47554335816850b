"""How pending exchanges end: decided afresh once enough was granted; else refused, expired, void or withdrawn.

Any number of processes may settle one exchange at once: its final receipt is a leaf that the log takes once.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import ColumnElement, Connection, select, update

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import GatewayError, UnknownError
from gateway.evidence.errors import ErasedError
from gateway.exchange.errors import IllegalTransitionError, InFlightError
from gateway.exchange.finished import Finished
from gateway.exchange.journal import Journal
from gateway.exchange.models import IS_PENDING, PENDING, RECEIVED, ApprovalTask, Exchange, ExchangePayload
from gateway.exchange.outcomes import Denied, Outcome, Pending, Withdrawn
from gateway.exchange.readers import Reader
from gateway.exchange.resumption import VOID, Resumption, Waited
from gateway.exchange.steps import Listener, Step, Stopwatch
from gateway.exchange.stored_answer import WAITING, read_pending
from gateway.governance.books import BookInForce

log = structlog.get_logger(__name__)

GRACE: Final = timedelta(seconds=30)
"""How long whoever granted last has to settle the exchange before a worker does."""
SETTLED_AT_ONCE: Final = 100

REFUSED: Final = "approval_refused"
EXPIRED: Final = "approval_expired"
_ENDS_AS: Final = {"refused": REFUSED, "expired": EXPIRED, "void": VOID}


class Settling:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        resumption: Resumption,
        clock: Clock,
        *,
        listener: Listener | None,
        holder_seconds: float,
    ) -> None:
        self._database = database
        self._journal = journal
        self._resumption = resumption
        self._clock = clock
        self._listener = listener
        self._holder_seconds = holder_seconds

    def settle(self, exchange_id: str) -> None:
        """End a pending exchange if what officers have said so far suffices; the same again changes nothing.

        Raises:
            LogUnavailableError: it cannot be logged; it stays pending and is settled later.
        """
        with self._database.read() as session:
            row = session.get_one(Exchange, exchange_id)
            tasks = session.scalars(select(ApprovalTask).where(ApprovalTask.exchange_id == exchange_id)).all()
        if row.state != PENDING:
            return
        waited = self.waited(exchange_id)
        granted = frozenset(task.approval for task in tasks if task.state == "granted")
        reached = [names for names in waited.pending.approvals if granted.issuperset(names)]
        watch = Stopwatch(self._listener, holder_seconds=self._holder_seconds)
        if reached:
            using = frozenset(reached[0])
            narrowed = [frozenset(task.groups) for task in tasks if task.approval in using]
            books = self._resumption.consulted()
            outcome = self._resumption.decide(waited, using, frozenset.intersection(*narrowed), books, watch)
            self._close(exchange_id, outcome, watch, books.last)
        elif (reason := _failing(waited.pending, tasks)) is not None:
            self._close(exchange_id, Denied(reason, waited.pending.withheld), watch)

    def withdraw(self, exchange_id: str, reader: Reader) -> Finished:
        """Take a pending request back, for the agency that made it.

        Raises:
            UnknownError: there is no such exchange of this agency.
            IllegalTransitionError: it is over.
            InFlightError: it has no outcome at all yet.
        """
        with self._database.read() as session:
            found = session.scalar(select(Exchange.state).where(Exchange.id == exchange_id, reader.side("requester")))
        if found is None:
            raise UnknownError(f"no exchange {exchange_id}")
        if found == RECEIVED:
            raise InFlightError(exchange_id)
        finished = self._close(exchange_id, Withdrawn(), None) if found == PENDING else None
        if finished is None or finished.outcome != "withdrawn":
            raise IllegalTransitionError(f"exchange {exchange_id} is over")
        return finished

    def go_round(self) -> int:
        """End what ran out of time, and settle what a crash left. Returns how many exchanges were looked at."""
        due = [
            *self._found(Exchange.deadline_at <= self._clock()),
            *self._found(
                Exchange.id.in_(
                    select(ApprovalTask.exchange_id).where(
                        ApprovalTask.state != "open", ApprovalTask.changed_at < self._clock() - GRACE
                    )
                )
            ),
        ]
        for exchange_id in dict.fromkeys(due):
            try:
                self.settle(exchange_id)
                self._expire(exchange_id)
            except GatewayError as error:
                log.warning("pending exchange not settled", exchange=exchange_id, error=type(error).__name__)
        return len(due)

    def waited(self, exchange_id: str) -> Waited:
        """Give what a pending exchange waits for, and who asked; also once it is over.

        Raises:
            ErasedError: it was erased.
        """
        with self._database.read() as session:
            row = session.get_one(Exchange, exchange_id)
            kept = session.get(ExchangePayload, (exchange_id, WAITING))
        if kept is None or row.wrapped_key is None:
            raise ErasedError(f"exchange {exchange_id} was erased", receipt=row.receipt)
        filed = self._journal.reopen(exchange_id)
        return Waited(
            request=filed.request,
            client_id=row.client_id,
            requester=row.requester,
            supplier=(row.acts_as or {}).get("supplier"),
            pending=read_pending(filed.cipher.decrypt(WAITING, kept.ciphertext)),
            cipher=filed.cipher,
        )

    def _expire(self, exchange_id: str) -> None:
        """Deny what is still pending after its time; what was granted in time has been settled before."""
        with self._database.read() as session:
            row = session.get_one(Exchange, exchange_id)
        if row.state == PENDING and row.deadline_at <= self._clock():
            self._close(exchange_id, Denied(EXPIRED, self.waited(exchange_id).pending.withheld), None)

    def _found(self, condition: ColumnElement[bool]) -> Sequence[str]:
        query = select(Exchange.id).where(IS_PENDING, condition)
        with self._database.read() as session:
            return session.scalars(query.order_by(Exchange.deadline_at).limit(SETTLED_AT_ONCE)).all()

    def _close(
        self, exchange_id: str, outcome: Outcome, watch: Stopwatch | None, by: BookInForce | None = None
    ) -> Finished:
        filed = self._journal.reopen(exchange_id)
        if watch is not None:
            watch.reached(Step.REDACT)
        also = _ending_tasks(exchange_id, outcome, self._clock)
        finished = self._journal.close(filed, outcome, watch, also, by=by)
        if watch is not None:
            watch.reached(Step.LOG)
        return finished


def _failing(pending: Pending, tasks: Sequence[ApprovalTask]) -> str | None:
    """Say why no set of approvals can be reached any more; None while one can."""
    ended = {task.approval: task for task in tasks if task.state in _ENDS_AS}
    if any(ended.keys().isdisjoint(names) for names in pending.approvals):
        return None
    newest = max(ended.values(), key=lambda task: (task.changed_at, task.id))
    return _ENDS_AS[newest.state]


def _ending_tasks(exchange_id: str, outcome: Outcome, clock: Clock) -> Callable[[Connection], None]:
    """Give what ends the tasks of an exchange in the transaction that ends it; those nobody needs any more are void."""
    if isinstance(outcome, Withdrawn):
        state = "withdrawn"
    elif isinstance(outcome, Denied) and outcome.reason == EXPIRED:
        state = "expired"
    else:
        state = "void"
    is_void = isinstance(outcome, Denied) and outcome.reason == VOID
    statement = (
        update(ApprovalTask)
        .where(
            ApprovalTask.exchange_id == exchange_id,
            ApprovalTask.state.in_(("open", "granted") if is_void else ("open",)),
        )
        .values(state=state, version=ApprovalTask.version + 1, changed_at=clock())
    )

    def write(connection: Connection) -> None:
        connection.execute(statement)

    return write
