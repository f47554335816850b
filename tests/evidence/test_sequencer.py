"""The queue by itself: forks of the process, and what its callers get when the work breaks."""

import os
import time
import weakref

import pytest

from gateway.evidence.edge import Edge
from gateway.evidence.errors import LogForkedError
from gateway.evidence.leaf import Leaf
from gateway.evidence.sequencer import MAX_BATCH, Commit, Sequencer, Ticket

LEAF = Leaf("exchange:1:final", b"{}")


def settle(batch):
    for at, ticket in enumerate(batch):
        ticket.outcome.give(Commit(at, Edge(0, {}), b"", ""))


def test_a_forked_child_has_a_thread_of_its_own():
    """gunicorn may load the application before it forks."""
    sequencer = Sequencer(settle)
    assert sequencer.submit(LEAF, 5).index == 0

    child = os.fork()
    if child == 0:
        try:
            os._exit(sequencer.submit(LEAF, 5).index)
        finally:
            os._exit(1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sequencer.submit(LEAF, 5).index == 0
    sequencer.close()


def test_an_unforeseen_error_reaches_the_caller_and_the_thread_goes_on():
    errors = [ZeroDivisionError("once")]

    def process(batch):
        if errors:
            raise errors.pop()
        settle(batch)

    sequencer = Sequencer(process)

    with pytest.raises(ZeroDivisionError):
        sequencer.submit(LEAF, 5)
    assert sequencer.submit(LEAF, 5).index == 0
    sequencer.close()


def test_what_callers_write_with_their_leaf_is_let_go_once_it_is_written():
    """An answer may have megabytes, and the next leaf may be hours away."""
    sequencer = Sequencer(settle)

    class Answer:
        def __call__(self, _connection):
            """Write it."""

    def append():
        answer = Answer()
        sequencer.submit(Leaf("exchange:2:final", b"{}", answer), 5)
        return weakref.ref(answer)

    held = append()
    give_up = time.monotonic() + 30
    while held() is not None and time.monotonic() < give_up:
        time.sleep(0.001)  # its thread goes on after it has answered

    assert held() is None
    sequencer.close()


def test_a_fork_of_the_log_stops_everything_that_waits_and_comes():
    def process(_batch):
        raise LogForkedError("two logs")

    sequencer = Sequencer(process)

    for _ in range(2):
        with pytest.raises(LogForkedError, match="two logs"):
            sequencer.submit(LEAF, 5)
    sequencer.wake()
    sequencer.close()


def test_a_batch_is_bounded():
    sequencer = Sequencer(settle)
    sequencer._queue.extend(Ticket(LEAF) for _ in range(MAX_BATCH + 44))

    assert [len(sequencer._take()), len(sequencer._take())] == [MAX_BATCH, 44]
