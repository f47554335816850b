"""Appending, proving, and what a repeated or failing step does to others."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import column, insert, select, table, text, update
from sqlalchemy.exc import OperationalError

from gateway.db.group_commit import Joint, NotTogetherError
from gateway.errors import StoreUnavailableError, UnknownError
from gateway.evidence.errors import DuplicateStepError, LogForkedError, LogUnavailableError
from gateway.evidence.leaf import Leaf
from gateway.evidence.models import LogCheckpoint, LogEntry, LogTile
from ipx.merkle import EMPTY_ROOT, leaf_hash, verify_consistency, verify_inclusion
from ipx.note import Checkpoint, open_note


class Gate:
    """Holds a batch open inside its transaction, so that others have to queue behind it."""

    def __init__(self, log) -> None:
        self._log = log
        self._entered = threading.Event()
        self._leave = threading.Event()

    def __call__(self, _connection) -> None:
        self._entered.set()
        assert self._leave.wait(20)

    def wait_until_entered(self) -> None:
        assert self._entered.wait(20)

    def wait_for_queue(self, length: int) -> None:
        deadline = time.monotonic() + 20
        while self._log._sequencer.waiting() < length:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def open(self) -> None:
        self._leave.set()


SIDE = table("side_effect", column("step"))


def leaf(number: int, then=None) -> Leaf:
    return Leaf(f"exchange:{number}:final", b'{"c":"%d"}' % number, then)


def checkpoint_of(log, note: str) -> Checkpoint:
    return Checkpoint.parse(open_note(note, [log.key]).text)


def verify(log, entry: bytes, logged) -> None:
    checkpoint = checkpoint_of(log, logged.checkpoint_note)
    assert checkpoint.size == logged.size
    verify_inclusion(logged.index, logged.size, leaf_hash(entry), logged.proof, checkpoint.root)


@pytest.fixture
def side_effects(database):
    """A table of the callers' own, written in the transaction that logs them."""
    with database.write_connection() as connection:
        connection.execute(text("CREATE TABLE side_effect (step VARCHAR(64) PRIMARY KEY)"))

    def read() -> list[str]:
        with database.read_connection() as connection:
            return list(connection.execute(select(SIDE.c.step).order_by(SIDE.c.step)).scalars())

    return read


def writes(step: str):
    return lambda connection: connection.execute(insert(SIDE).values(step=step))


def test_a_new_log_publishes_the_empty_tree_before_any_leaf(log, checkpoints):
    checkpoint = checkpoint_of(log, checkpoints.get(log.origin))

    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == ("gw.example/log", 0, EMPTY_ROOT)


def test_each_leaf_comes_back_with_a_proof_under_a_published_checkpoint(log, checkpoints):
    for number in range(5):
        logged = log.append(leaf(number))

        assert logged.index == number
        verify(log, leaf(number).entry, logged)
        assert checkpoints.get(log.origin) == logged.checkpoint_note


def test_leaves_stay_provable_across_the_edges_of_tiles(log):
    with ThreadPoolExecutor(32) as pool:
        logged = list(pool.map(lambda number: log.append(leaf(number)), range(520)))

    for number, one in enumerate(logged):
        verify(log, leaf(number).entry, one)
    root = checkpoint_of(log, max(logged, key=lambda one: one.size).checkpoint_note).root
    for index in (0, 1, 254, 255, 256, 257, 511, 512, 519):
        entry = next(leaf(number).entry for number, one in enumerate(logged) if one.index == index)
        verify_inclusion(index, 520, leaf_hash(entry), log.proof(index, 520), root)


def test_leaves_that_wait_together_are_committed_together(log, database):
    gate = Gate(log)
    with ThreadPoolExecutor(40) as pool:
        first = pool.submit(log.append, leaf(0, gate))
        gate.wait_until_entered()
        others = [pool.submit(log.append, leaf(number)) for number in range(1, 33)]
        gate.wait_for_queue(32)
        gate.open()
        sizes = {future.result().size for future in [first, *others]}

    assert sizes == {1, 33}
    with database.read_connection() as connection:
        assert connection.execute(select(LogCheckpoint.size).order_by(LogCheckpoint.size)).scalars().all() == [0, 1, 33]


def test_one_checkpoint_extends_another(log):
    notes = [log.append(leaf(number)).checkpoint_note for number in range(300)]
    roots = [(size, checkpoint_of(log, notes[size - 1]).root) for size in (1, 7, 255, 256, 257, 300)]

    for at, (old, old_root) in enumerate(roots):
        for new, new_root in roots[at:]:
            verify_consistency(old, new, log.consistency(old, new), old_root, new_root)


