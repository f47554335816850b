"""Engines for SQLite and PostgreSQL whose transactions mean the same on both."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from shutil import disk_usage
from sqlite3 import Connection as SQLiteConnection
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from gateway.db.kept import BUSY_SECONDS, Kept, KeptWriter, Writing, begin_immediate
from gateway.db.postgres import KEPT_PART, KEPT_WRITERS, KeptConnections, Use, postgres_engine
from gateway.errors import StoreUnavailableError
from gateway.settings import Pool

ROOM_BYTES = 8 << 20
"""With less left on its disk a SQLite database counts as full: what one batch of large answers may need."""
FULL_SECONDS = 30.0
"""How long a database counts as full after it said so: writes that need no page more succeed on a full disk too."""
DISK_FULL = "53100"
"""PostgreSQL's `disk_full` (SQLSTATE)."""
WAL_PAGES = 4000
"""How far SQLite's write-ahead log grows before it is moved into the file: 16 MB.

Most of its pages are the same few of indexes, again and again, and only the last state of each is moved. Whoever opens
the file after a crash reads it through.
"""


class Database:
    """One store, reached by transactions that either read or write.

    On SQLite a writing transaction begins with `BEGIN IMMEDIATE`: with the driver's own late `BEGIN`, two writers read
    the same head of the log and fork it without an error. Readers use a second engine whose `BEGIN` takes no lock.
    """

    def __init__(self, url: str, *, pool_size: int = 20, pool: Pool | None = None) -> None:
        pool = pool or Pool(size=pool_size, overflow=pool_size)
        self.url = parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.writer = _engine(self.url, "BEGIN IMMEDIATE", pool)
        self.reader = _engine(self.url, "BEGIN", pool) if self.is_sqlite else self.writer
        self._turn: AbstractContextManager[object] = _Turn() if self.is_sqlite else nullcontext()
        self._kept_writer = KeptWriter()
        """For whoever has the turn."""
        self._glancer = _engine(self.url, "BEGIN", None) if self.is_sqlite else self.reader
        self._glances = threading.local()
        self._single = KeptConnections(pool, pool.size // KEPT_PART, begins=False)
        self._writing = KeptConnections(pool, min(KEPT_WRITERS, pool.size // KEPT_PART), begins=True)
        self._told = _Told()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One writing transaction: committed when the block ends, rolled back when it raises.

        Raises:
            StoreUnavailableError: the database is down, read-only, full or locked for too long.
        """
        with self._told, self._turn, Session(self.writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One reading transaction over a single snapshot (SQLite) or read-committed (PostgreSQL)."""
        with self._told, Session(self.reader, expire_on_commit=False) as session, session.begin():
            yield session

    def write_connection(self) -> AbstractContextManager[Connection]:
        """Like `write`, without the object mapper: for paths where a row is a row."""
        if self.is_sqlite:
            return Writing(self._kept_writer, self.writer, self._turn, self._told)
        return self._begun(self.writer)

    def write_often(self) -> AbstractContextManager[Connection]:
        """Like `write_connection`, where one transaction follows the other: the connection stays at hand."""
        if self.is_sqlite:
            return self.write_connection()
        return Use(self._writing, self.writer, self._told)

    def write_once(self) -> AbstractContextManager[Connection]:
        """Where one prepared statement is a transaction of its own: committed when it has run."""
        if self.is_sqlite:
            return self.write_connection()
        return Use(self._single, self.writer, self._told)

    def read_connection(self) -> AbstractContextManager[Connection]:
        return self._begun(self.reader)

    def glance(self) -> AbstractContextManager[Connection]:
        """Where one prepared statement reads a value that is asked for all the time; it needs no transaction."""
        # What a glance costs is to take a connection from the pool and to put it back.
        if self.is_sqlite:
            return _Glance(_kept_by_thread(self._glances), self._glancer, self._told)
        return Use(self._single, self.reader, self._told)

    @contextmanager
    def _begun(self, engine: Engine) -> Iterator[Connection]:
        with self._told, engine.begin() as connection:
            yield connection

    def require_room(self) -> None:
        """Look whether the database may grow: small writes go on for long on a full disk, and exchanges do not.

        The disk of SQLite is looked at; that of PostgreSQL is not seen from here, but its word counts for a while.

        Raises:
            StoreUnavailableError: its disk is full.
        """
        if time.monotonic() < self._told.full_at + FULL_SECONDS:
            raise StoreUnavailableError("its disk is full")
        if self.is_sqlite and self.url.database and self.url.database != ":memory:":
            try:
                free = disk_usage(Path(self.url.database).parent).free
            except OSError as error:
                raise StoreUnavailableError("its folder cannot be looked at") from error
            if free < ROOM_BYTES:
                raise StoreUnavailableError("its disk is full")

    def dispose(self) -> None:
        """Close pooled connections: after a fork, and at the end."""
        self._kept_writer.let_go()
        self._glances = threading.local()
        self._single.let_go()
        self._writing.let_go()
        self.writer.dispose()
        self.reader.dispose()


class _Told:
    """Tells what drivers raise in a block as the gateway's own errors, and remembers which of them said "full"."""

    def __init__(self) -> None:
        self.full_at = float("-inf")

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case None:
                return
            case sqlite3.OperationalError():
                self._heard(error)
                raise StoreUnavailableError("OperationalError") from error
            case OperationalError() | InternalError() | InterfaceError():
                # PostgreSQL says "read-only transaction" as an internal error; SQLite says it as an operational one.
                self._heard(error.orig)
                raise StoreUnavailableError(type(error.orig).__name__) from error
            case PoolTimeoutError():
                raise StoreUnavailableError("all connections are in use") from error
            case DBAPIError() if error.connection_invalidated:
                raise StoreUnavailableError(type(error.orig).__name__) from error

    def _heard(self, error: BaseException | None) -> None:
        if _says_full(error):
            self.full_at = time.monotonic()


class _Glance:
    __slots__ = ("_engine", "_kept", "_told")

    def __init__(self, kept: Kept, engine: Engine, told: _Told) -> None:
        self._kept = kept
        self._engine = engine
        self._told = told

    def __enter__(self) -> Connection:
        with self._told:
            return self._kept.get(self._engine)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._told.__exit__(kind, error, trace)


def parse_url(url: str) -> URL:
    """Read a database URL; plain `postgresql://` means psycopg 3."""
    parsed = make_url(url)
    if parsed.drivername in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _kept_by_thread(local: threading.local) -> Kept:
    kept: Kept | None = getattr(local, "kept", None)
    if kept is None:
        kept = local.kept = Kept()
    return kept


class _Turn:
    """Lets the threads of this process write one after the other.

    SQLite's own lock is what guarantees that; but it is waited for by sleeping and trying again, up to a tenth of a
    second at a time, and sixteen threads that do so starve each other.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        os.register_at_fork(after_in_child=self._begin_anew)

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise StoreUnavailableError("other threads of this process have been writing for too long")

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _begin_anew(self) -> None:
        self._lock = threading.RLock()


def _says_full(error: BaseException | None) -> bool:
    """Tell whether a driver's error is a database's own word that there is no room."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    return getattr(error, "sqlstate", None) == DISK_FULL


def _engine(url: URL, begin: str, pool: Pool | None) -> Engine:
    """Make an engine; without a pool, whoever takes a connection keeps it."""
    if pool is not None and url.get_backend_name() != "sqlite":
        return postgres_engine(url, pool)
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    pooled: dict[str, Any] = (
        {"poolclass": NullPool}
        if pool is None
        else {"pool_size": pool.size, "max_overflow": pool.overflow + 1}  # one is kept
    )
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS}, **pooled)

    @event.listens_for(engine, "connect")
    def _connect(connection: SQLiteConnection, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin on its own
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        raw: Any = connection.connection.dbapi_connection
        if raw.in_transaction:
            return  # which `KeptWriter` began
        if begin == "BEGIN IMMEDIATE":
            begin_immediate(raw)
        else:
            raw.execute(begin)

    return engine
