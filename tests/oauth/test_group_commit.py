"""Writes of many threads in one transaction: each whole or not at all, none reported before it is on disk."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, select

from gateway.db.engine import Database
from gateway.db.group_commit import GroupCommit
from gateway.errors import StoreUnavailableError
from gateway.oauth.models import Seen
from gateway.oauth.replay import ReplayedError, SeenKey, consume

pytestmark = pytest.mark.both_databases


def seen(number):
    return SeenKey(number.to_bytes(32, "big"), 10, "proof")


def stored(database):
    with database.read() as session:
        return set(session.scalars(select(Seen.k)))


@pytest.fixture
def commits(database):
    return GroupCommit(database)


@pytest.fixture
def slow(database):
    """Counts commits, and lets each wait until the test has queued up its writes."""
    gate, committed = threading.Event(), []

    @event.listens_for(database.writer, "commit")
    def _commit(_connection):
        assert gate.wait(30)
        committed.append(1)

    return gate, committed


def test_a_write_is_there_when_it_is_reported(database, commits):
    assert commits.run(lambda connection: (consume(connection, [seen(1)], None), "result")[1]) == "result"

    assert stored(database) == {seen(1).key}


def test_one_failing_write_leaves_the_others_alone(database, commits, slow):
    gate, _ = slow
    numbers = [1, 2, 2, 3, 3, 3, 4]

    def use(number):
        try:
            commits.run(lambda connection: consume(connection, [seen(100 + number), seen(number)], None))
        except ReplayedError:
            return False
        return True

    with ThreadPoolExecutor(len(numbers)) as pool:
        results = [pool.submit(use, number) for number in numbers]
        gate.set()

    assert sum(result.result() for result in results) == 4
    assert stored(database) == {seen(base + number).key for base in (0, 100) for number in (1, 2, 3, 4)}


def test_what_a_failing_write_has_done_is_undone(database, commits):
    def fail(connection):
        consume(connection, [seen(1)], None)
        raise LookupError("on second thoughts")

    with pytest.raises(LookupError):
        commits.run(fail)

    assert stored(database) == set()
    commits.run(lambda connection: consume(connection, [seen(1)], None))


def test_writes_that_wait_share_a_commit_on_sqlite(database, commits, slow):
    gate, committed = slow
    with ThreadPoolExecutor(33) as pool:
        results = [
            pool.submit(commits.run, lambda connection, number=number: consume(connection, [seen(number)], None))
            for number in range(33)
        ]
        while database.is_sqlite and len(commits._waiting) < 32:
            threading.Event().wait(0.01)
        gate.set()
    for result in results:
        result.result()

    assert len(committed) == (2 if database.is_sqlite else 33)
    assert len(stored(database)) == 33


def test_nobody_is_told_that_a_failed_commit_worked(database, commits):
    unreachable = Database("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    whole, database.writer = database.writer, unreachable.writer
    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(commits.run, lambda connection: None) for _ in range(8)]
    database.writer = whole

    for result in results:
        with pytest.raises(StoreUnavailableError):
            result.result()


def test_an_interrupted_leader_tells_the_others(database, commits):
    if not database.is_sqlite:
        pytest.skip("no leader on PostgreSQL")
    arrived = threading.Event()

    def interrupted(_connection):
        assert arrived.wait(30)
        raise KeyboardInterrupt

    def lead():
        with pytest.raises(KeyboardInterrupt):
            commits.run(interrupted)

    leader = threading.Thread(target=lead)
    leader.start()
    while not commits._is_led:
        threading.Event().wait(0.01)
    arrived.set()
    leader.join(30)

    commits.run(lambda connection: consume(connection, [seen(1)], None))
    assert stored(database) == {seen(1).key}


def test_on_postgresql_a_write_of_its_own_kind_waits_for_nobody(database, commits):
    if database.is_sqlite:
        pytest.skip("there one writes after the other")

    with commits._lock:  # somebody leads
        commits._is_led = True
    commits.run(lambda connection: consume(connection, [seen(1)], None))

    assert stored(database) == {seen(1).key}
