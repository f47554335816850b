"""A result goes from one thread to another once, or its error does."""

import threading

import pytest

from gateway.settled import Settled


def test_a_result_is_given_across_threads_and_stays():
    settled = Settled()
    threading.Timer(0.01, settled.give, ["here"]).start()

    assert settled.wait(30) == "here"
    assert (settled.wait(), settled.is_done) == ("here", True)


def test_an_error_is_raised_where_the_result_is_waited_for():
    settled = Settled()
    settled.fail(LookupError("lost"))

    with pytest.raises(LookupError, match="lost"):
        settled.wait()


def test_who_waits_too_briefly_may_wait_again():
    settled = Settled()
    with pytest.raises(TimeoutError):
        settled.wait(0.01)
    assert not settled.is_done
    settled.give(None)

    assert settled.wait(0.01) is None


@pytest.mark.parametrize("again", [lambda settled: settled.give(2), lambda settled: settled.fail(LookupError())])
def test_it_is_settled_once(again):
    settled = Settled()
    settled.give(1)

    with pytest.raises(RuntimeError, match="settled before"):
        again(settled)
    assert settled.wait() == 1
