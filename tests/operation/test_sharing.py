"""Connections come evenly to the workers of a node."""

import http.client
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing

import pytest

from gateway import sharing
from gateway.sharing import ConnectionCounts
from tests.bench.servers import plain_server


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield listener


@pytest.fixture
def nobody_waits(monkeypatch):
    def sleep(_seconds):
        raise AssertionError("it waited")

    monkeypatch.setattr(sharing.time, "sleep", sleep)


def two(mine, other):
    counts = ConnectionCounts(2)
    shares = counts.share(), counts.share()
    for share, count in zip(shares, (mine, other), strict=True):
        share.say(count)
    return shares


def test_a_worker_that_has_more_leaves_a_connection_to_the_other(listener, monkeypatch):
    monkeypatch.setattr(sharing, "WAY_SECONDS", 30.0)
    mine, other = two(2, 1)

    def accept():
        listener.accept()[0].close()
        other.say(2)

    with socket.create_connection(listener.getsockname()):
        thread = threading.Timer(0.01, accept)
        thread.start()
        mine.give_way(listener)
        thread.join()

        with pytest.raises(BlockingIOError):
            listener.accept()


def test_it_takes_what_the_other_leaves_too_long_and_waits_less_each_time(listener):
    mine, _ = two(2, 1)
    patience = []
    for _ in range(6):
        with socket.create_connection(listener.getsockname()):
            patience.append(mine._patience)
            mine.give_way(listener)
            listener.accept()[0].close()

    assert patience[:2] == [sharing.WAY_SECONDS, sharing.WAY_SECONDS / 2]
    assert patience[-1] == sharing.STEP_SECONDS, "it still leaves the other a moment: that one may be idle again"


@pytest.mark.parametrize(("mine", "other"), [(0, 0), (2, 2), (1, 5)])
def test_a_worker_that_has_no_more_than_the_other_waits_for_nobody(listener, nobody_waits, mine, other):
    mine, _ = two(mine, other)
    with socket.create_connection(listener.getsockname()):
        mine.give_way(listener)


def test_nobody_waits_for_a_worker_that_is_ending(listener, nobody_waits):
    mine, other = two(2, 1)
    other.leave()
    other.say(0)  # its last connection closes
    with socket.create_connection(listener.getsockname()):
        mine.give_way(listener)


def test_nobody_waits_for_a_worker_that_does_not_serve_yet(listener, nobody_waits):
    counts = ConnectionCounts(2)
    mine, _ = counts.share(), counts.share()
    mine.say(1)
    with socket.create_connection(listener.getsockname()):
        mine.give_way(listener)


def test_a_new_worker_takes_the_place_of_one_that_has_ended():
    counts = ConnectionCounts(2)
    first, second = counts.share(), counts.share()
    assert counts.share() is None

    first.leave()
    third = counts.share()
    third.say(7)
    assert second._others_have_fewer() is False
    second.say(8)
    assert second._others_have_fewer() is True


def burst(address, connections):
    """Open connections as fast as can be, keep them, and give which worker answers on how many of them."""
    with ExitStack() as kept:
        lines = [
            kept.enter_context(closing(http.client.HTTPConnection(*address, timeout=30))) for _ in range(connections)
        ]
        for line in lines:
            line.connect()
        for line in lines:
            line.request("GET", "/")
        return Counter(line.getresponse().read() for line in lines)


def test_kept_connections_are_spread_over_real_workers():
    """Without it one of two workers took all connections of every third burst."""
    with plain_server("tests.operation.who_answers", "/") as served:
        give_up, seen = time.monotonic() + 30, set()
        while len(seen) < 2:
            assert time.monotonic() < give_up, "the second worker does not serve"
            seen |= burst(served.address, 8).keys()

        bursts = [burst(served.address, 32) for _ in range(10)]
    assert all(len(answered) == 2 for answered in bursts), bursts
    assert min(sum(bursts, Counter()).values()) >= 80, bursts
