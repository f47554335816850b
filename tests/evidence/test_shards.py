"""The log's key is rotated: what was logged before stays served and provable, and nothing is lost while it happens."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import flask
import pytest
import svcs
from sqlalchemy import select, text

from gateway.audit.models import AuditEntry
from gateway.audit.service import AuditTrail
from gateway.db import migrate
from gateway.db.engine import Database
from gateway.errors import UnknownError
from gateway.evidence.checkpoints import CheckpointStore
from gateway.evidence.demands import Demands
from gateway.evidence.errors import (
    DuplicateStepError,
    KeyFileError,
    LogDamagedError,
    LogForkedError,
    LogRotatedError,
    LogUnavailableError,
)
from gateway.evidence.leaf import Leaf
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import LogEntry
from gateway.evidence.published import PublishedShards
from gateway.evidence.rotation import Rotation
from gateway.evidence.shard import current_shard, follows
from gateway.evidence.static_tiles import write_tiles
from gateway.evidence.views import blueprint
from gateway.web import problem
from ipx.keys import generate_signer
from ipx.merkle import leaf_hash, root, verify_inclusion
from ipx.note import Checkpoint, NoteSigner, open_note, parse_proof
from ipx.tiles import TileReader, decode_entries, entries_path

SECOND, THIRD = generate_signer(), generate_signer()


def leaf(number):
    return Leaf(f"exchange:{number}:final", b"%d" % number)


@pytest.fixture
def rotate(database, checkpoints, clock):
    def rotate(log, signer=SECOND, on=database):
        return Rotation(on, checkpoints, log, lambda new: AuditTrail(new, clock), clock).rotate(signer, "operator:x")

    return rotate


@pytest.fixture
def started(new_log, database, log_key):
    """Starts the log again as a process with this key would."""

    def started(signer=SECOND, on=database, store=None) -> EvidenceLog:
        shard = current_shard(on, "gw.example/log", signer)
        options = {"store": store} if store else {}
        log = new_log(on, signer=NoteSigner(shard.origin, signer), shard=shard, **options)
        log.open()
        return log

    return started


@pytest.fixture
def client(database, checkpoints, log, clock):
    app = flask.Flask("test")
    svcs.flask.init_app(app)
    svcs.flask.register_value(app, PublishedShards, PublishedShards(database, checkpoints, Demands, clock))
    problem.install(app, "https://gw.example")
    app.register_blueprint(blueprint())
    return app.test_client()


def head(client, prefix, key):
    return Checkpoint.parse(open_note(client.get(f"/{prefix}/checkpoint").data, [key]).text)


def test_a_new_shard_begins_with_an_entry_that_commits_to_how_the_old_one_ended(
    log, rotate, started, client, log_key, database
):
    for number in range(3):
        log.append(leaf(number))
    shard = rotate(log)
    after = started().append(leaf(3))

    ended, grows = head(client, "log", log.key), head(client, "log-2", shard.key)
    assert (ended.origin, ended.size) == ("gw.example/log", 3)
    assert (grows.origin, grows.size, after.index) == ("gw.example/log-2", 3, 2)
    entries = decode_entries(client.get(f"/log-2/{entries_path(0, 3)}").data, 3)
    assert follows(entries[0], ended)
    assert not follows(entries[0], replace(ended, size=2))
    assert not follows(b"{}", ended)
    assert not follows(b"?", ended)
    with database.read() as session:
        act = session.scalars(select(AuditEntry)).one()
        assert (act.act, act.subject, act.detail["ended"]) == ("log.rotated", "gw.example/log-2", "gw.example/log")
        assert session.scalars(select(LogEntry.entry).where(LogEntry.idx == act.log_index)).one() == entries[1]


def test_both_shards_are_served_with_tiles_and_proofs_of_their_own(log, rotate, started, client):
    for number in range(5):
        log.append(leaf(number))
    rotate(log)
    new = started()
    for number in range(5, 9):
        new.append(leaf(number))

    for prefix, key, size in (("log", log.key, 5), ("log-2", new.key, 6)):
        checkpoint = head(client, prefix, key)
        tiles = TileReader(lambda path, prefix=prefix: client.get(f"/{prefix}/{path}").data, size)
        assert (checkpoint.size, root(tiles, size)) == (size, checkpoint.root)
        for index in range(size):
            proof = parse_proof(client.get(f"/{prefix}/proof?index={index}&size={size}").text)
            entry = decode_entries(client.get(f"/{prefix}/{entries_path(0, size)}").data, size)[index]
            verify_inclusion(index, size, leaf_hash(entry), proof.hashes, checkpoint.root)
    for wrong in ("log-1", "log-3"):
        assert client.get(f"/{wrong}/checkpoint").status_code == 404


def test_what_the_old_shard_gave_it_gives_again_byte_for_byte(log, rotate, started, database, checkpoints, clock):
    before = [log.append(leaf(number)) for number in range(3)]
    rotate(log)
    new = started()
    shards = PublishedShards(database, checkpoints, Demands, clock)

    assert [new.logged(f"exchange:{number}:final") for number in range(3)] == before
    with pytest.raises(DuplicateStepError) as again:
        new.append(leaf(1))
    assert again.value.existing == 1
    for number, logged in enumerate(before):
        proved = shards.provable(f"exchange:{number}:final")
        assert (proved.origin, proved.proof.hashes) == ("gw.example/log", logged.proof)
    assert shards.provable("shard:2").origin == "gw.example/log-2"
    with pytest.raises(UnknownError):
        shards.provable("exchange:9:final")
    with pytest.raises(UnknownError):
        shards.number(2).provable("exchange:1:final")


def test_a_process_with_the_old_key_appends_no_more(log, rotate, started, log_key, database):
    log.append(leaf(0))
    rotate(log)

    with pytest.raises(LogUnavailableError):
        log.append(leaf(1))
    with database.write() as session, pytest.raises(LogRotatedError):
        log.append_within(session.connection(), leaf(2))
    with pytest.raises(LogRotatedError):
        log.open()
    with pytest.raises(KeyFileError, match="log-2"):
        started(log_key)


def test_writers_at_work_lose_nothing_to_a_rotation(log, rotate, started, database):
    acknowledged, stop = [], threading.Event()

    def write(name):
        number = 0
        while not stop.is_set():
            try:
                step = f"exchange:{name}-{number}:final"
                log.append(Leaf(step, step.encode()))
                acknowledged.append(step)
            except LogUnavailableError:
                return
            number += 1

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for writer in writers:
        writer.start()
    while len(acknowledged) < 20:
        stop.wait(0.01)
    rotate(log)
    for writer in writers:
        writer.join(10)
    new = started()
    new.audit()

    assert acknowledged
    assert all(new.logged(step).size <= new.shard.first for step in acknowledged)


def test_a_log_is_rotated_again_and_again(log, rotate, started, database):
    log.append(leaf(0))
    rotate(log)
    rotate(started(), THIRD)
    third = started(THIRD)
    third.append(leaf(1))
    third.audit()

    assert (third.shard.number, third.origin, third.shard.next_origin) == (3, "gw.example/log-3", "gw.example/log-4")
    assert third.shard.first == 3


def test_an_empty_log_has_nothing_to_end(log, rotate):
    with pytest.raises(LogUnavailableError, match="no entry"):
        rotate(log)


def test_a_key_signs_one_shard_only(log, rotate, started, log_key):
    log.append(leaf(0))
    for key in (log_key, generate_signer("ES256")):
        with pytest.raises(KeyFileError):
            rotate(log, key)
    log.append(leaf(1))
    rotate(log)
    with pytest.raises(KeyFileError):
        rotate(started(), log_key)


def test_of_two_rotations_at_once_one_wins(log, rotate, started):
    log.append(leaf(0))
    rotate(log)

    with pytest.raises((LogRotatedError, LogForkedError)):
        rotate(log, THIRD)
    assert started().shard.number == 2


def test_a_rotation_that_was_given_up_is_begun_anew_with_another_key(log, rotate, started, checkpoints, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    log.append(leaf(0))
    with monkeypatch.context() as patch:
        patch.setattr("gateway.evidence.rotation._store", die)
        with pytest.raises(KeyboardInterrupt):
            rotate(log, THIRD)
    assert checkpoints.get("gw.example/log-2") is not None
    log.append(leaf(1))
    rotate(log)

    assert started().key == NoteSigner("gw.example/log-2", SECOND).key


def test_a_crash_before_publication_is_made_up_for_at_the_next_start(log, rotate, started, checkpoints, monkeypatch):
    log.append(leaf(0))
    with monkeypatch.context() as patch:
        patch.setattr("gateway.evidence.rotation.Publisher.run_once", lambda _: None)
        patch.setattr("gateway.evidence.log.EvidenceLog.publish_soon", lambda _: None)
        before = checkpoints.get("gw.example/log")
        with log._database.write_connection() as connection:
            log.append_within(connection, leaf(1))
        rotate(log)
        assert checkpoints.get("gw.example/log") == before
    started()

    assert checkpoints.get("gw.example/log") != before
    assert checkpoints.get("gw.example/log-2").split("\n")[1] == "2"


@pytest.fixture
def copy(database, tmp_path):
    """A backup of the log's database, taken now (SQLite only)."""
    if not database.is_sqlite:
        pytest.skip("a file is copied")

    def copy():
        target = tmp_path / "backup.db"
        with closing(sqlite3.connect(database.url.database)) as source, closing(sqlite3.connect(target)) as backup:
            source.backup(backup)
        return Database(f"sqlite:///{target}")

    return copy


