"""One thread for each process that takes what has queued up meanwhile and hands it on together."""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar
from weakref import WeakSet

import structlog

from gateway.db.company import SECONDS, Company

MAX_BATCH: Final = 256

Item = TypeVar("Item")

log = structlog.get_logger(__name__)


class QueueThread(Generic[Item]):
    """Items of many threads, in the order in which they came. Its thread starts with the first, so after any fork."""

    stopped: Exception | None
    """Why nothing is taken any more."""

    def __init__(
        self,
        name: str,
        process: Callable[[Sequence[Item]], None],
        *,
        most: int = MAX_BATCH,
        company: Company | None = None,
    ) -> None:
        """Take what is done with the items.

        Args:
            name: of the thread.
            process: gets at least one item, or none where somebody woke the thread; it settles all that it gets, and
                raises nothing.
            most: of one batch.
            company: for how many items a batch waits, where others are on their way.
        """
        self._name = name
        self._process = process
        self._most = most
        self._company = company or Company(None)
        self._begin()
        _threads.add(self)

    def put(self, item: Item) -> None:
        """Queue an item.

        Raises:
            Exception: what `stop` was given.
        """
        with self._changed:
            self._admit()
            self._queue.append(item)
            if len(self._queue) >= self._wanted:
                self._changed.notify()

    def wake(self) -> None:
        """Let the thread run even where nothing is queued; not while it ends."""
        with self._changed:
            if self.stopped is None and not self._is_closing:
                self._admit()
                self._is_woken = True
                self._changed.notify()

    def withdraw(self, item: Item) -> bool:
        """Take an item back; False where the thread has taken it."""
        with self._changed:
            try:
                self._queue.remove(item)
            except ValueError:
                return False
            return True

    def stop(self, reason: Exception) -> list[Item]:
        """Take nothing from now on.

        Returns:
            what was queued.
        """
        with self._changed:
            self.stopped = self.stopped or reason
            waiting = list(self._queue)
            self._queue.clear()
            return waiting

    def close(self, wait_seconds: float = 30.0) -> None:
        """Have what is queued done, then end the thread; a later item starts another one."""
        with self._changed:
            thread = self._thread
            self._is_closing = True
            self._changed.notify()
        if thread is not None:
            thread.join(wait_seconds)

    def __len__(self) -> int:
        """Say how many wait."""
        return len(self._queue)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[Item] = deque()
        self._thread: threading.Thread | None = None
        self._wanted = 1
        self._is_woken = False
        self._is_closing = False
        self.stopped = None

    def _admit(self) -> None:
        if self.stopped is not None:
            raise self.stopped
        if self._thread is None or not self._thread.is_alive():
            self._is_closing = False
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def _take(self) -> list[Item] | None:
        with self._changed:
            while not self._queue and not self._is_woken:
                if self._is_closing:
                    # Cleared under the lock: whoever comes next sees that this thread takes nothing any more.
                    self._thread = None
                    return None
                self._changed.wait()
            self._gather()
            self._is_woken = False
            return [self._queue.popleft() for _ in range(min(len(self._queue), self._most))]

    def _gather(self) -> None:
        """Wait for others that are on their way, unless somebody wants this thread to go on."""
        wanted = self._company.wanted()
        if len(self._queue) < wanted:
            self._wanted = wanted
            self._changed.wait_for(
                lambda: len(self._queue) >= wanted or self._is_woken or self._is_closing or self.stopped is not None,
                SECONDS,
            )
            self._wanted = 1
        if not (self._is_woken or self._is_closing):
            self._company.came(wanted, len(self._queue))

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            try:
                self._process(batch)
            except Exception:  # the thread outlives any batch
                log.exception("items were not settled", thread=self._name, items=len(batch))
            del batch  # with it whatever its callers wrote: else an answer of megabytes stays until the next one


_threads: "WeakSet[QueueThread[Any]]" = WeakSet()


def _begin_anew() -> None:
    # A forked child has neither the parent's thread nor its waiting callers, and a lock may have been held.
    for thread in _threads:
        thread._begin()  # noqa: SLF001  (same module)


os.register_at_fork(after_in_child=_begin_anew)
