"""Connections to PostgreSQL are looked at before each use, and kept where a value is read all the time."""

import threading
import time
from contextlib import ExitStack

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from gateway.db import postgres
from gateway.db.engine import Database
from gateway.db.prepared import Prepared
from gateway.errors import StoreUnavailableError
from gateway.settings import Pool

WHO = Prepared(text("SELECT pg_backend_pid()"))
ADD = Prepared(text("INSERT INTO seen (k, exp) VALUES (:key, 1)"))
OTHERS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'ipx-gateway'
"""


@pytest.fixture
def database(postgresql_url):
    database = Database(postgresql_url, pool=Pool(size=8, overflow=2))
    yield database
    database.dispose()


@pytest.fixture
def pings(database, monkeypatch):
    """What was asked of connections only to see whether they still are."""
    asked, ping = [], database.writer.dialect.do_ping
    monkeypatch.setattr(database.writer.dialect, "do_ping", lambda raw: asked.append(raw) or ping(raw))
    return asked


def write_once(database):
    with database.write_once() as connection:
        return WHO.first(connection, {})[0]


def write_often(database):
    with database.write_often() as connection:
        return WHO.first(connection, {})[0]


def glance(database):
    with database.glance() as connection:
        return WHO.first(connection, {})[0]


def read(database):
    with database.read_connection() as connection:
        return connection.scalar(text("SELECT pg_backend_pid()"))


def write(database):
    with database.write_connection() as connection:
        return WHO.first(connection, {})[0]


def work(database):
    with database.read() as session:
        return session.scalar(select(text("pg_backend_pid()")))


def keys(database):
    with database.read_connection() as connection:
        return sorted(bytes(key) for key in connection.scalars(text("SELECT k FROM seen")))


def close_all(database):
    """Do what a server does that is restarted: it takes leave of everybody."""
    admin = Database(database.url.render_as_string(hide_password=False), pool_size=1)
    with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        closed = connection.scalars(text(f"SELECT pg_terminate_backend(pid) FROM ({OTHERS}) AS others")).all()
        while connection.scalars(text(OTHERS)).all():
            threading.Event().wait(0.005)
    admin.dispose()
    return len(closed)


def filled(database, count):
    """Have so many connections in the pool, and one that is kept."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(database.read_connection()).scalar(text("SELECT 1"))
    glance(database)


@pytest.mark.parametrize("use", [glance, read, write, write_often, write_once, work])
def test_connections_that_the_server_closed_meanwhile_are_replaced_without_an_error(database, use):
    filled(database, 4)
    use(database)

    assert close_all(database) == 4
    assert [use(database) for _ in range(6)]


@pytest.mark.parametrize("use", [glance, read])
def test_a_server_that_is_gone_is_an_outage(database, use, monkeypatch):
    filled(database, 2)
    close_all(database)

    def refused(*_arguments, **_options):
        raise database.writer.dialect.loaded_dbapi.OperationalError("connection refused")

    with monkeypatch.context() as gone:
        gone.setattr(database.writer.dialect, "connect", refused)
        for _ in range(3):
            with pytest.raises(StoreUnavailableError):
                use(database)

    assert use(database)


@pytest.mark.parametrize("use", [glance, read])
def test_a_connection_just_used_is_not_asked_and_one_that_was_quiet_is(database, use, pings, monkeypatch):
    first = use(database)
    again = use(database)
    busy = len(pings)
    monkeypatch.setattr(postgres, "QUIET_SECONDS", 0.0)
    later = use(database)

    assert first == again == later
    assert (busy, len(pings)) == (0, 1)