def test_what_belongs_to_a_leaf_is_written_with_it(log, side_effects):
    log.append(leaf(1, writes("one")))

    assert side_effects() == ["one"]


class Part(Joint):
    """What a caller adds to a leaf: either way of writing it is noted."""

    def __init__(self, error=None):
        self.error = error

    def __call__(self, connection):
        connection.execute(insert(SIDE).values(step="alone"))
        if self.error is not None:
            raise self.error

    @classmethod
    def together(cls, connection, writes):
        connection.execute(insert(SIDE).values(step="together"))
        if any(write.error for write in writes):
            raise NotTogetherError
        return [None] * len(writes)


def test_a_joint_part_is_written_by_its_common_statements_also_where_its_leaf_has_a_batch_to_itself(log, side_effects):
    log.append(leaf(1, Part()))

    assert side_effects() == ["together"]


def test_where_those_fail_it_is_written_alone_and_says_itself_why(log, side_effects):
    with pytest.raises(LookupError, match="closed meanwhile"):
        log.append(leaf(1, Part(LookupError("closed meanwhile"))))

    assert side_effects() == []
    assert log.append(leaf(2)).size == 1


def test_a_step_is_logged_once(log, side_effects):
    log.append(leaf(1, writes("one")))

    with pytest.raises(DuplicateStepError) as caught:
        log.append(leaf(1, writes("again")))

    assert caught.value.existing == 0
    assert side_effects() == ["one"]
    assert log.append(leaf(2)).index == 1


def test_a_repeated_step_gets_the_same_evidence_again(log):
    first = [log.append(leaf(number)) for number in range(3)]
    for number in range(3, 270):
        log.append(leaf(number))

    assert [log.logged(f"exchange:{number}:final") for number in range(3)] == first


def test_the_same_evidence_also_for_leaves_of_one_batch(log):
    with ThreadPoolExecutor(16) as pool:
        logged = list(pool.map(lambda number: log.append(leaf(number)), range(300)))

    assert [log.logged(f"exchange:{number}:final") for number in range(300)] == logged


def test_nobody_has_evidence_for_a_step_that_was_not_logged(log):
    with pytest.raises(UnknownError):
        log.logged("exchange:9:final")


def test_bad_items_of_a_batch_do_not_fail_their_neighbours(log, side_effects):
    log.append(leaf(0))
    gate = Gate(log)

    def breaks(_connection):
        raise ZeroDivisionError

    items = [
        leaf(1, writes("one")),
        leaf(0, writes("duplicate")),
        leaf(2, breaks),
        leaf(3, writes("one")),
        leaf(4, writes("four")),
        leaf(4, writes("four again")),
    ]
    with ThreadPoolExecutor(8) as pool:
        blocker = pool.submit(log.append, leaf(99, gate))
        gate.wait_until_entered()
        futures = []
        for at, item in enumerate(items, 1):
            futures.append(pool.submit(log.append, item))
            gate.wait_for_queue(at)
        gate.open()
        errors = [type(future.exception()).__name__ for future in futures]

    assert errors == [
        "NoneType",
        "DuplicateStepError",
        "ZeroDivisionError",
        "IntegrityError",
        "NoneType",
        "DuplicateStepError",
    ]
    assert blocker.result().index == 1
    assert [futures[at].result().index for at in (0, 4)] == [2, 3]
    assert side_effects() == ["four", "one"]
    log.audit()


def test_an_act_is_logged_in_its_own_transaction_and_published_soon_after(log, database, checkpoints):
    with database.write_connection() as connection:
        pending = log.append_within(connection, Leaf("act:1", b"{}"))
    log.publish_soon()
    log.close()

    assert pending.index == 0
    assert checkpoint_of(log, checkpoints.get(log.origin)).size == 1
    verify(log, b"{}", log.logged("act:1"))


