"""Commits wait a moment for calls that are on their way, never where a call is alone, and learn who does not come."""

import threading

import pytest
from sqlalchemy import text

from gateway.db import company, group_commit
from gateway.db.company import Company, Crowd
from gateway.db.engine import Database
from gateway.db.group_commit import GroupCommit
from gateway.evidence import queue_thread
from gateway.evidence.queue_thread import QueueThread

LONG = 60.0


class Nine(Crowd):
    """Nine calls, of which three are worth waiting for."""

    def __len__(self):
        return 9


@pytest.fixture
def patient(monkeypatch):
    """Whoever waits for company waits until it has come: else a slow machine would end the wait before."""
    for module in (queue_thread, group_commit):
        monkeypatch.setattr(module, "SECONDS", LONG)


@pytest.fixture
def three():
    """Company that has learned to wait for three."""
    company = Company(Nine())
    while company.wanted() < 3:
        company.came(company.wanted(), 3)
    return company


def test_a_call_is_counted_while_it_passes():
    crowd = Crowd()
    with crowd.passing():
        assert len(crowd) == 1
    with pytest.raises(LookupError), crowd.passing():
        raise LookupError
    assert len(crowd) == 0


def test_where_a_call_is_alone_or_nobody_is_known_nobody_is_waited_for():
    alone = Company(Crowd())
    for _ in range(100):
        alone.came(1, 5)
    assert (alone.wanted(), Company(None).wanted()) == (1, 1)


def test_as_many_are_waited_for_as_came_of_late_and_no_more_than_a_part_of_the_crowd(three):
    for _ in range(100):
        three.came(3, 9)
    assert three.wanted() == 9 // company.PART
    three.came(3, 2)
    assert three.wanted() == 3, "more than half came"
    three.came(3, 1)
    assert three.wanted() == 1
    for _ in range(company.TRUST):
        three.came(1, 1)
    assert three.wanted() == 2


def test_a_batch_waits_for_those_who_come(patient, three):
    batches = []
    thread = QueueThread("tests", batches.append, company=three)
    for item in "abc":
        thread.put(item)
    thread.close()
    assert batches == [["a", "b", "c"]]


def test_a_thread_that_waits_for_company_ends_with_what_it_has(patient, three):
    batches = []
    thread = QueueThread("tests", batches.append, company=three)
    thread.put("a")
    thread.close(LONG / 2)
    assert batches == [["a"]]


def test_one_that_waits_for_company_goes_on_where_it_is_woken(patient, three):
    done = threading.Event()
    thread = QueueThread("tests", lambda batch: batch == ["a"] and done.set(), company=three)
    thread.put("a")
    thread.wake()
    assert done.wait(LONG / 2)
    thread.close()


def test_writes_that_come_while_the_leader_waits_are_in_its_commit(patient, three, sqlite_url, monkeypatch):
    database = Database(sqlite_url)
    commits, sizes = GroupCommit(database), []
    monkeypatch.setattr(commits, "_company", three)
    commit = commits._commit
    monkeypatch.setattr(commits, "_commit", lambda items: (sizes.append(len(items)), commit(items)))
    threads = [
        threading.Thread(target=commits.run, args=(lambda connection: connection.execute(text("SELECT 1")),))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG / 2)
    database.dispose()
    assert sizes == [3]
