"""The queue by itself: forks of the process, and what its callers get when the work breaks."""

import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import StoreUnavailableError
from gateway.evidence.edge import Edge
from gateway.evidence.errors import LogForkedError, LogUnavailableError
from gateway.evidence.leaf import Leaf
from gateway.evidence.queue_thread import QueueThread
from gateway.evidence.sequencer import Commit, Sequencer

LEAF = Leaf("exchange:1:final", b"{}")


def commit(batch):
    return [(ticket, Commit(at, Edge(0, {}), b"", "")) for at, ticket in enumerate(batch)]


def publish(_batches):
    """Nobody sees it."""


def test_a_forked_child_has_a_thread_of_its_own():
    """gunicorn may load the application before it forks."""
    sequencer = Sequencer(commit, publish)
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
        return commit(batch)

    sequencer = Sequencer(process, publish)

    with pytest.raises(ZeroDivisionError):
        sequencer.submit(LEAF, 5)
    assert sequencer.submit(LEAF, 5).index == 0
    sequencer.close()


def test_what_callers_write_with_their_leaf_is_let_go_once_it_is_written():
    """An answer may have megabytes, and the next leaf may be hours away."""
    sequencer = Sequencer(commit, publish)

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

    sequencer = Sequencer(process, publish)

    for _ in range(2):
        with pytest.raises(LogForkedError, match="two logs"):
            sequencer.submit(LEAF, 5)
    sequencer.wake()
    sequencer.close()


def test_a_fork_that_publishing_finds_stops_everything_too():
    def process(_batches):
        raise LogForkedError("two logs")

    sequencer = Sequencer(commit, process)

    for _ in range(2):
        with pytest.raises(LogForkedError, match="two logs"):
            sequencer.submit(LEAF, 5)
    assert str(sequencer.stopped) == "two logs"
    sequencer.close()


def test_a_batch_commits_while_the_one_before_is_being_published():
    published, second_is_committed, sizes = [], threading.Event(), []

    def process(batch):
        if batch[0].leaf is not LEAF:
            second_is_committed.set()
        return commit(batch)

    def slowly(batches):
        published.extend(batches)
        assert second_is_committed.wait(20)  # which would wait for this one, were there one thread for both

    sequencer = Sequencer(process, slowly)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(sequencer.submit, LEAF, 20)
        while not published:
            time.sleep(0.001)
        second = threads.submit(sequencer.submit, Leaf("exchange:2:final", b"{}"), 20)
        sizes = [first.result(20).index, second.result(20).index]

    assert sizes == [0, 0]
    assert len(published) == 2
    sequencer.close()


def test_leaves_that_fail_together_get_an_error_each():
    """An error that several threads raise is written into by each."""
    entered, leave = threading.Event(), threading.Event()

    def process(batch):
        entered.set()
        assert leave.wait(20)
        return commit(batch)

    def fail(_batches):
        raise StoreUnavailableError("gone")

    sequencer = Sequencer(process, fail)
    leaves = [Leaf(f"exchange:{number}:final", b"{}") for number in range(3)]
    with ThreadPoolExecutor(3) as threads:
        results = [threads.submit(sequencer.submit, leaves[0], 20)]
        assert entered.wait(20)
        results += [threads.submit(sequencer.submit, leaf, 20) for leaf in leaves[1:]]
        while sequencer.waiting() < 2:
            time.sleep(0.001)
        leave.set()
        errors = [result.exception(20) for result in results]

    assert [str(error) for error in errors] == [
        f"exchange:{number}:final cannot be logged and published now: gone" for number in range(3)
    ]
    assert all(isinstance(error, LogUnavailableError) for error in errors)
    assert errors[1] is not errors[2]
    sequencer.close()


def test_a_batch_is_bounded():
    taken, entered, leave = [], threading.Event(), threading.Event()

    def process(batch):
        taken.append(len(batch))
        entered.set()
        assert leave.wait(20)

    thread = QueueThread("test", process, most=3)
    thread.put(0)
    assert entered.wait(20)
    for item in range(5):
        thread.put(item)
    leave.set()
    thread.close()

    assert taken == [1, 3, 2]
