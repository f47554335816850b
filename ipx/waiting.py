"""Time as the client knows it: how long it waits, for what, and when it gives up. Every wait is bounded."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present instant, aware and in UTC."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Time:
    """The three faculties of time, together so that a test can replace them together."""

    now: Clock = utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call may take. The gateway's budget for one exchange is 30 s: one attempt waits a little longer."""

    total_seconds: float = 90.0
    """All attempts and all pauses of one call together."""
    connect_seconds: float = 5.0
    read_seconds: float = 35.0
    tries: int = 6
    body_bytes: int = 24 << 20
    """An answer past this size is cut off and counts as malformed."""


class Deadline:
    """The instant by which a call has to be over, on the clock that no administrator can set back."""

    def __init__(self, seconds: float, time: Time) -> None:
        self._time = time
        self._end = time.monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        return max(0.0, self._end - self._time.monotonic())

    def sleep(self, seconds: float) -> bool:
        """Sleep, or say False at once where the pause would end past the deadline: then waiting is of no use."""
        if seconds >= self.seconds_left:
            return False
        self._time.sleep(seconds)
        return True


def back_off_seconds(attempt: int) -> float:
    """Pause before the attempt after `attempt` (counted from 0): 0.25 s doubled each time up to 8 s, ±20 %."""
    pause: float = min(8.0, 0.25 * 2.0**attempt)
    return pause * random.uniform(0.8, 1.2)  # noqa: S311  (spreads clients apart; nothing secret)
