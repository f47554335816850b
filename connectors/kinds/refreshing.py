"""Bringing a copy up to the present on a thread of its own, while its askers wait by their own deadlines."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError

from connectors.deadline import Deadline
from connectors.errors import ConnectorError
from connectors.kinds.failure_log import log_failure
from connectors.protocol import Failed, FailReason

_log = logging.getLogger(__name__)


class PeerError(ConnectorError):
    """The other side cannot be reached, refuses, or breaks off. The message is for operators."""

    def __init__(self, reason: FailReason, said: str) -> None:
        super().__init__(said)
        self.reason = reason


class Refreshing:
    """At most one refreshing runs at a time, and one counts for a while."""

    def __init__(self, source: str, work: Callable[[], None], refresh_seconds: float) -> None:
        """Take what brings the copy up to the present.

        Args:
            source: its name, for the operator's log.
            work: raises `PeerError` where the other side cannot be had, `OSError` where the copy cannot be written.
            refresh_seconds: how long a copy counts as the present state.
        """
        self._source = source
        self._work = work
        self._seconds = refresh_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"refresh-{source}")
        self._lock = threading.Lock()
        self._running: Future[FailReason | None] | None = None
        self._done_at: float | None = None

    def wait(self, deadline: Deadline) -> Failed | None:
        """Wait until the copy is of the present, or say why it is not."""
        with self._lock:
            if self._done_at is not None and time.monotonic() - self._done_at < self._seconds:
                return None
            if self._running is None:
                self._running = self._thread.submit(self._run)
            running = self._running
        try:
            reason = running.result(timeout=max(0.001, deadline.remaining_seconds))
        except FutureTimeoutError:
            return Failed(FailReason.TIMEOUT)
        return None if reason is None else Failed(reason)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> FailReason | None:
        reason: FailReason | None = FailReason.UNREACHABLE
        began = time.monotonic()
        try:
            self._work()
            reason = None
        except PeerError as error:
            log_failure(_log, self._source, error.reason, error)
            reason = error.reason
        except OSError as error:
            _log.error("source %s: its copy cannot be written: %s", self._source, type(error).__name__)
            reason = FailReason.MISCONFIGURED
        finally:
            with self._lock:
                self._running = None
                self._done_at = began if reason is None else None
        return reason
