"""Engines for SQLite and PostgreSQL whose transactions mean the same on both."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from gateway.errors import StoreUnavailableError

BUSY_SECONDS = 20.0
"""How long a SQLite writer waits for another before it gives up."""


class Database:
    """One store, reached by transactions that either read or write.

    On SQLite a writing transaction begins with `BEGIN IMMEDIATE`: with the driver's own late `BEGIN`, two writers read
    the same head of the log and fork it without an error. Readers use a second engine whose `BEGIN` takes no lock.
    """

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self.url = parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.writer = _engine(self.url, "BEGIN IMMEDIATE", pool_size)
        self.reader = _engine(self.url, "BEGIN", pool_size) if self.is_sqlite else self.writer

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One writing transaction: committed when the block ends, rolled back when it raises.

        Raises:
            StoreUnavailableError: the database is down, read-only, full or locked for too long.
        """
        with _translated(), Session(self.writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One reading transaction over a single snapshot (SQLite) or read-committed (PostgreSQL)."""
        with _translated(), Session(self.reader, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write_connection(self) -> Iterator[Connection]:
        """Like `write`, without the object mapper: for paths where a row is a row."""
        with _translated(), self.writer.begin() as connection:
            yield connection

    @contextmanager
    def read_connection(self) -> Iterator[Connection]:
        with _translated(), self.reader.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close pooled connections: after a fork, and at the end."""
        self.writer.dispose()
        self.reader.dispose()


def parse_url(url: str) -> URL:
    """Read a database URL; plain `postgresql://` means psycopg 3."""
    parsed = make_url(url)
    if parsed.drivername in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InternalError, InterfaceError) as error:
        # PostgreSQL says "read-only transaction" as an internal error; SQLite says it as an operational one.
        raise StoreUnavailableError(type(error.orig).__name__) from error
    except PoolTimeoutError as error:
        raise StoreUnavailableError("all connections are in use") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StoreUnavailableError(type(error.orig).__name__) from error
        raise


def _engine(url: URL, begin: str, pool_size: int) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True)
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, pool_size=pool_size, max_overflow=pool_size, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _connect(connection: SQLiteConnection, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin on its own
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
