"""The order of the log: leaves of this process's threads are committed in batches, then published, each on a thread.

While the checkpoint of one batch is being published the next one commits: on a disk both wait for a flush.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.exc import DBAPIError

from gateway.db.company import Company, Crowd
from gateway.errors import StoreUnavailableError
from gateway.evidence.edge import Edge
from gateway.evidence.errors import LogForkedError, LogUnavailableError
from gateway.evidence.leaf import Leaf
from gateway.evidence.queue_thread import QueueThread
from gateway.settled import Settled
from ipx.values import value

UNAVAILABLE: Final = (LogUnavailableError, StoreUnavailableError, DBAPIError)
"""What a database raises that cannot be reached or written now."""


@value
class Commit:
    """One committed leaf, with the tree in which it is proved."""

    index: int
    edge: Edge
    root: bytes
    note: str


@dataclass(eq=False, slots=True)
class Ticket:
    leaf: Leaf
    outcome: Settled[Commit] = field(default_factory=Settled)


Committed = Sequence[tuple[Ticket, Commit]]
"""What one batch has committed, in the order of the log."""


class Sequencer:
    """Queues the leaves of this process's threads."""

    def __init__(
        self,
        commit: Callable[[Sequence[Ticket]], Committed],
        publish: Callable[[Sequence[Committed]], None],
        crowd: Crowd | None = None,
    ) -> None:
        """Take the two halves of the work.

        Args:
            commit: commits a batch of tickets, none where only something is to be published; it settles those that it
                cannot commit.
            publish: makes what was committed last public, and with it all that was before; of a batch without leaves,
                whatever was committed elsewhere. Raises where that fails.
            crowd: the calls that may come to a batch; None: nobody is waited for.
        """
        self._commit = commit
        self._publish = publish
        self._committing: QueueThread[Ticket] = QueueThread("evidence-log", self._commit_batch, company=Company(crowd))
        self._publishing: QueueThread[Committed] = QueueThread("evidence-log-publish", self._publish_batches)

    @property
    def stopped(self) -> LogForkedError | None:
        """Why this process serves no more."""
        stopped = self._committing.stopped
        return stopped if isinstance(stopped, LogForkedError) else None

    def submit(self, leaf: Leaf, wait_seconds: float) -> Commit:
        """Wait until the leaf is committed and published.

        Raises:
            LogForkedError: this process has stopped serving for good.
            LogUnavailableError: it was not taken up in time, or its batch did not end in as long again.
        """
        ticket = Ticket(leaf)
        self._committing.put(ticket)
        try:
            return ticket.outcome.wait(wait_seconds)
        except TimeoutError:
            if self._committing.withdraw(ticket):
                raise LogUnavailableError(f"{leaf.step_id} waited {wait_seconds} s to be logged") from None
        try:
            return ticket.outcome.wait(wait_seconds)
        except TimeoutError:
            raise LogUnavailableError(
                f"whether {leaf.step_id} was logged is not known after {wait_seconds} s"
            ) from None

    def wake(self) -> None:
        """Let the thread publish what administrative acts have appended."""
        self._committing.wake()

    def stop(self, reason: LogForkedError) -> None:
        """Refuse everything from now on, what was committed and is not published yet too."""
        _fail(self._committing.stop(reason), reason)
        for committed in self._publishing.stop(reason):
            _fail([ticket for ticket, _ in committed], reason)

    def close(self, wait_seconds: float = 30.0) -> None:
        """Settle what is queued, then end the threads; a later leaf starts others."""
        self._committing.close(wait_seconds)
        self._publishing.close(wait_seconds)

    def waiting(self) -> int:
        """Say how many leaves wait to be taken up."""
        return len(self._committing)

    def _commit_batch(self, batch: Sequence[Ticket]) -> None:
        try:
            self._publishing.put(self._commit(batch))
        except Exception as error:  # noqa: BLE001  (the callers get it)
            self._broke(batch, error)

    def _publish_batches(self, batches: Sequence[Committed]) -> None:
        tickets = [ticket for committed in batches for ticket, _ in committed]
        try:
            self._publish(batches)
        except Exception as error:  # noqa: BLE001  (the callers get it)
            self._broke(tickets, error)
            return
        for committed in batches:
            for ticket, commit in committed:
                ticket.outcome.give(commit)

    def _broke(self, tickets: Sequence[Ticket], error: Exception) -> None:
        if isinstance(error, LogForkedError):
            self.stop(error)
        _fail(tickets, error)


def _fail(tickets: Sequence[Ticket], error: Exception) -> None:
    is_passing = isinstance(error, UNAVAILABLE)
    for ticket in tickets:
        if not ticket.outcome.is_done:
            # One for each thread that waits: raising an error writes into it.
            ticket.outcome.fail(unavailable(ticket.leaf.step_id, error) if is_passing else error)


def unavailable(step_id: str, error: Exception) -> LogUnavailableError:
    """Say of one leaf that it cannot be logged now, and why."""
    told = LogUnavailableError(f"{step_id} cannot be logged and published now: {error}")
    told.__cause__ = error
    return told
