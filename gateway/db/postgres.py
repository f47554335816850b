"""Connections to PostgreSQL: how they are opened, looked at before each use, and kept for what is read all the time."""

import select
import time
from collections import deque
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.db.kept import Kept
from gateway.db.prepared import told_by_toolkit
from gateway.settings import Pool

CONNECT_SECONDS: Final = 5
"""How long PostgreSQL may take to accept a connection, where the address itself does not say."""
QUIET_SECONDS: Final = 1.0
"""After so long without use a connection is tried by a statement: what is on the way may have forgotten it."""
KEPT_PART: Final = 4
"""Of so many connections of the pool one may be kept for single statements."""
KEPT_WRITERS: Final = 2
"""How many are kept for what is written all the time, filings and the log, and no more than of the others."""

_OUTGROWN: Final = "outgrown"
_LEFT_AT: Final = "left at"


def postgres_engine(url: URL, pool: Pool) -> Engine:
    """Make an engine whose connections are looked at each time that they leave the pool.

    A broken one is replaced, and all others that are in the pool with it: whoever restarts the server meets them all.
    """
    engine = create_engine(
        url,
        pool_size=pool.size,
        max_overflow=pool.overflow,
        pool_recycle=pool.recycle_seconds,
        pool_use_lifo=True,  # few connections do most of the work, and have its statements prepared
        hide_parameters=True,  # errors are logged, and values may be of a record
        connect_args=_arguments(url, pool),
    )

    @event.listens_for(engine, "checkout")
    def _look(connection: Any, record: ConnectionPoolEntry, _fairy: Any) -> None:
        left_at = record.info.get(_LEFT_AT)
        if left_at is not None and not _is_alive(engine, connection, left_at):
            raise InvalidatePoolError

    @event.listens_for(engine, "checkin")
    def _leave(_connection: Any, record: ConnectionPoolEntry) -> None:
        if record.info.pop(_OUTGROWN, False):
            record.invalidate()
        else:
            record.info[_LEFT_AT] = time.monotonic()

    return engine


def outgrown(connection: Connection) -> None:
    """Have a connection closed when it is put back: megabytes went over it.

    PostgreSQL's client keeps its buffers as large as they ever were; a pool of them would hold as many records.
    """
    connection.info[_OUTGROWN] = True


def is_passing(error: BaseException) -> bool:
    """Tell whether PostgreSQL gave up one of two transactions that waited for each other (SQLSTATE class 40)."""
    cause: BaseException | None = error
    while cause is not None:
        if str(getattr(cause, "sqlstate", "")).startswith("40"):
            return True
        cause = cause.__cause__
    return False


class KeptConnections:
    """A few connections that are not put back after each use: what the toolkit does around a use costs more than it.

    Those for one statement each begin no transaction by themselves: that is two round trips more, and one that is
    rolled back makes the driver forget every statement that it has prepared.
    """

    def __init__(self, pool: Pool, most: int, *, begins: bool) -> None:
        """Take what is kept.

        Args:
            pool: from which they are.
            most: how many are kept while nobody uses them.
            begins: whether the first statement of a use begins a transaction.
        """
        self._most = most
        self._recycle_seconds = pool.recycle_seconds
        self._begins = begins
        self._idle: deque[_Kept] = deque()

    def take(self, engine: Engine) -> "_Kept":
        try:
            kept = self._idle.pop()
        except IndexError:
            kept = _Kept(begins=self._begins)
        kept.look(engine, self._recycle_seconds)
        return kept

    def give_back(self, kept: "_Kept") -> None:
        kept.left_at = time.monotonic()
        if len(self._idle) < self._most and not kept.is_outgrown:
            self._idle.append(kept)
        else:
            kept.let_go()

    def let_go(self) -> None:
        while self._idle:
            self._idle.pop().let_go()


class Use:
    """One use of such a connection: for one statement, or for a transaction, which is committed when the block ends."""

    __slots__ = ("_connections", "_engine", "_kept", "_told")

    _kept: "_Kept"

    def __init__(self, connections: KeptConnections, engine: Engine, told: AbstractContextManager[object]) -> None:
        """Take what is used.

        Args:
            connections: those at hand.
            engine: opens another one.
            told: tells errors as the gateway's own.
        """
        self._connections = connections
        self._engine = engine
        self._told = told

    def __enter__(self) -> Connection:
        with self._told:
            self._kept = self._connections.take(self._engine)
            return self._kept.get(self._engine)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._kept.let_go()  # rolled back where it has begun a transaction; a statement may be under way
            self._told.__exit__(kind, error, trace)
            return
        with self._told:
            try:
                self._kept.commit()
            except BaseException:
                self._kept.let_go()
                raise
        self._connections.give_back(self._kept)


class _Kept(Kept):
    left_at = 0.0
    _opened_at = 0.0

    def __init__(self, *, begins: bool) -> None:
        super().__init__()
        self._begins = begins

    @property
    def is_outgrown(self) -> bool:
        return self._connection is not None and _OUTGROWN in self._connection.info

    def look(self, engine: Engine, recycle_seconds: int) -> None:
        """Let it go where it broke, or is as old as none may become."""
        kept = self._connection
        if kept is None or kept.closed or kept.invalidated:
            return
        if not _is_alive(engine, kept.connection.dbapi_connection, self.left_at):
            kept.invalidate()
        elif time.monotonic() > self._opened_at + recycle_seconds:
            self.let_go()

    def commit(self) -> None:
        """Commit what was begun.

        Raises:
            sqlalchemy.exc.DBAPIError: that failed.
        """
        kept = self._connection
        if kept is None or not self._begins:
            return
        if kept.in_transaction():  # the toolkit was used besides the driver
            kept.commit()
            return
        kept.dispatch.commit(kept)  # whoever listens to the engine hears of it
        raw: Any = kept.connection.dbapi_connection
        with told_by_toolkit(kept, "COMMIT", raw):
            raw.commit()

    def _open(self, engine: Engine) -> Connection:
        self._opened_at = time.monotonic()
        connection = engine.connect()
        return connection if self._begins else connection.execution_options(isolation_level="AUTOCOMMIT")


def _is_alive(engine: Engine, connection: Any, left_at: float) -> bool:
    """Tell whether a connection can be used. A server that goes says so to those that it leaves: that can be read.

    Asking it each time would be a round trip more for each use.
    """
    if connection.closed:
        return False
    if time.monotonic() < left_at + QUIET_SECONDS and not _is_spoken_to(connection):
        return True
    try:
        return engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error:
        return False


def _is_spoken_to(connection: Any) -> bool:
    """Tell whether the server has said something that nobody asked for: its end most of all."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def _arguments(url: URL, pool: Pool) -> dict[str, Any]:
    arguments: dict[str, Any] = {} if pool.is_prepared else {"prepare_threshold": None}
    if "connect_timeout" not in url.query:
        arguments["connect_timeout"] = CONNECT_SECONDS
    if "application_name" not in url.query:
        arguments["application_name"] = "ipx-gateway"
    return arguments
