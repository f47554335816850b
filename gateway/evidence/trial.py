"""A trial whether something can be done, made by one thread for all that ask at the same time."""

import threading
import time
from collections.abc import Callable

from gateway.errors import StoreUnavailableError
from gateway.evidence.errors import LogUnavailableError


class Trial:
    """Remembers a success for a while. After a pause or a failure many calls come at once: one of them tries.

    Each trying for itself would open as many connections as there are threads, all to wait for the same row.
    """

    def __init__(self, attempt: Callable[[], None], lasts_seconds: float) -> None:
        """Take what is tried, which raises where it fails, and how long a success stands for the next one."""
        self._attempt = attempt
        self._lasts = lasts_seconds
        self._trying = threading.Lock()
        self._succeeded_at = self._failed_at = float("-inf")
        self._failure: LogUnavailableError | StoreUnavailableError = LogUnavailableError()

    def succeeded(self) -> None:
        """Note that it went well elsewhere, so that it need not be tried."""
        self._succeeded_at = time.monotonic()

    def expire(self) -> None:
        """Forget the last success, so that it is tried next time."""
        self._succeeded_at = float("-inf")

    def require(self) -> None:
        """Return at once after a success of late; else try, or wait for who is trying and take what comes of it.

        Raises:
            LogUnavailableError, StoreUnavailableError: it failed.
            Exception: whatever else the trial raises, to the thread that made it.
        """
        asked_at = time.monotonic()
        if asked_at - self._succeeded_at < self._lasts:
            return
        with self._trying:
            if self._succeeded_at >= asked_at:
                return
            if self._failed_at >= asked_at:
                raise type(self._failure)(str(self._failure))  # one for each thread: raising it writes into it
            try:
                self._attempt()
            except (LogUnavailableError, StoreUnavailableError) as error:
                self._failed_at, self._failure = time.monotonic(), error
                raise
            self.succeeded()
