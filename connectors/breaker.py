"""A circuit breaker: a source that failed five times in a row is left alone for thirty seconds, then tried once.

One per source and process: processes do not share what they saw, so a dead source costs each of them five calls.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

FAILURES = 5
OPEN_FOR = timedelta(seconds=30)


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


@dataclass(frozen=True, slots=True)
class Admitted:
    """The call may go; its outcome must be told by `succeeded`, `failed` or `abandoned`."""


@dataclass(frozen=True, slots=True)
class Shut:
    """The call must not go; `retry_after` says when to ask again."""

    retry_after: timedelta


class Breaker:
    def __init__(self, clock: Callable[[], datetime], failures: int = FAILURES, open_for: timedelta = OPEN_FOR) -> None:
        self._clock = clock
        self._limit = failures
        self._open_for = open_for
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at: datetime | None = None
        self._probe_since: datetime | None = None

    @property
    def state(self) -> BreakerState:
        with self._lock:
            if self._opened_at is None:
                return BreakerState.CLOSED
            return BreakerState.OPEN if self._probe_since is None else BreakerState.PROBING

    def admit(self) -> Admitted | Shut:
        """Ask before a call. While open, one caller after the pause is let through as the probe, no other."""
        with self._lock:
            if self._opened_at is None:
                return Admitted()
            now = self._clock()
            # A probe that never reported (its thread died) must not keep the source shut for ever.
            since = self._probe_since or self._opened_at
            wait = since + self._open_for - now
            if wait > timedelta(0):
                return Shut(wait)
            self._probe_since = now
            return Admitted()

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0
            self._opened_at = self._probe_since = None

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            if self._opened_at is not None or self._failures >= self._limit:
                self._opened_at = self._clock()
                self._probe_since = None

    def abandoned(self) -> None:
        """The call ended without telling anything about the source's health; a probe slot it held is free again."""
        with self._lock:
            self._probe_since = None
