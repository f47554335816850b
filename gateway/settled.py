"""A result that one thread waits for and another one gives: once, with a single wake-up.

`concurrent.futures.Future` does the same with a condition and its lock: two hand-overs more for each result.
"""

import threading
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Settled(Generic[Result]):
    __slots__ = ("_error", "_given", "_result", "is_done")

    is_done: bool

    def __init__(self) -> None:
        self._given = threading.Lock()
        self._given.acquire()
        self._result: Result | None = None
        self._error: BaseException | None = None
        self.is_done = False

    def give(self, result: Result) -> None:
        self._settle(result, None)

    def fail(self, error: BaseException) -> None:
        """Have the error raised where the result is waited for."""
        self._settle(None, error)

    def wait(self, seconds: float = -1) -> Result:
        """Wait for the result, by one thread.

        Args:
            seconds: for how long; as long as it takes where it is negative.

        Raises:
            TimeoutError: it was not given in time; wait again, or leave it.
        """
        if not self._given.acquire(timeout=seconds):
            raise TimeoutError
        self._given.release()
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # what was given

    def _settle(self, result: Result | None, error: BaseException | None) -> None:
        if self.is_done:
            raise RuntimeError("settled before")
        self._result, self._error, self.is_done = result, error, True
        self._given.release()