def test_a_backup_from_before_the_rotation_refuses_to_start(log, rotate, started, copy, log_key):
    log.append(leaf(0))
    backup = copy()
    rotate(log)

    with pytest.raises(LogForkedError, match="backup from before the rotation"):
        started(log_key, on=backup)
    with pytest.raises(KeyFileError, match="backup"):
        started(SECOND, on=backup)
    backup.dispose()


@pytest.mark.parametrize("damage", ["first entry", "old root", "old leaf"])
def test_the_audit_covers_every_shard(log, rotate, started, database, damage):
    for number in range(3):
        log.append(leaf(number))
    rotate(log)
    new = started()
    new.audit()
    statements = {
        "first entry": "UPDATE log_entry SET entry = :x WHERE idx = 3",
        "old root": "UPDATE log_checkpoint SET root = :x WHERE shard = 1 AND size = 3",
        "old leaf": "UPDATE log_entry SET leaf_hash = :x WHERE idx = 1",
    }
    with database.write_connection() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("DROP TRIGGER log_entry_keeps_rows")
        else:
            connection.exec_driver_sql("ALTER TABLE log_entry DISABLE TRIGGER USER")
        connection.execute(text(statements[damage]), {"x": b"x" * 32})

    with pytest.raises(LogDamagedError, match="gw.example/log" if damage != "first entry" else "log-2"):
        new.audit()


