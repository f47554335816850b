"""Asking a source no faster than it allows, and understanding when it says that it was asked too fast."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from connectors.deadline import Deadline
from connectors.formats.document import Node
from connectors.kinds.http_caller import Answer, CallFailedError
from connectors.protocol import FailReason
from connectors.source_file import parse_duration

RetryUnit = Literal["auto", "seconds", "milliseconds"]

UNSAID_WAIT = timedelta(seconds=30)
"""Where a source says that it is too much, but not until when."""

LIGHTS = ("green", "yellow", "red", "black")
"""The colours of `lights`, the worst last; at black the source refuses."""

_LIGHT = re.compile(r"=(green|yellow|red|black)\b")


@dataclass(frozen=True, slots=True)
class Signal:
    """One way in which a source says "too much": a status, with a header beside it or a word in the body."""

    status: int
    header: str | None = None
    body: Callable[[Node], bool] | None = None

    def is_in(self, answer: Answer) -> bool:
        return self.body is None and answer.status == self.status and (not self.header or self.header in answer.headers)


@dataclass(frozen=True, slots=True)
class Rate:
    requests: int
    per: timedelta
    burst: int
    """How many calls may run at one time, and how many may follow one another at once after a pause."""


class Throttle:
    def __init__(
        self,
        document: Mapping[str, Any],
        condition: Callable[[str], Callable[[Node], bool]],
        clock: Callable[[], datetime],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Read the `throttle` part.

        Args:
            document: that part.
            condition: compiles a condition over an answer's body.
            clock: against which a `Retry-After` date is held.
            pause: waits so many seconds.
        """
        self.signals = [Signal(429), *(_signal(item, condition) for item in document.get("on", ()))]
        rate = document.get("rate")
        self._rate = Rate(rate["requests"], parse_duration(rate["per"]), rate.get("burst", 1)) if rate else None
        self._unit: RetryUnit = document.get("retry_after", "auto")
        self._lights: str | None = document["lights"].lower() if "lights" in document else None
        self._clock = clock
        self._pause = pause
        self._lock = threading.Lock()
        self._running = threading.BoundedSemaphore(self._rate.burst) if self._rate else None
        self._allowance = float(self._rate.burst) if self._rate else 0.0
        self._refilled = time.monotonic()
        self._shut_until = 0.0
        self.light = "green"
        """The worst light of the last answer that had any."""

    @contextmanager
    def turn(self, deadline: Deadline) -> Iterator[None]:
        """Wait until one more call is allowed, and hold its place while it runs.

        Raises:
            CallFailedError: `throttled`, with the wait that would lead past the deadline; it is not slept.
        """
        self._wait(self._shut_until - time.monotonic(), deadline)
        if self._running is None or self._rate is None:
            yield
            return
        if not self._running.acquire(timeout=deadline.remaining_seconds):
            raise CallFailedError(FailReason.THROTTLED, "others are asking", self._rate.per / self._rate.requests)
        try:
            self._wait(self._taken(self._rate), deadline)
            yield
        finally:
            self._running.release()

    def heard(self, answer: Answer) -> None:
        """Note traffic lights (EPO OPS): they are named by service, and the worst one rules."""
        if self._lights and (text := answer.headers.get(self._lights)):
            self.light = max(_LIGHT.findall(text), key=LIGHTS.index, default="green")
            if self.light == LIGHTS[-1]:
                self._shut_until = time.monotonic() + UNSAID_WAIT.total_seconds()

    def refusal(self, answer: Answer, whole: Node | None = None) -> CallFailedError | None:
        """What to tell where an answer says "too much"; `whole` is its body where that was read."""
        if not any(signal.is_in(answer) for signal in self.signals) and not any(
            signal.body and whole is not None and signal.status == answer.status and signal.body(whole)
            for signal in self.signals
        ):
            return None
        wait = self.wait_said(answer) or UNSAID_WAIT
        self._shut_until = time.monotonic() + wait.total_seconds()
        return CallFailedError(FailReason.THROTTLED, f"status {answer.status}", wait)

    def wait_said(self, answer: Answer) -> timedelta | None:
        """Read `Retry-After` (RFC 9110, section 10.2.3): seconds or a date; milliseconds only where declared."""
        text = answer.headers.get("retry-after", "").strip()
        if re.fullmatch(r"\d{1,9}", text):
            return timedelta(milliseconds=int(text)) if self._unit == "milliseconds" else timedelta(seconds=int(text))
        if self._unit != "auto" or not text:
            return None
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return None
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        return max(timedelta(0), until - self._clock())

    def sleep(self, wait: timedelta, deadline: Deadline) -> None:
        """Wait so long, if the deadline lets.

        Raises:
            CallFailedError: `throttled`; nothing was waited for.
        """
        self._wait(wait.total_seconds(), deadline)

    def _taken(self, rate: Rate) -> float:
        """Take one call out of the allowance; seconds until it is covered."""
        with self._lock:
            now = time.monotonic()
            per_second = rate.requests / rate.per.total_seconds()
            self._allowance = min(float(rate.burst), self._allowance + (now - self._refilled) * per_second)
            self._refilled = now
            if self._allowance >= 1:
                self._allowance -= 1
                return 0.0
            wait = (1 - self._allowance) / per_second
            self._allowance -= 1
            return wait

    def _wait(self, seconds: float, deadline: Deadline) -> None:
        if seconds <= 0:
            return
        if seconds >= deadline.remaining_seconds:
            raise CallFailedError(FailReason.THROTTLED, "the wait is longer than the call", timedelta(seconds=seconds))
        self._pause(seconds)


def _signal(document: Any, condition: Callable[[str], Callable[[Node], bool]]) -> Signal:
    if isinstance(document, int):
        return Signal(document)
    header = document["header"].lower() if "header" in document else None
    body = condition(document["body"]) if "body" in document else None
    return Signal(document.get("status", 200), header, body)