@pytest.mark.parametrize("use", [glance, read])
def test_a_quiet_connection_that_does_not_answer_is_replaced(database, use, monkeypatch):
    before = use(database)

    def broken(_raw):
        raise database.writer.dialect.loaded_dbapi.OperationalError("no route to host")

    monkeypatch.setattr(postgres, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(database.writer.dialect, "do_ping", broken)

    assert use(database) != before


def test_a_glance_begins_no_transaction_and_leaves_statements_prepared(database):
    for _ in range(8):
        glance(database)
    with database.glance() as connection:
        prepared = Prepared(text("SELECT count(*) FROM pg_prepared_statements")).first(connection, {})[0]
        status = connection.connection.dbapi_connection.info.transaction_status.name

    assert (prepared, status) == (1, "IDLE")


def test_one_statement_is_committed_when_it_has_run_though_the_block_fails(database):
    def add():
        with database.write_once() as connection:
            ADD.run(connection, {"key": b"k"})
            raise LookupError

    with pytest.raises(LookupError):
        add()

    assert keys(database) == [b"k"]


def test_glances_at_once_have_a_connection_each_and_few_are_kept(database):
    with ExitStack() as stack:
        seen = {WHO.first(stack.enter_context(database.glance()), {})[0] for _ in range(6)}
        used = database.reader.pool.checkedout()

    assert len(seen) == used == 6
    assert database.reader.pool.checkedout() == 8 // postgres.KEPT_PART
    assert glance(database) in seen


def test_a_transaction_of_a_kept_connection_is_whole_or_not_at_all(database):
    def add(key, *, breaks=False):
        with database.write_often() as connection:
            ADD.run(connection, {"key": key + b" by driver"})
            connection.execute(text("INSERT INTO seen (k, exp) VALUES (:key, 1)"), {"key": key + b" by toolkit"})
            if breaks:
                raise LookupError

    with database.write_often() as connection:
        ADD.run(connection, {"key": b"0 by driver"})
    assert keys(database) == [b"0 by driver"]
    add(b"1")
    with pytest.raises(LookupError):
        add(b"2", breaks=True)
    add(b"3")

    assert keys(database) == [b"0 by driver", b"1 by driver", b"1 by toolkit", b"3 by driver", b"3 by toolkit"]


@pytest.mark.parametrize("is_toolkits", [False, True])
def test_a_commit_that_the_connection_does_not_live_to_see_is_an_outage(database, is_toolkits):
    def add():
        with database.write_often() as connection:
            ADD.run(connection, {"key": b"k"})
            if is_toolkits:
                connection.execute(text("SELECT 1"))
            close_all(database)

    with pytest.raises(StoreUnavailableError):
        add()

    assert keys(database) == []
    assert write_often(database) == write_often(database)


def test_a_connection_whose_commit_is_refused_is_put_back(database):
    def add_twice():
        with database.write_often() as connection:
            connection.execute(text("CREATE TEMP TABLE late (k int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
            connection.execute(text("INSERT INTO late VALUES (1), (1)"))

    with pytest.raises(IntegrityError) as refused:
        add_twice()

    assert database.writer.pool.checkedout() == 0, refused


def test_a_kept_connection_over_which_megabytes_went_is_closed(database):
    with database.write_often() as connection:
        first = WHO.first(connection, {})[0]
        postgres.outgrown(connection)

    assert write_often(database) != first


def test_a_small_pool_keeps_none_for_glances(postgresql_url):
    database = Database(postgresql_url, pool=Pool(size=2, overflow=0))
    glance(database)
    write_often(database)

    assert database.reader.pool.checkedout() == 0
    with database.read_connection(), database.read_connection():
        pass
    database.dispose()


@pytest.mark.parametrize("error", [KeyboardInterrupt, LookupError])
def test_a_connection_whose_glance_was_broken_off_is_not_kept(database, error):
    def broken_off():
        with database.glance() as connection:
            connection.connection.dbapi_connection.pgconn.send_query(b"SELECT pg_sleep(0.2)")
            raise error

    with pytest.raises(error):
        broken_off()

    assert database.reader.pool.checkedout() == 0
    assert glance(database)


def test_a_kept_connection_is_replaced_when_it_is_as_old_as_none_may_become(postgresql_url, monkeypatch):
    database = Database(postgresql_url, pool=Pool(size=4, recycle_seconds=60))
    first = glance(database)
    same = glance(database)
    now = time.time() + 61, time.monotonic() + 61
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(time, "monotonic", lambda: now[1])

    other = glance(database)

    assert first == same != other
    database.dispose()


def test_at_the_end_nobody_is_connected(database):
    filled(database, 3)
    write_often(database)
    database.dispose()

    assert close_all(database) == 0
