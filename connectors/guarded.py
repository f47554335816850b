"""A connector behind its breaker: a source that is down costs its callers nothing but the first five calls."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from connectors.breaker import Breaker, BreakerState, Shut
from connectors.deadline import Deadline
from connectors.protocol import (
    SOURCE_DOWN,
    Absent,
    Capabilities,
    Changes,
    Connector,
    Failed,
    FailReason,
    Found,
    Health,
    Page,
    PageMark,
    RecordKey,
    Watermark,
)
from connectors.row_filter import RowFilter

T = TypeVar("T", Found | Absent | Failed, Page | Failed, Changes | Failed)


class GuardedConnector:
    """Every kind's connector is handed out inside one of these, so none has to know of breakers."""

    def __init__(self, inner: Connector, breaker: Breaker, clock: Callable[[], datetime]) -> None:
        self._inner = inner
        self._breaker = breaker
        self._clock = clock
        self._lock = threading.Lock()
        self._last_success: datetime | None = None
        self._last_failed = False

    def capabilities(self) -> Capabilities:
        return self._inner.capabilities()

    def fetch(self, key: RecordKey, deadline: Deadline) -> Found | Absent | Failed:
        return self._call(lambda: self._inner.fetch(key, deadline), deadline)

    def search(self, wanted: RowFilter, mark: PageMark | None, deadline: Deadline) -> Page | Failed:
        return self._call(lambda: self._inner.search(wanted, mark, deadline), deadline)

    def changes(self, since: Watermark | None, deadline: Deadline) -> Changes | Failed:
        return self._call(lambda: self._inner.changes(since, deadline), deadline)

    def health(self) -> Health:
        state = self._breaker.state
        inner = self._inner.health()
        with self._lock:
            known = replace(inner, last_success=self._last_success, breaker=state)
            if state is not BreakerState.CLOSED or self._last_failed:
                return replace(known, state="down")
            return known

    def close(self) -> None:
        self._inner.close()

    def _call(self, work: Callable[[], T], deadline: Deadline) -> T | Failed:
        if deadline.is_past:
            return Failed(FailReason.TIMEOUT)
        admitted = self._breaker.admit()
        if isinstance(admitted, Shut):
            return Failed(FailReason.BREAKER_OPEN, admitted.retry_after)
        try:
            outcome = work()
        except BaseException:
            self._breaker.abandoned()
            raise
        is_down = isinstance(outcome, Failed) and outcome.reason in SOURCE_DOWN
        if is_down:
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        with self._lock:
            self._last_failed = is_down
            if not isinstance(outcome, Failed):
                self._last_success = self._clock()
        return outcome
