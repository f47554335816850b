"""The separate store of what was published, and the refusal to start beside it."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import event, text

from gateway.db.engine import Database
from gateway.errors import StoreUnavailableError
from gateway.evidence.checkpoints import CheckpointStore
from gateway.evidence.errors import LogForkedError, LogUnavailableError
from gateway.evidence.leaf import Leaf
from gateway.evidence.log import EvidenceLog
from ipx.keys import generate_signer
from ipx.merkle import EMPTY_ROOT
from ipx.note import Checkpoint, NoteSigner, open_note, sign


def leaf(number: int) -> Leaf:
    return Leaf(f"exchange:{number}:final", b'{"c":"%d"}' % number)


def size_of(log: EvidenceLog, body: str) -> int:
    return Checkpoint.parse(open_note(body, [log.key]).text).size


class StoreThat(CheckpointStore):
    """A store whose swaps can be made to fail, as when its volume is gone."""

    is_down = False

    def swap(self, log_id, old, new):
        if self.is_down:
            raise StoreUnavailableError("the volume is gone")
        return super().swap(log_id, old, new)


@pytest.fixture
def copied(database, database_url, request, tmp_path):
    """Copies the log's database as it is now; gives it as a database of its own, or puts it back in place."""
    made = []

    def copy(number: int) -> Database:
        if database.is_sqlite:
            with database.writer.connect() as connection:
                connection.connection.dbapi_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            path = tmp_path / f"copy{number}.db"
            shutil.copy(Path(database.url.database), path)
            url = f"sqlite:///{path}"
        else:
            database.dispose()
            admin: Database = request.getfixturevalue("postgres_template")
            name = f"{database.url.database[:50]}_c{number}"
            with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{database.url.database}"'))
            url = admin.url.set(database=name).render_as_string(hide_password=False)
        made.append(Database(url))
        return made[-1]

    yield copy
    for one in made:
        one.dispose()
        if not one.is_sqlite:
            admin = request.getfixturevalue("postgres_template")
            with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text(f'DROP DATABASE "{one.url.database}" WITH (FORCE)'))


def test_the_store_swaps_only_for_whoever_knows_what_it_holds(checkpoints):
    checkpoints.create("a", "1")
    checkpoints.create("a", "0")

    assert not checkpoints.swap("a", "0", "2")
    assert checkpoints.get("a") == "1"
    assert checkpoints.swap("a", "1", "2")
    assert checkpoints.get("a") == "2"
    assert checkpoints.get("b") is None
    assert not checkpoints.swap("b", "1", "2")


def test_a_log_is_created_in_the_store_before_it_can_take_a_leaf(new_log, database, checkpoint_database, checkpoints):
    order = []

    def remember(name):
        def listener(_connection, _cursor, statement, *_):
            if statement.startswith("INSERT"):
                order.append(name)

        return listener

    event.listen(checkpoint_database.writer, "before_cursor_execute", remember("store"))
    event.listen(database.writer, "before_cursor_execute", remember("log"))

    new_log().open()

    assert order == ["store", "log", "log"]


def test_leaves_are_committed_before_the_store_swaps_and_published_before_the_answer(
    log, database, checkpoints, monkeypatch
):
    order = []
    event.listen(database.writer, "commit", lambda _: order.append("commit"))
    swap = checkpoints.swap
    monkeypatch.setattr(checkpoints, "swap", lambda *bodies: swap(*bodies) and order.append("swap") is None)

    logged = log.append(leaf(1))

    assert order == ["commit", "swap"]
    assert checkpoints.get(log.origin) == logged.checkpoint_note


def test_opening_twice_changes_nothing(new_log, checkpoints):
    first, second = new_log(), new_log()
    first.open()
    second.open()
    first.append(leaf(1))
    new_log().open()

    assert size_of(first, checkpoints.get(first.origin)) == 1


def test_a_crash_while_a_log_is_created_is_mended_at_the_next_start(new_log, note_signer, checkpoints):
    checkpoints.create(note_signer.name, sign(Checkpoint(note_signer.name, 0, EMPTY_ROOT).text(), note_signer))

    log = new_log()
    log.open()

    assert log.append(leaf(1)).index == 0


def test_a_crash_between_commit_and_publication_is_mended_at_the_next_start(new_log, database, checkpoints):
    log = new_log()
    log.open()
    before = log.append(leaf(1)).checkpoint_note
    with database.write_connection() as connection:
        log.append_within(connection, leaf(2))  # and the process ends before anything is published
    assert checkpoints.get(log.origin) == before

    again = new_log()
    again.open()

    assert size_of(again, checkpoints.get(again.origin)) == 2
    assert again.logged("exchange:2:final").size == 2


def test_a_restored_older_backup_refuses_to_start_and_names_both_sizes(new_log, copied):
    log = new_log()
    log.open()
    for number in range(3):
        log.append(leaf(number))
    backup = copied(1)
    for number in range(3, 7):
        log.append(leaf(number))

    with pytest.raises(LogForkedError, match=r"\b3 leaves.*\b7 was published"):
        new_log(on=backup).open()


