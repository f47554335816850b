"""Connections evenly over the workers of a node: whoever has more than another one lets that one accept first.

The kernel wakes all workers for a new connection, and the first to run takes it. An agency's system keeps its
connections open, so where one worker happened to take most of them it does most of the work for as long, and the other
cores idle.
"""

import mmap
import select
import socket
import time
from typing import Final

WAY_SECONDS: Final = 0.005
"""How long a worker leaves a new connection to those that have fewer, at most; half as long after each time in vain."""
STEP_SECONDS: Final = 0.0005
"""For so long it always does: whoever was busy may be idle by now."""
_NOBODY: Final = -1
_NOT_YET: Final = -2
"""Taken by a worker that accepts nothing yet."""
_BYTES: Final = 4


class ConnectionCounts:
    """How many connections each worker has open, in memory that gunicorn's own process and all workers share."""

    def __init__(self, places: int) -> None:
        """Make room, before the first worker.

        Args:
            places: for so many workers at once, those that are ending among them.
        """
        self._counts = memoryview(mmap.mmap(-1, places * _BYTES)).cast("i")
        for place in range(places):
            self._counts[place] = _NOBODY

    def share(self) -> "Share | None":
        """Give a new worker its share, in gunicorn's own process; None where there is no room for another one."""
        place = next((place for place, count in enumerate(self._counts) if count == _NOBODY), None)
        return None if place is None else Share(self._counts, place)


class Share:
    """One worker among those that share what comes to a node."""

    def __init__(self, counts: memoryview, place: int) -> None:
        self._counts, self._place = counts, place
        self._counts[place] = _NOT_YET
        self._patience = WAY_SECONDS

    def say(self, count: int) -> None:
        """Set how many connections this worker has open. It shares from the first time on, and not once it has left."""
        if self._counts[self._place] != _NOBODY:
            self._counts[self._place] = count

    def leave(self) -> None:
        """Share no more: the worker is ending, or has ended."""
        self._counts[self._place] = _NOBODY

    def give_way(self, listener: socket.socket) -> None:
        """Return once no other worker has fewer connections, nobody waits to be let in, or the others are too slow."""
        until = time.monotonic() + self._patience
        coming = select.poll()
        coming.register(listener, select.POLLIN)
        while self._others_have_fewer() and coming.poll(0):
            if time.monotonic() > until:
                self._patience = max(STEP_SECONDS, self._patience / 2)
                return
            time.sleep(STEP_SECONDS)
        self._patience = WAY_SECONDS

    def _others_have_fewer(self) -> bool:
        mine = self._counts[self._place]
        return any(_NOBODY < count < mine for count in self._counts)
