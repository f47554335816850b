"""Records of megabytes: few of them are under way at once in one process, and their memory is given back."""

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import event

from gateway.exchange import finishing
from gateway.exchange.large_records import LargeRecords
from ipx.answers import Released
from tests.exchange.servers import serving

MEGA = 1 << 20


@pytest.fixture
def large():
    return LargeRecords(at_once_bytes=10 * MEGA, large_bytes=MEGA, patience_seconds=120)


@pytest.fixture
def impatient():
    return LargeRecords(at_once_bytes=10 * MEGA, large_bytes=MEGA, patience_seconds=0)


class Others:
    """Exchanges of other threads, each of one record: they say when they have their turn, and end when told to."""

    def __init__(self, large):
        self._large = large
        self.began: list[str] = []
        self._ends: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []

    def start(self, name, size):
        self._ends[name] = threading.Event()
        thread = threading.Thread(target=self._exchange, args=(name, size), daemon=True)
        self._threads.append(thread)
        thread.start()

    def end(self, name):
        self._ends[name].set()

    def are_settled(self, *, waiting):
        """Wait until all have begun but so many, which wait."""
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            if len(self._large._waiting) == waiting and len(self.began) == len(self._threads) - waiting:
                return True
            time.sleep(0.001)
        return False

    def join(self):
        for name in self._ends:
            self.end(name)
        for thread in self._threads:
            thread.join(60)

    def _exchange(self, name, size):
        with self._large.exchange():
            self._large.take(name, size)
            self.began.append(name)
            self._ends[name].wait(60)


@pytest.fixture
def others(large):
    others = Others(large)
    yield others
    others.join()


def test_whoever_came_first_goes_first_and_the_next_when_there_is_room(large, others):
    others.start("first", 9 * MEGA)
    assert others.are_settled(waiting=0)
    others.start("second", 9 * MEGA)
    assert others.are_settled(waiting=1)
    others.start("third", MEGA)  # there is room for it; but such ones could keep the second waiting for ever
    assert others.are_settled(waiting=2)

    others.end("first")

    assert others.are_settled(waiting=0)
    assert others.began == ["first", "second", "third"]


def test_several_are_under_way_as_long_as_there_is_room(large, others):
    for number in range(5):
        others.start(f"record {number}", 2 * MEGA)

    assert others.are_settled(waiting=0)


def test_one_that_is_larger_than_all_room_goes_alone(large, others):
    others.start("small", 2 * MEGA)
    assert others.are_settled(waiting=0)
    others.start("huge", 20 * MEGA)
    assert others.are_settled(waiting=1)

    others.end("small")

    assert others.are_settled(waiting=0)


def test_small_records_never_wait(large, others):
    others.start("huge", 20 * MEGA)
    assert others.are_settled(waiting=0)

    with large.exchange():
        assert large.take("small", MEGA - 1) == 0


def test_after_a_while_it_goes_on_all_the_same(impatient):
    others = Others(impatient)
    for number in range(3):
        others.start(f"record {number}", 9 * MEGA)

    assert others.are_settled(waiting=0)
    others.join()


def test_an_exchange_that_has_a_turn_does_not_wait_for_another_one(large):
    """Two that each wait for what the other one has would wait for ever."""
    with large.exchange():
        large.take("record", 8 * MEGA)
        assert large.take("its case", 8 * MEGA) == 0


def test_outside_of_exchanges_nobody_waits(large, others):
    others.start("huge", 20 * MEGA)
    assert others.are_settled(waiting=0)

    assert large.take("looked at by an administrator", 20 * MEGA) == 0


def test_a_record_known_to_be_large_has_its_turn_before_it_is_fetched(large, others):
    with large.exchange():
        large.take("record", 9 * MEGA)
    others.start("record", None)
    assert others.are_settled(waiting=0)
    others.start("other", 9 * MEGA)
    assert others.are_settled(waiting=1)


def test_a_record_that_is_small_by_now_has_no_turn(large, others):
    for size in (9 * MEGA, 10):
        with large.exchange():
            large.take("record", size)
    for name in ("record", "other"):
        others.start(name, None if name == "record" else 9 * MEGA)

    assert others.are_settled(waiting=0)


def test_an_exchange_that_breaks_gives_its_turn_on(large, others):
    def breaks():
        with large.exchange():
            large.take("record", 9 * MEGA)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks()

    others.start("other", 9 * MEGA)
    assert others.are_settled(waiting=0)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_each_exchange_has_its_turn_for_as_long_as_its_answer_is_made(gateway):
    large = gateway.services.intake.large
    large._large = 1

    answers = [gateway.ask() for _ in range(2)]
    with large.exchange():
        large.take("another", large._most)
        large._patience = 0.0
        answers.append(gateway.ask())
        during = large._bytes

    assert all(isinstance(answer, Released) for answer in answers)
    assert len(large._known) == 2  # the mark, and the other one
    assert (during, large._bytes) == (large._most, 0)


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_connection_over_which_megabytes_went_is_not_kept(gateway, monkeypatch):
    """Its buffers would stay as large as that."""
    closed = []
    event.listen(gateway.services.database.writer, "close", lambda *_: closed.append(1))
    answers = [gateway.ask()]
    assert not closed

    monkeypatch.setattr(finishing, "LARGE_BYTES", 1)
    answers += [gateway.ask(), gateway.ask()]

    assert len(closed) == 2
    assert all(isinstance(answer, Released) for answer in answers)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists() or not Path("/proc/thread-self/children").exists(),
    reason="the system does not tell what is shared",
)
def test_workers_share_what_the_master_loaded(demo, settings):
    with serving(demo, settings) as (_, server):
        [worker] = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text("ascii").split()
        lines = Path(f"/proc/{worker}/smaps_rollup").read_text("ascii").splitlines()

    pages = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
    assert pages["Shared_Dirty"] > 0.4 * pages["Rss"], pages
