"""The instant by which an answer must be there. Measured on a clock that never jumps."""

import time
from collections.abc import Callable
from dataclasses import field

from ipx.values import value


@value
class Deadline:
    """An end in seconds of a monotonic clock; it is handed down, and every wait on the way asks what remains."""

    ends_at: float
    monotonic: Callable[[], float] = field(default=time.monotonic, repr=False)

    @classmethod
    def within(cls, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> "Deadline":
        return cls(monotonic() + seconds, monotonic)

    @property
    def remaining_seconds(self) -> float:
        """Seconds left, 0 when past."""
        return max(0.0, self.ends_at - self.monotonic())

    @property
    def is_past(self) -> bool:
        return self.monotonic() >= self.ends_at

    def at_most(self, seconds: float) -> "Deadline":
        """This deadline, or an earlier one: a source's own limit never lengthens what the caller allows."""
        return Deadline(min(self.ends_at, self.monotonic() + seconds), self.monotonic)
