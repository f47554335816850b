"""Following sources by itself: those whose file says how often, each on a thread of its own, a few at a time."""

import threading
from typing import Final

import structlog

from gateway.errors import GatewayError
from gateway.intake.following import RUNNING, Following

log = structlog.get_logger(__name__)

AT_ONCE: Final = 4
"""A source that takes its time delays three others at most, and none of the worker's other work."""


class FollowingRounds:
    def __init__(self, following: Following, *, at_once: int = AT_ONCE) -> None:
        self._following = following
        self._at_once = at_once
        self._lock = threading.Lock()
        self._running: dict[str, threading.Thread] = {}
        self._stopping = threading.Event()

    def go_round(self) -> list[str]:
        """Start following the sources that are due; gives those it started. Does not wait for them."""
        started = []
        for name in self._following.due():
            with self._lock:
                if self._stopping.is_set() or len(self._running) >= self._at_once or name in self._running:
                    continue
                # Daemons: a source that hangs must not keep the process; the next run goes on from the watermark.
                thread = threading.Thread(target=self._follow, args=(name,), name=f"follow-{name}", daemon=True)
                self._running[name] = thread
            thread.start()
            started.append(name)
        return started

    def wait(self, seconds: float) -> bool:
        """Wait until those that were started are done; whether they are."""
        with self._lock:
            running = list(self._running.values())
        for thread in running:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in running)

    def close(self) -> None:
        """Start none any more, and let those that run end after their batch."""
        self._stopping.set()
        self.wait(1.0)

    def _follow(self, name: str) -> None:
        try:
            ran = self._following.run(name, is_stopping=self._stopping.is_set)
            if ran.failure == RUNNING:
                return
            tell = log.info if ran.failure is None else log.warning
            tell(
                "source followed",
                source=name,
                mapped=ran.mapped,
                quarantined=ran.quarantined,
                deleted=ran.deleted,
                failure=ran.failure,
            )
        except GatewayError as error:
            log.warning("source not followed", source=name, error=type(error).__name__)
        except Exception:
            log.exception("following broke", source=name)
        finally:
            with self._lock:
                self._running.pop(name, None)