def test_an_emptied_database_refuses_to_start(new_log, copied):
    log = new_log()
    empty = copied(1)
    log.open()
    log.append(leaf(1))

    with pytest.raises(LogForkedError, match=r"\b0 leaves.*\b1 was published"):
        new_log(on=empty).open()


def test_a_running_copy_is_caught_when_it_appends(new_log, copied, checkpoints):
    log = new_log()
    log.open()
    log.append(leaf(1))
    twin = new_log(on=copied(1))
    twin.open()

    log.append(leaf(2))
    with pytest.raises(LogForkedError, match="another root"):
        twin.append(leaf(3))

    with pytest.raises(LogForkedError):
        twin.append(leaf(4))
    assert log.append(leaf(5)).index == 2


def test_a_running_copy_that_is_ahead_is_caught_too(new_log, copied):
    log = new_log()
    log.open()
    log.append(leaf(1))
    twin = new_log(on=copied(1))
    twin.open()
    twin.append(leaf(2))
    twin.append(leaf(3))

    with pytest.raises(LogForkedError, match="has 2 leaves, but a checkpoint of 3"):
        log.append(leaf(4))


def test_a_copy_that_grew_apart_refuses_to_start(new_log, copied):
    log = new_log()
    log.open()
    log.append(leaf(1))
    other = copied(1)
    log.append(leaf(2))
    twin = new_log(on=other)
    with other.write_connection() as connection:
        for number in range(3, 6):
            twin.append_within(connection, leaf(number))

    with pytest.raises(LogForkedError, match="another root"):
        twin.open()


def test_a_lost_store_refuses_to_start(new_log, checkpoint_database):
    log = new_log()
    log.open()
    log.append(leaf(1))
    with checkpoint_database.write_connection() as connection:
        connection.execute(text("DELETE FROM checkpoint_cas"))

    with pytest.raises(LogForkedError, match="1 leaves, but the checkpoint store holds 0"):
        new_log().open()
    with pytest.raises(LogForkedError, match="lost"):
        log.append(leaf(2))


def test_a_store_signed_by_another_key_refuses_to_start(new_log, note_signer):
    log = new_log()
    log.open()
    log.append(leaf(1))

    with pytest.raises(LogForkedError, match="did not sign"):
        new_log(signer=NoteSigner(note_signer.name, generate_signer("Ed25519"))).open()


def test_a_renamed_log_refuses_to_start(new_log, log_key):
    log = new_log()
    log.open()
    log.append(leaf(1))

    with pytest.raises(LogForkedError, match=r"gw\.example/other"):
        new_log(signer=NoteSigner("gw.example/other", log_key)).open()


def test_two_processes_publish_one_log(new_log, checkpoints):
    one, two = new_log(), new_log()
    one.open()
    two.open()
    for number in range(0, 20, 2):
        assert one.append(leaf(number)).index == number
        assert two.append(leaf(number + 1)).index == number + 1

    assert size_of(one, checkpoints.get(one.origin)) == 20
    one.audit()


def test_while_the_store_is_down_nothing_is_answered_and_afterwards_all_is_there(
    new_log, checkpoint_database, checkpoints
):
    store = StoreThat(checkpoint_database)
    log = new_log(store=store)
    log.open()
    log.append(leaf(1))
    store.is_down = True

    with pytest.raises(LogUnavailableError):
        log.append(leaf(2))

    store.is_down = False
    log.ready()
    assert log.logged("exchange:2:final").index == 1
    assert size_of(log, checkpoints.get(log.origin)) == 2


def test_a_log_whose_store_cannot_be_written_is_not_ready(new_log, checkpoint_database):
    log = new_log()
    log.open()
    log.ready()
    with checkpoint_database.write_connection() as connection:
        connection.execute(text("ALTER TABLE checkpoint_cas RENAME TO elsewhere"))

    with pytest.raises(LogUnavailableError):
        log.append(leaf(1))
    with pytest.raises(LogUnavailableError):
        log.ready()

    with checkpoint_database.write_connection() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO checkpoint_cas"))
    log.ready()
    assert log.logged("exchange:1:final").index == 0


def test_a_log_that_cannot_be_written_is_not_ready(new_log, database):
    log = new_log()
    log.open()
    with database.write_connection() as connection:
        connection.execute(text("ALTER TABLE log_head RENAME TO elsewhere"))

    for act in (lambda: log.append(leaf(1)), log.ready):
        with pytest.raises(LogUnavailableError):
            act()


def test_processes_that_create_the_store_at_once_end_with_one(checkpoint_url):
    databases = [Database(checkpoint_url) for _ in range(6)]
    gate = Barrier(6)

    def create(database: Database) -> None:
        gate.wait(20)
        CheckpointStore(database).create_table()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(create, databases))

    CheckpointStore(databases[0]).create("a", "1")
    assert CheckpointStore(databases[5]).get("a") == "1"
    for database in databases:
        database.dispose()