def test_a_log_of_the_version_before_shards_goes_on_after_the_upgrade(database, log, started, log_key, clock):
    if not database.is_sqlite:
        pytest.skip("the tests' PostgreSQL has no migrations")
    before = [log.append(leaf(number)) for number in range(3)]
    log.close()
    migrate.command.stamp(migrate.configuration(database), "head")
    migrate.downgrade(database, "0002")
    with database.read_connection() as connection:
        assert connection.execute(text("SELECT max(size) FROM log_checkpoint")).scalar() == 3
    migrate.upgrade(database)
    again = started(log_key)
    again.audit()

    assert [again.logged(f"exchange:{number}:final") for number in range(3)] == before
    assert again.append(leaf(3)).index == 3


def test_a_log_whose_gateway_was_renamed_refuses_to_start(log, database, log_key):
    log.append(leaf(0))

    with pytest.raises(LogForkedError, match="renamed"):
        current_shard(database, "other.example/log", log_key)


def test_a_store_that_lost_an_ended_shard_is_noticed(log, rotate, started, checkpoint_database):
    log.append(leaf(0))
    rotate(log)
    with checkpoint_database.write_connection() as connection:
        connection.execute(text("DELETE FROM checkpoint_cas WHERE log_id = 'gw.example/log'"))

    with pytest.raises(LogForkedError, match="lost"):
        started(store=CheckpointStore(checkpoint_database))


def test_full_tiles_are_written_as_files_once(log, rotate, started, client, database, checkpoints, clock, tmp_path):
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda number: log.append(leaf(number)), range(257)))
    shards = PublishedShards(database, checkpoints, Demands, clock)
    served, none_yet = tmp_path / "served" / "log", tmp_path / "served" / "log-2"
    written, again = (write_tiles(shards.number(1), served) for _ in range(2))
    files = {str(path.relative_to(served.parent)): path for path in served.rglob("*") if path.is_file()}
    rotate(log)

    assert (written, again, none_yet.exists()) == (2, 0, False)
    assert sorted(files) == ["log/tile/0/000", "log/tile/entries/000"]
    assert all(path.read_bytes() == client.get(f"/{name}").data for name, path in files.items())
    assert oct(files["log/tile/0/000"].stat().st_mode & 0o777) == "0o644"
    assert write_tiles(PublishedShards(database, checkpoints, Demands, clock).number(2), none_yet) == 0
