"""One thread for each process that takes what has queued up meanwhile and hands it on as one batch: no timer."""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakSet

from gateway.evidence.edge import Edge
from gateway.evidence.errors import LogForkedError, LogUnavailableError
from gateway.evidence.leaf import Leaf
from gateway.settled import Settled

MAX_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
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


class Sequencer:
    """Queues the leaves of this process's threads; its own thread starts with the first one, so after any fork."""

    stopped: LogForkedError | None
    """Why this process serves no more."""

    def __init__(self, process: Callable[[Sequence[Ticket]], None]) -> None:
        """Take what settles every ticket of a batch; a batch without tickets asks to publish only."""
        self._process = process
        self._begin()
        _sequencers.add(self)

    def submit(self, leaf: Leaf, wait_seconds: float) -> Commit:
        """Wait until the leaf is committed and published.

        Raises:
            LogForkedError: this process has stopped serving for good.
            LogUnavailableError: it was not taken up in time, or its batch did not end in as long again.
        """
        ticket = Ticket(leaf)
        with self._changed:
            self._admit()
            self._queue.append(ticket)
            self._changed.notify()
        try:
            return ticket.outcome.wait(wait_seconds)
        except TimeoutError:
            if self._withdraw(ticket):
                raise LogUnavailableError(f"{leaf.step_id} waited {wait_seconds} s to be logged") from None
        try:
            return ticket.outcome.wait(wait_seconds)
        except TimeoutError:
            raise LogUnavailableError(
                f"whether {leaf.step_id} was logged is not known after {wait_seconds} s"
            ) from None

    def wake(self) -> None:
        """Let the thread publish what administrative acts have appended."""
        with self._changed:
            if self.stopped is None and not self._is_closing:
                self._admit()
                self._is_woken = True
                self._changed.notify()

    def stop(self, reason: LogForkedError) -> None:
        """Refuse everything from now on."""
        with self._changed:
            self.stopped = self.stopped or reason
            waiting = list(self._queue)
            self._queue.clear()
        for ticket in waiting:
            ticket.outcome.fail(reason)

    def close(self, wait_seconds: float = 30.0) -> None:
        """Settle what is queued, then end the thread; a later leaf starts another one."""
        with self._changed:
            thread = self._thread
            self._is_closing = True
            self._changed.notify()
        if thread is not None:
            thread.join(wait_seconds)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[Ticket] = deque()
        self._thread: threading.Thread | None = None
        self._is_woken = False
        self._is_closing = False
        self.stopped = None

    def _admit(self) -> None:
        if self.stopped is not None:
            raise self.stopped
        if self._thread is None or not self._thread.is_alive():
            self._is_closing = False
            self._thread = threading.Thread(target=self._run, name="evidence-log", daemon=True)
            self._thread.start()

    def _withdraw(self, ticket: Ticket) -> bool:
        with self._changed:
            try:
                self._queue.remove(ticket)
            except ValueError:
                return False
            return True

    def _take(self) -> list[Ticket] | None:
        with self._changed:
            while not self._queue and not self._is_woken:
                if self._is_closing:
                    # Cleared under the lock: whoever comes next sees that this thread takes nothing any more.
                    self._thread = None
                    return None
                self._changed.wait()
            self._is_woken = False
            return [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            try:
                self._process(batch)
            except LogForkedError as error:
                self.stop(error)
                _fail(batch, error)
                return
            except Exception as error:  # noqa: BLE001  (the thread outlives any batch; its callers get the error)
                _fail(batch, error)
            finally:
                del batch  # with it whatever its callers wrote: else an answer of megabytes stays until the next one


def _fail(batch: Sequence[Ticket], error: Exception) -> None:
    for ticket in batch:
        if not ticket.outcome.is_done:
            ticket.outcome.fail(error)


_sequencers: "WeakSet[Sequencer]" = WeakSet()


def _begin_anew() -> None:
    # A forked child has neither the parent's thread nor its waiting callers, and a lock may have been held.
    for sequencer in _sequencers:
        sequencer._begin()  # noqa: SLF001  (same module)


os.register_at_fork(after_in_child=_begin_anew)
