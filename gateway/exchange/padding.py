"""Lets "no such record" take as long as "you may not know": otherwise the clock would tell which of the two it was."""

import threading
import time
from collections import deque

from gateway.exchange.finished import Finished
from gateway.exchange.outcomes import NO_INFORMATION
from gateway.exchange.steps import Stopwatch

REMEMBERED = 64
LONGEST_SECONDS = 2.0
SHORTEST_SECONDS = 0.05


class Padding:
    """Remembers how long recent exchanges took in this process and holds silent refusals back to the slowest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[float] = deque([SHORTEST_SECONDS], maxlen=REMEMBERED)

    def wait(self, finished: Finished, watch: Stopwatch) -> None:
        """Return at once after an open outcome; after a silent one, when a slow exchange would have ended."""
        spent = time.perf_counter() - watch.started
        with self._lock:
            if finished.reason != NO_INFORMATION:
                self._recent.append(spent)
                return
            target = min(max(self._recent), LONGEST_SECONDS)
        if not finished.is_replayed and spent < target:
            time.sleep(target - spent)
