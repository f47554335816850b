from datetime import timedelta

import pytest

from connectors.breaker import Admitted, Breaker, BreakerState, Shut
from connectors.deadline import Deadline
from connectors.guarded import GuardedConnector
from connectors.protocol import Absent, Failed, FailReason, Health, RecordKey

KEY = RecordKey("7")


class Source:
    """A source that answers what it is told to, and counts how often it was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.calls = 0

    def fetch(self, key, deadline):
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def health(self):
        return Health("ok", None, None, BreakerState.CLOSED)

    def close(self):
        pass


@pytest.fixture
def guarded(clock):
    def make(answer):
        source = Source(answer)
        return source, GuardedConnector(source, Breaker(clock), clock)

    return make


def test_the_sixth_call_to_a_dead_source_is_not_made(guarded, deadline):
    source, connector = guarded(Failed(FailReason.UNREACHABLE))

    answers = [connector.fetch(KEY, deadline) for _ in range(6)]

    assert answers[:5] == [Failed(FailReason.UNREACHABLE)] * 5
    assert answers[5] == Failed(FailReason.BREAKER_OPEN, timedelta(seconds=30))
    assert (source.calls, connector.health().state, connector.health().breaker) == (5, "down", BreakerState.OPEN)


def test_after_thirty_seconds_one_probe_goes_and_no_other(clock):
    breaker = Breaker(clock)
    for _ in range(5):
        breaker.failed()
    clock.advance(29)
    assert breaker.admit() == Shut(timedelta(seconds=1))

    clock.advance(1)

    assert breaker.admit() == Admitted()
    assert breaker.state is BreakerState.PROBING
    assert isinstance(breaker.admit(), Shut)


def test_a_probe_that_succeeds_closes_and_one_that_fails_opens_again(guarded, clock, deadline):
    source, connector = guarded(Failed(FailReason.TIMEOUT))
    for _ in range(5):
        connector.fetch(KEY, deadline)

    clock.advance(30)
    assert connector.fetch(KEY, deadline) == Failed(FailReason.TIMEOUT)
    assert connector.fetch(KEY, deadline) == Failed(FailReason.BREAKER_OPEN, timedelta(seconds=30))
    clock.advance(30)
    source.answer = Absent()
    assert connector.fetch(KEY, deadline) == Absent()

    assert (connector.health().state, connector.health().breaker) == ("ok", BreakerState.CLOSED)
    assert connector.health().last_success == clock()


def test_a_probe_that_never_reports_does_not_keep_the_source_shut(clock):
    breaker = Breaker(clock)
    for _ in range(5):
        breaker.failed()
    clock.advance(30)
    breaker.admit()

    clock.advance(30)

    assert breaker.admit() == Admitted()


def test_one_success_forgets_the_failures_before_it(guarded, deadline):
    source, connector = guarded(Failed(FailReason.UNREACHABLE))
    for _ in range(4):
        connector.fetch(KEY, deadline)
    source.answer = Absent()
    connector.fetch(KEY, deadline)
    source.answer = Failed(FailReason.UNREACHABLE)

    answers = [connector.fetch(KEY, deadline) for _ in range(5)]

    assert answers == [Failed(FailReason.UNREACHABLE)] * 5


@pytest.mark.parametrize("reason", [FailReason.NOT_READY, FailReason.TOO_MANY_ROWS, FailReason.RECORD_UNREADABLE])
def test_a_source_that_answers_no_is_not_down(guarded, deadline, reason):
    source, connector = guarded(Failed(reason))

    for _ in range(20):
        assert connector.fetch(KEY, deadline) == Failed(reason)

    assert source.calls == 20


def test_an_error_of_ours_says_nothing_about_the_source(guarded, deadline):
    _, connector = guarded(RuntimeError("a bug"))

    for _ in range(9):
        with pytest.raises(RuntimeError):
            connector.fetch(KEY, deadline)

    assert connector.health().breaker is BreakerState.CLOSED


def test_a_call_without_time_left_is_not_made(guarded):
    source, connector = guarded(Absent())

    assert connector.fetch(KEY, Deadline.within(0)) == Failed(FailReason.TIMEOUT)
    assert source.calls == 0


def test_a_deadline_is_never_lengthened_by_a_limit_of_the_source():
    now = [100.0]
    deadline = Deadline.within(5, lambda: now[0])

    assert deadline.at_most(60).remaining_seconds == 5
    assert deadline.at_most(2).remaining_seconds == 2
    now[0] = 106.0
    assert (deadline.remaining_seconds, deadline.is_past) == (0.0, True)
