"""What many threads file and finish at once: common statements write what each would have written alone."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import OperationalError

from gateway.db.engine import Database
from gateway.db.group_commit import GroupCommit, NotTogetherError
from gateway.errors import StoreUnavailableError
from gateway.evidence.class_keys import ClassKeys
from gateway.evidence.models import LogEntry
from gateway.exchange.errors import LostRaceError, RecalledMeanwhileError, StaleRequestError
from gateway.exchange.filing import ClassKeyGoneError, Filing, Known
from gateway.exchange.finishing import Finish
from gateway.exchange.models import Exchange, ExchangePayload
from gateway.keywrap import KeyWrap
from gateway.oauth.errors import AccessRefusedError
from gateway.oauth.models import Seen
from gateway.oauth.replay import ReplayedError, SeenKey, consume

NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
LATER = datetime(2026, 11, 25, 9, 31, tzinfo=UTC)


@pytest.fixture
def filing(database):
    """Makes requests to be filed; only what is named differs from one to the other."""
    keys = ClassKeys(database, KeyWrap(b"k" * 32), lambda: NOW)

    def make(number, *, jti=None, proof=None, key=None, stale=False):
        def require_fresh():
            if stale:
                raise StaleRequestError("too old")

        row = {
            "id": f"exchange-{number}",
            "client_id": "customs-xa.border",
            "requester": "customs-xa",
            "holder": "ipo-xa",
            "jti": jti or f"jti-{number}",
            "request_sha256": bytes([number]) * 32,
            "record_type": "trademark",
            "record_sha256": b"r" * 32,
            "purpose": "border_enforcement",
            "received_at": NOW,
            "deadline_at": LATER,
            "node": "here",
            "state": "received",
            "wrapped_key": b"w",
            "class_key": "any",
            "case_hash": b"c" * 32 if number % 2 else None,
            "acts_as": {"supplier": "court-xa"} if number % 3 == 0 else None,
        }
        proofs = [SeenKey((proof or number).to_bytes(32, "big"), 10, "proof")]
        key = key or keys.current("ipo-xa", "trademark")
        return Filing(keys, proofs, require_fresh, key, row, b"sealed %d" % number)

    make.keys = keys
    return make


def finish(number, *, state="released", also=None):
    row = {
        "new_state": state,
        "new_stage": "log",
        "new_reason": None,
        "new_receipt": f"receipt {number}",
        "new_salt": bytes([number]) * 32,
        "new_pending_receipt": None,
        "new_pending_salt": None,
        "old_state": "received",
    }
    payloads = [
        {"exchange_id": f"exchange-{number}", "name": name, "ciphertext": b"%d" % number}
        for name in ("record", "disclosures")[: number % 3]
    ]
    return Finish(f"exchange-{number}", f"exchange:{number}:final", lambda: LATER, None, row, payloads, also)


def stored(database):
    with database.read() as session:
        rows = [
            tuple(getattr(row, column.key) for column in Exchange.__table__.columns)
            for row in session.scalars(select(Exchange).order_by(Exchange.id))
        ]
        payloads = [
            (row.exchange_id, row.name, row.ciphertext)
            for row in session.scalars(
                select(ExchangePayload).order_by(ExchangePayload.exchange_id, ExchangePayload.name)
            )
        ]
        return rows, payloads, set(session.scalars(select(Seen.k)))


def logged(database, numbers):
    with database.write() as session:
        session.add_all(
            LogEntry(idx=7 + number, step_id=f"exchange:{number}:final", leaf_hash=b"h" * 32, entry=b"e")
            for number in numbers
        )


def in_one_transaction(database, *works):
    with database.write_connection() as connection:
        return type(works[0]).together(connection, works)


def alone(database, *works):
    for work in works:
        with database.write_connection() as connection:
            work(connection)


@pytest.mark.parametrize("together", [True, False])
def test_all_columns_and_payloads_are_there_either_way(database, filing, together):
    write = in_one_transaction if together else alone
    write(database, *(filing(number) for number in range(6)))
    logged(database, range(6))
    write(database, *(finish(number) for number in range(6)))

    rows, payloads, seen = stored(database)

    columns = [column.key for column in Exchange.__table__.columns]
    assert [dict(zip(columns, row, strict=True)) for row in rows] == [
        dict.fromkeys(columns)
        | filing(number).row
        | {
            "state": "released",
            "stage": "log",
            "receipt": f"receipt {number}",
            "salt": bytes([number]) * 32,
            "finished_at": LATER,
            "timing_ms": {},
            "log_index": 7 + number,
        }
        for number in range(6)
    ]
    answered = {(f"exchange-{n}", name, b"%d" % n) for n in range(6) for name in ("record", "disclosures")[: n % 3]}
    assert set(payloads) == {(f"exchange-{n}", "request", b"sealed %d" % n) for n in range(6)} | answered
    assert len(seen) == 6


@pytest.mark.parametrize(
    ("special", "error"),
    [
        ({"proof": 1}, NotTogetherError),
        ({"jti": "jti-1"}, NotTogetherError),
        ({"stale": True}, StaleRequestError),
    ],
)
def test_one_special_request_keeps_all_from_being_filed_together(database, filing, special, error):
    with pytest.raises(error):
        in_one_transaction(database, filing(1), filing(2, **special), filing(3))

    assert stored(database) == ([], [], set())


def test_a_destroyed_class_key_keeps_them_from_it_too_and_alone_it_is_named(database, filing):
    gone = filing.keys.current("ipo-xa", "detention")
    with database.write() as session:
        filing.keys.destroy(session, gone.id)

    with pytest.raises(NotTogetherError):
        in_one_transaction(database, filing(1), filing(2, key=gone))
    with pytest.raises(ClassKeyGoneError):
        alone(database, filing(2, key=gone))

    assert stored(database) == ([], [], set())


def test_an_exchange_that_was_closed_meanwhile_keeps_all_from_being_finished_together(database, filing):
    alone(database, *(filing(number) for number in range(3)))
    logged(database, range(3))
    alone(database, finish(1))
    before = stored(database)

    with pytest.raises((NotTogetherError, LostRaceError)):
        in_one_transaction(database, finish(0), finish(1), finish(2))
    assert stored(database) == before
    with pytest.raises(LostRaceError, match="exchange-1"):
        alone(database, finish(1))


def test_none_of_a_batch_is_released_where_one_was_recalled_meanwhile(database, filing):
    alone(database, *(filing(number) for number in range(3)))
    logged(database, range(3))
    with database.write() as session:
        session.get_one(Exchange, "exchange-1").recalled_at = NOW
    before = stored(database)

    with pytest.raises((NotTogetherError, RecalledMeanwhileError)):
        in_one_transaction(database, finish(0), finish(1), finish(2))
    with pytest.raises(RecalledMeanwhileError):
        alone(database, finish(1))
    assert stored(database) == before
    in_one_transaction(database, finish(0), finish(1, state="denied"), finish(2))
    assert [row[Exchange.__table__.columns.keys().index("state")] for row in stored(database)[0]] == [
        "released",
        "denied",
        "released",
    ]


def test_what_belongs_to_an_outcome_is_written_with_it(database, filing):
    alone(database, filing(0), filing(1))
    logged(database, range(2))
    written = []

    in_one_transaction(database, finish(0, also=written.append), finish(1))

    assert len(written) == 1


@pytest.mark.parametrize("leader", range(4))
def test_in_a_queue_with_repeats_each_gets_what_it_would_get_alone(database, filing, leader):
    """A new request, a known one, and one with a used proof wait for each other; whichever of them leads."""
    alone(database, filing(9))
    works = [filing(1), filing(2, jti="jti-9"), filing(3, proof=9), filing(4)]
    queue = works[leader:] + works[:leader]

    got = dict(zip((work.row["id"] for work in queue), queued(database, queue), strict=True))

    assert got["exchange-1"] is None
    assert got["exchange-2"] == Known("exchange-9", bytes([9]) * 32, "received")
    assert isinstance(got["exchange-3"], AccessRefusedError)
    assert got["exchange-4"] is None
    assert [row[0] for row in stored(database)[0]] == ["exchange-1", "exchange-4", "exchange-9"]


def test_who_waits_together_is_filed_in_one_transaction(database, filing):
    works, commits = [filing(number) for number in range(5)], []
    event.listen(database.writer, "commit", lambda _connection: commits.append(1))

    assert queued(database, works) == [None] * 5
    assert len(commits) == 1
    assert len(stored(database)[0]) == 5


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_lone_request_is_filed_by_the_same_statements(database, filing, monkeypatch):
    monkeypatch.setattr(Filing, "__call__", None)

    assert GroupCommit(database).run(filing(1)) is None
    assert len(stored(database)[0]) == 1


def test_rows_that_others_may_write_too_are_written_in_the_order_of_their_keys(database, filing):
    numbers = [4, 1, 3, 0, 2]
    in_one_transaction(database, *(filing(number, proof=9 - number) for number in numbers))

    with database.read_connection() as connection:
        turn = "rowid" if database.is_sqlite else "cmin::text::int"
        jtis = connection.scalars(text(f"SELECT jti FROM exchange ORDER BY {turn}")).all()
        keys = connection.scalars(text(f"SELECT k FROM seen ORDER BY {'k' if database.is_sqlite else turn}")).all()

    assert jtis == [f"jti-{number}" for number in range(5)]
    assert [bytes(key) for key in keys] == sorted(bytes(key) for key in keys)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("is_committed", [True, False])
def test_a_request_that_another_process_is_filing_is_waited_for(database, filing, is_committed):
    """Theirs is not committed yet when ours meets it: then it is known, or was never filed."""
    with ThreadPoolExecutor(1) as pool, database.writer.connect() as theirs:
        theirs.begin()
        filing(8, jti="jti-2")(theirs)
        ours = pool.submit(queued, database, [filing(number) for number in range(4)])
        wait_for_lock(database)
        theirs.commit() if is_committed else theirs.rollback()
        got = ours.result()

    known = Known("exchange-8", bytes([8]) * 32, "received")
    assert got == [None, None, known if is_committed else None, None]
    assert len(stored(database)[0]) == 4


def test_two_processes_that_get_the_same_requests_at_once_file_each_once(database, database_url, filing):
    other = Database(database_url)
    here, there = GroupCommit(database), GroupCommit(other)
    numbers = range(40)
    with ThreadPoolExecutor(16) as pool:
        results = {}
        for one, another in zip(numbers, reversed(numbers), strict=True):
            results[one] = pool.submit(here.run, filing(one))
            results[100 + another] = pool.submit(there.run, filing(100 + another, jti=f"jti-{another}"))
        got = {number: result.result() for number, result in results.items()}
    other.dispose()

    for number in numbers:
        first = next(one for one in (number, 100 + number) if got[one] is None)
        [second] = {number, 100 + number} - {first}
        assert got[second] == Known(f"exchange-{first}", bytes([first]) * 32, "received")
    assert len(stored(database)[0]) == 40


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_who_waits_for_each_other_in_two_processes_is_filed_all_the_same(database, filing):
    with ThreadPoolExecutor(1) as pool, database.writer.connect() as theirs:
        theirs.begin()
        consume(theirs, filing(2).proofs, NOW)
        ours = pool.submit(queued, database, [filing(1), filing(2)])
        wait_for_lock(database)
        # One of the two is given up: ours, which waited first, or on a slow day theirs.
        with suppress(OperationalError, ReplayedError):
            consume(theirs, filing(1).proofs, NOW)
        theirs.rollback()

        assert ours.result() == [None, None]


def test_all_of_a_transaction_whose_connection_breaks_are_told_and_nothing_is_filed(database, filing):
    is_broken = []

    def break_it():
        if not is_broken:
            is_broken.append(True)
            break_connections(database)

    works = [filing(number) for number in range(3)]
    works[1] = replace(works[1], require_fresh=break_it)

    assert [type(error) for error in queued(database, works)] == [StoreUnavailableError] * 3
    assert stored(database) == ([], [], set())
    assert queued(database, works) == [None] * 3


def queued(database, works):
    """Let the first of some threads lead, and begin only when the others wait behind it."""

    class Patient(GroupCommit):
        is_first = True

        def _gather(self):
            if self.is_first:
                self.is_first, self._enough = False, len(works) - 1
                assert self._enough_came.wait_for(lambda: len(self._waiting) == len(works) - 1, 30)
                self._enough = 0

    commits = Patient(database)

    def run(work):
        try:
            return commits.run(work)
        except (AccessRefusedError, StoreUnavailableError) as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        first = pool.submit(run, works[0])
        while not commits._is_led:
            threading.Event().wait(0.005)
        others = [pool.submit(run, work) for work in works[1:]]
        return [one.result() for one in (first, *others)]


def break_connections(database):
    """Break that of whoever is writing."""
    if database.is_sqlite:
        raise StoreUnavailableError("the file is gone")
    with database.reader.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def wait_for_lock(database):
    """Wait until somebody waits for a row that another one has written and not committed."""
    with database.reader.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            threading.Event().wait(0.01)