def test_an_act_that_is_rolled_back_leaves_no_leaf(log, database):
    log.append(leaf(1))

    def act_and_fail() -> None:
        with database.write_connection() as connection:
            log.append_within(connection, Leaf("act:1", b"{}"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act_and_fail()
    assert log.append(leaf(2)).index == 1
    log.audit()


def test_an_act_is_logged_once(log, database):
    log.append(Leaf("act:1", b"{}"))

    with pytest.raises(DuplicateStepError), database.write_connection() as connection:
        log.append_within(connection, Leaf("act:1", b"{}"))


def test_acts_and_exchanges_share_one_log(log, database):
    def act(number):
        with database.write_connection() as connection:
            log.append_within(connection, Leaf(f"act:{number}", b"{}"))
        log.publish_soon()

    with ThreadPoolExecutor(8) as pool:
        acts = [pool.submit(act, number) for number in range(20)]
        exchanges = [pool.submit(log.append, leaf(number)) for number in range(100)]
        for future in acts + exchanges:
            future.result()

    log.audit()
    assert len(log.proof(0, 120)) == 7


def test_a_reader_s_transaction_cannot_fork_the_log(database, log):
    """The trap of evidence.md: two transactions that read the head before either writes."""
    with database.reader.connect() as one, database.reader.connect() as two:
        for connection in (one, two):
            connection.execute(select(LogEntry.idx)).all()
        log.append_within(one, Leaf("act:1", b"one"))
        one.commit()
        with suppress(OperationalError):  # SQLite refuses a stale reader's write, PostgreSQL reads the head anew
            log.append_within(two, Leaf("act:2", b"two"))
            two.commit()

    log.audit()
    assert log.append(leaf(3)).index == (1 if database.is_sqlite else 2)


def test_an_unopened_log_takes_nothing(new_log):
    with pytest.raises(LogUnavailableError):
        new_log().append(leaf(1))


def test_proofs_beyond_the_log_are_unknown(log):
    log.append(leaf(0))

    for index, size in ((0, 2), (1, 1), (-1, 1)):
        with pytest.raises(UnknownError):
            log.proof(index, size)
    for old, new in ((0, 1), (1, 2), (2, 1)):
        with pytest.raises(UnknownError):
            log.consistency(old, new)


def test_a_changed_tile_at_the_edge_stops_the_log_for_good(log, database):
    log.append(leaf(0))
    log.append(leaf(1))
    with database.write_connection() as connection:
        data = connection.execute(select(LogTile.data)).scalar_one()
        damaged = bytes([data[0] ^ 1]) + data[1:]
        connection.execute(text("UPDATE log_tile SET data = :data"), {"data": damaged})

    with pytest.raises(LogForkedError, match="right edge"):
        log.append(leaf(2))

    with database.write_connection() as connection:
        connection.execute(text("UPDATE log_tile SET data = :data"), {"data": data})
    for act in (lambda: log.append(leaf(3)), log.ready, lambda: log.logged("exchange:0:final")):
        with pytest.raises(LogForkedError):
            act()


def test_a_caller_does_not_wait_for_ever(new_log):
    log = new_log(append_seconds=0.1)
    log.open()
    gate = Gate(log)
    with ThreadPoolExecutor(2) as pool:
        taken = pool.submit(log.append, leaf(1, gate))
        gate.wait_until_entered()
        queued = pool.submit(log.append, leaf(2))
        errors = [future.exception() for future in (taken, queued)]
        gate.open()

    assert all(isinstance(error, LogUnavailableError) for error in errors)
    assert "is not known" in str(errors[0])
    assert "waited" in str(errors[1])
    log.close()
    assert log.logged("exchange:1:final").index == 0
    with pytest.raises(UnknownError):
        log.logged("exchange:2:final")


def test_a_closed_log_starts_again_with_the_next_leaf(log):
    log.append(leaf(1))
    log.close()

    assert log.append(leaf(2)).index == 1


def test_a_deadlock_with_an_act_fails_one_of_the_two_and_forks_nothing(log, database, side_effects):
    """The act holds a row and wants the head; the batch holds the head and wants the row."""
    if database.is_sqlite:
        pytest.skip("SQLite has one lock for all")
    log.append(leaf(0, writes("row")))
    gate = Gate(log)

    def touch(connection) -> None:
        connection.execute(update(SIDE).values(step="row"))

    def batch(connection) -> None:
        gate(connection)
        touch(connection)

    def act() -> None:
        with database.write_connection() as connection:
            touch(connection)
            gate.open()
            log.append_within(connection, Leaf("act:1", b"{}"))

    with ThreadPoolExecutor(2) as pool:
        logged = pool.submit(log.append, leaf(1, batch))
        gate.wait_until_entered()
        acted = pool.submit(act)
        assert logged.result().size > 1
        with suppress(StoreUnavailableError):
            acted.result()

    log.audit()
