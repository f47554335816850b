"""Parts of a gateway that break for as long as a `with` block runs, and what the health page says meanwhile."""

import socket
import sqlite3
import subprocess
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import create_engine, event, text

from gateway.clock import utc_now


def failing(gateway) -> tuple[int, dict[str, str]]:
    """Ask /health; gives its status, and by each part that does not work why."""
    gateway.services.beats._next_at = float("-inf")
    gateway.services.beats.beat()
    return health(gateway)


def health(gateway) -> tuple[int, dict[str, str]]:
    """As `failing`, where nobody can say that background work is done."""
    answer = gateway.http.get("/health")
    return answer.status_code, {part["part"]: part["reason"] for part in answer.json()["parts"] if not part["works"]}


class Clock:
    """The real time, or as much later or earlier as is said."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self):
        return utc_now() + self.ahead


@contextmanager
def administered(database):
    """Speak to PostgreSQL from another database, as its administrator does."""
    engine = create_engine(database.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield lambda statement: connection.execute(text(statement), {"name": database.url.database})
    engine.dispose()


@contextmanager
def database_down(database):
    """Let PostgreSQL cut all connections and take no new one; SQLite: the volume with the file is gone."""
    if database.is_sqlite:
        volume = Path(database.url.database).parent
        away = volume.with_name("gone")
        database.dispose()
        volume.rename(away)
        try:
            yield
        finally:
            away.rename(volume)
        return
    name = database.url.database
    with administered(database) as execute:
        execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        try:
            yield
        finally:
            execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')


@contextmanager
def database_read_only(database):
    """Let the database refuse every write, the real way for each kind."""
    if database.is_sqlite:
        pool, path = database.writer.pool, database.url.database
        database.dispose()
        made = pool._creator
        pool = database.writer.pool  # made anew
        pool._creator = lambda *_: _opened_read_only(path)
        try:
            yield
        finally:
            pool._creator = made
            database.dispose()
        return
    name = database.url.database
    with administered(database) as execute:
        execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        database.dispose()
        try:
            yield
        finally:
            execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
            database.dispose()


def _opened_read_only(path):
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False, timeout=1)
    connection.isolation_level = None
    return connection


@contextmanager
def database_full(database, table="exchange"):
    """Let the database find no room for a row more: SQLITE_FULL, or PostgreSQL's `disk_full` for this table.

    A server whose own disk is full cannot be had in a test; PostgreSQL says it in the same words, from a trigger.
    """
    if database.is_sqlite:

        def no_more(connection, _record):
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count={pages}")

        event.listen(database.writer, "connect", no_more)
        database.dispose()
        try:
            yield
        finally:
            event.remove(database.writer, "connect", no_more)
            database.dispose()
        return
    with database.write_connection() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
        )
        connection.exec_driver_sql(
            f"CREATE TRIGGER no_room BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION no_room()"
        )
    try:
        yield
    finally:
        with database.write_connection() as connection:
            connection.exec_driver_sql("DROP FUNCTION no_room CASCADE")


@contextmanager
def redis_at(port):
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    give_up = time.monotonic() + 60
    try:
        while True:
            try:
                with closing(socket.create_connection(("127.0.0.1", port), timeout=5)):
                    break
            except OSError:
                assert time.monotonic() < give_up, "Redis did not start"
                time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(30)
