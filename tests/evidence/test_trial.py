"""Whether the log can be written is tried by one thread for all that ask at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import StoreUnavailableError
from gateway.evidence.errors import LogForkedError, LogUnavailableError
from gateway.evidence.trial import Trial

THREADS = 8


class Tried:
    """A trial that goes on until all threads have asked, and then does what it is told."""

    def __init__(self, error=None):
        self.times = 0
        self._error = error
        self._all_asked = threading.Barrier(THREADS + 1)
        self._may_end = threading.Event()
        self.trial = Trial(self._attempt, 60.0)

    def _attempt(self):
        self.times += 1
        assert self._may_end.wait(30)
        if self._error is not None:
            raise self._error

    def _ask(self):
        self._all_asked.wait(30)
        self.trial.require()

    def ask_at_once(self):
        """Let all threads ask before the first trial ends; gives what each of them was told."""
        with ThreadPoolExecutor(THREADS) as pool:
            answers = [pool.submit(self._ask) for _ in range(THREADS)]
            self._all_asked.wait(30)
            self._may_end.set()
            return [answer.exception(30) for answer in answers]


def test_one_of_many_tries_for_all():
    tried = Tried()

    assert tried.ask_at_once() == [None] * THREADS
    assert tried.times == 1


@pytest.mark.parametrize("kind", [LogUnavailableError, StoreUnavailableError])
def test_every_caller_is_told_of_a_failure_by_an_error_of_its_own(kind):
    told = Tried(kind("down")).ask_at_once()

    assert [(type(error), str(error)) for error in told] == [(kind, "down")] * THREADS


def test_what_no_caller_can_be_told_alike_is_tried_by_each():
    tried = Tried(LogForkedError("two logs"))

    assert {type(error) for error in tried.ask_at_once()} == {LogForkedError}
    assert tried.times == THREADS


def test_a_success_stands_until_it_is_forgotten():
    tried = []
    trial = Trial(lambda: tried.append("once"), 60.0)

    trial.succeeded()
    trial.require()
    assert tried == []
    trial.expire()
    trial.require()
    trial.require()
    assert tried == ["once"]


def test_after_a_failure_the_next_call_tries_again():
    outcomes = [LogUnavailableError("down"), None]

    def attempt():
        if error := outcomes.pop(0):
            raise error

    trial = Trial(attempt, 60.0)
    with pytest.raises(LogUnavailableError):
        trial.require()
    trial.require()
    assert outcomes == []
