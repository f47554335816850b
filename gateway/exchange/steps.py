"""The ten steps of an exchange, timed by stage; a listener is told of each (metrics, tests that kill the server)."""

import time
from collections import defaultdict
from collections.abc import Callable
from enum import StrEnum

from connectors.deadline import Deadline
from gateway.exchange.outcomes import Stage


class Step(StrEnum):
    """Named as in docs/architecture.md, in their order."""

    AUTHENTICATE = "authenticate"
    VERIFY_REQUEST = "verify_request"
    WRITE_AHEAD = "write_ahead"
    DECIDE_EARLY = "decide_early"
    FETCH = "fetch"
    SEAL = "seal"
    DECIDE = "decide"
    REDACT = "redact"
    LOG = "log"
    ANSWER = "answer"


STAGE_OF = {
    Step.AUTHENTICATE: "auth",
    Step.VERIFY_REQUEST: "auth",
    Step.WRITE_AHEAD: "log",
    Step.DECIDE_EARLY: "policy",
    Step.FETCH: "holder",
    Step.SEAL: "verify",
    Step.DECIDE: "policy",
    Step.REDACT: "sign",
    Step.LOG: "log",
    Step.ANSWER: "log",
}

_AFTER: dict[Step, Stage] = {
    Step.WRITE_AHEAD: "policy",
    Step.DECIDE_EARLY: "holder",
    Step.FETCH: "verify",
    Step.SEAL: "policy",
    Step.DECIDE: "sign",
}

Listener = Callable[[Step], None]


class Stopwatch:
    """Adds up milliseconds by stage: what has passed since the last step is the time of the step that is reached."""

    def __init__(self, listener: Listener | None = None, *, holder_seconds: float = 10.0) -> None:
        self._listener = listener
        self.started = self._last = time.perf_counter()
        self.deadline = Deadline.within(holder_seconds)
        """By when the holder's system, and whoever else is asked for facts, must have answered."""
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._step: Step | None = None
        self.exchange_id: str | None = None
        """Of what is timed, once it is known; with its outcome."""
        self.outcome: str | None = None

    @property
    def stage(self) -> Stage:
        """The stage that is running: the one to name where the work breaks."""
        return "policy" if self._step is None else _AFTER.get(self._step, "log")

    def reached(self, step: Step) -> None:
        now = time.perf_counter()
        self._spent[STAGE_OF[step]] += (now - self._last) * 1000
        self._last = now
        self._step = step
        if self._listener is not None:
            self._listener(step)

    def spent_ms(self) -> dict[str, float]:
        """Milliseconds by stage so far, rounded to microseconds."""
        return {stage: round(spent, 3) for stage, spent in self._spent.items()}

    def running_ms(self) -> float:
        """Milliseconds since the last step."""
        return (time.perf_counter() - self._last) * 1000
