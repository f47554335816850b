"""Connections that are not put back after each use, and SQLite's transactions in the driver's own words.

What the toolkit does around a transaction of a few statements costs more than those do.
"""

import random
import sqlite3
import time
from contextlib import AbstractContextManager
from sqlite3 import Connection as SQLiteConnection
from types import TracebackType
from typing import Any, Final

from sqlalchemy import Connection, Engine

from gateway.db.prepared import toolkits_error

BUSY_SECONDS: Final = 20.0
"""How long a SQLite writer waits for another before it gives up."""
SHORTEST_PAUSE_SECONDS: Final = 0.0002
LONGEST_PAUSE_SECONDS: Final = 0.002


class Kept:
    """One connection that is not put back after each use; another one follows where it broke."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    def get(self, engine: Engine) -> Connection:
        kept = self._connection
        if kept is None or kept.closed or kept.invalidated or kept.engine is not engine:
            self.let_go()
            kept = self._connection = self._open(engine)
        return kept

    def _open(self, engine: Engine) -> Connection:
        return engine.connect()

    def let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class KeptWriter(Kept):
    """The connection of whoever has SQLite's turn to write.

    The toolkit learns of a transaction where a block uses its `execute`; then it ends it as well.
    """

    _raw: Any = None
    _waits_itself = False
    """Its file has a write-ahead log: whoever has begun to write waits for nobody any more, so that the connection need
    not wait either."""

    def begin(self, engine: Engine) -> Connection:
        """Begin to write.

        Raises:
            sqlite3.OperationalError: as `begin_immediate`; or this thread is writing already.
            sqlalchemy.exc.DBAPIError: there is no connection to be had.
        """
        kept = self.get(engine)
        if self._waits_itself:
            _take_lock(self._raw)
        else:
            begin_immediate(self._raw)
        return kept

    def get(self, engine: Engine) -> Connection:
        before = self._connection
        kept = super().get(engine)
        if kept is not before:
            self._raw = kept.connection.dbapi_connection
            self._waits_itself = self._raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
            if self._waits_itself:
                self._raw.execute("PRAGMA busy_timeout=0")
        return kept

    def let_go(self) -> None:
        kept = self._connection
        if kept is not None and not kept.closed:
            kept.rollback()
            kept.invalidate()  # others would not wait with it
        super().let_go()
        self._raw = None

    def commit(self, kept: Connection) -> None:
        """Commit, or roll back where that fails.

        Raises:
            sqlalchemy.exc.DBAPIError: it failed.
        """
        try:
            if kept.in_transaction():
                kept.commit()
            else:
                kept.dispatch.commit(kept)  # whoever listens to the engine hears of it
                self._raw.commit()
        except BaseException as error:
            self.roll_back(kept)
            if isinstance(error, sqlite3.Error):
                raise toolkits_error(kept, "COMMIT", error) from error
            raise

    def roll_back(self, kept: Connection) -> None:
        if kept.invalidated:
            self.let_go()
        else:
            kept.rollback()  # what the toolkit knows of
            self._raw.rollback()


class Writing:
    """One transaction of the kept connection: committed when the block ends, rolled back when it raises."""

    __slots__ = ("_connection", "_engine", "_told", "_turn", "_writer")

    _connection: Connection

    def __init__(
        self,
        writer: KeptWriter,
        engine: Engine,
        turn: AbstractContextManager[object],
        told: AbstractContextManager[object],
    ) -> None:
        """Take what it is written with.

        Args:
            writer: the connection of whoever has the turn.
            engine: opens it.
            turn: lets one thread write at a time.
            told: tells errors as the gateway's own.
        """
        self._writer = writer
        self._engine = engine
        self._turn = turn
        self._told = told

    def __enter__(self) -> Connection:
        with self._told:
            self._turn.__enter__()
            try:
                self._connection = self._writer.begin(self._engine)
            except BaseException:
                self._turn.__exit__(None, None, None)
                raise
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._told:
            try:
                if error is None:
                    self._writer.commit(self._connection)
                else:
                    self._writer.roll_back(self._connection)
            finally:
                self._turn.__exit__(None, None, None)
        if error is not None:
            self._told.__exit__(kind, error, trace)


def begin_immediate(raw: SQLiteConnection) -> None:
    """Take SQLite's write lock, trying again every millisecond or so instead of with the driver's long pauses.

    Raises:
        sqlite3.OperationalError: another process has held the lock for `BUSY_SECONDS`, or the database is read-only.
    """
    raw.execute("PRAGMA busy_timeout=0")
    try:
        _take_lock(raw)
    finally:
        raw.execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")


def _take_lock(raw: SQLiteConnection) -> None:
    give_up, pause = None, SHORTEST_PAUSE_SECONDS
    while True:
        try:
            raw.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            now = time.monotonic()
            give_up = give_up or now + BUSY_SECONDS
            if now > give_up:
                raise
        else:
            return
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  (spreads processes apart; nothing secret)
        pause = min(LONGEST_PAUSE_SECONDS, pause * 1.5)
