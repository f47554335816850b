"""Slows whoever fails or asks too often: failures are counted by minute, in this worker, for as many names as fit."""

import threading
from collections import OrderedDict
from typing import Final

from gateway.clock import Clock

NAMES_MAX: Final = 10_000
"""Beyond this the name counted longest ago is forgotten: a stranger must not fill the memory."""


class Throttle:
    """Counts events by name in windows of a minute.

    It is kept in memory on purpose. It slows guessing and spares work, and nothing is decided by it that another worker
    or a restart would have to know; each worker allows the limit by itself.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._limit = per_minute
        self._clock = clock
        self._counts: OrderedDict[tuple[str, ...], tuple[int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def is_exhausted(self, *name: str) -> bool:
        """Whether the limit of this minute is reached."""
        with self._lock:
            window, count = self._counts.get(name, (0, 0))
            return window == self._window() and count >= self._limit

    def count(self, *name: str) -> None:
        with self._lock:
            window, count = self._counts.pop(name, (0, 0))
            now = self._window()
            self._counts[name] = (now, count + 1 if window == now else 1)
            if len(self._counts) > NAMES_MAX:
                self._counts.popitem(last=False)

    def _window(self) -> int:
        return int(self._clock().timestamp()) // 60
