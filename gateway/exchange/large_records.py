"""Few large records are under way at once in one process: the next one waits a while, and never fails by it.

A record on its way takes some six times its size: as its holder gave it, mapped, signed, encrypted, written, answered.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from typing import Final

LARGE_BYTES: Final = 1 << 20
"""Of what the holder gave; smaller ones never wait."""
AT_ONCE_BYTES: Final = 12 << 20
"""Of large records that are under way together; a larger one goes alone."""
PATIENCE_SECONDS: Final = 8.0
"""After so long it goes on all the same: memory is worth less than an answer in time."""
KNOWN: Final = 4096
"""How many large records are known by name, and so wait before they are fetched rather than after."""

_Taken = dict[Hashable, int]
_taken: ContextVar[_Taken | None] = ContextVar("large_records_taken", default=None)


class LargeRecords:
    """Whoever came first goes first; an exchange that has a turn never waits for another one."""

    def __init__(
        self,
        *,
        at_once_bytes: int = AT_ONCE_BYTES,
        large_bytes: int = LARGE_BYTES,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._most = at_once_bytes
        self._large = large_bytes
        self._patience = patience_seconds
        self._changed = threading.Condition()
        self._bytes = 0
        self._waiting: deque[object] = deque()
        self._known: OrderedDict[Hashable, int] = OrderedDict()

    def exchange(self) -> "_Exchange":
        """One exchange, to the end of its answer; what it took is free again then. Outside of any, nobody waits."""
        return _Exchange(self._free)

    def take(self, record: Hashable, size: int | None) -> float:
        """Count a record as under way in this thread's exchange, once there is room for it.

        Args:
            record: which.
            size: its bytes; None where it is still to be fetched: then it counts as when it was fetched last.

        Returns:
            how many seconds that took.
        """
        if (size is None or size < self._large) and record not in self._known:
            return 0.0  # small, and small before: nobody waits for it
        waited = 0.0
        with self._changed:
            size = self._known.get(record, 0) if size is None else self._noted(record, size)
            taken = _taken.get()
            if taken is None or size <= taken.get(record, 0):
                return waited
            if not taken:
                waited = self._wait(size)
            self._bytes += size - taken.get(record, 0)
            taken[record] = size
        return waited

    def _free(self, taken: _Taken) -> None:
        with self._changed:
            self._bytes -= sum(taken.values())
            self._changed.notify_all()

    def _noted(self, record: Hashable, size: int) -> int:
        """Remember which records are large; gives 0 for one that is not."""
        self._known.pop(record, None)
        if size < self._large:
            return 0
        self._known[record] = size
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return size

    def _wait(self, size: int) -> float:
        own, began = object(), time.monotonic()
        self._waiting.append(own)
        try:
            self._changed.wait_for(
                lambda: self._waiting[0] is own and (not self._bytes or self._bytes + size <= self._most),
                timeout=self._patience,
            )
        finally:
            self._waiting.remove(own)
            self._changed.notify_all()
        return time.monotonic() - began


class _Exchange:
    def __init__(self, free: Callable[[_Taken], None]) -> None:
        self._free = free
        self._taken: _Taken = {}

    def __enter__(self) -> None:
        self._token = _taken.set(self._taken)

    def __exit__(self, *_error: object) -> None:
        _taken.reset(self._token)
        if self._taken:
            self._free(self._taken)
