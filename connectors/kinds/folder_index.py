"""Which record stands in which file: an index kept beside the folder, refreshed by what changed.

A small SQLite file, or memory where no place for it is given. It is derived data: if it is lost or does not fit the
source file any more, it is made anew. It holds keys, revisions and digests, no other content of records.

Every file version gets a number when it is first seen; a watermark of `changes` is such a number, so a file delivered
late with an old time stamp is not missed.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from connectors.kinds.folder import Stamp
from ipx.values import value

_LAYOUT = "1"

_TABLES = (
    "DROP TABLE IF EXISTS record",
    "DROP TABLE IF EXISTS file",
    """
    CREATE TABLE file (
        name TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
        inode INTEGER NOT NULL, sha256 BLOB NOT NULL, seq INTEGER NOT NULL, fault TEXT)
    """,
    "CREATE INDEX file_by_seq ON file (seq)",
    """
    CREATE TABLE record (
        file TEXT NOT NULL REFERENCES file (name) ON DELETE CASCADE, position INTEGER NOT NULL, key TEXT,
        revised TEXT, deleted INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
        PRIMARY KEY (file, deleted, position)) WITHOUT ROWID
    """,
    "CREATE INDEX record_by_key ON record (key)",
)


@value
class Entry:
    """One record, or one notice of deletion, in one file. `start` and `stop` cut a row out of a file of rows."""

    file: str
    position: int
    key: str | None
    revised: str | None
    """ISO 8601 in UTC, so that the order of texts is the order of time."""
    is_deleted: bool
    start: int = 0
    stop: int = 0


@value
class IndexedFile:
    name: str
    stamp: Stamp
    sha256: bytes
    seq: int
    fault: str | None
    """Why no record could be read from it (`quarantine.Reason`), or None."""


class FolderIndex:
    """Safe for many threads; several processes may share one file."""

    def __init__(self, place: Path | None, source_digest: str) -> None:
        """Open the index, and begin it anew where it was made by another source file.

        Args:
            place: the file it is kept in, made with mode 0600; None keeps it in memory.
            source_digest: digest of source file and pack, since keys depend on the mapping.
        """
        self._lock = threading.RLock()
        self._connection = _connect(place)
        try:
            self._begin(source_digest)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            if place is None or isinstance(error, sqlite3.OperationalError):
                raise
            # Broken, by a full disk or a crash of the machine; all of it can be read again.
            for suffix in ("", "-wal", "-shm"):
                place.with_name(place.name + suffix).unlink(missing_ok=True)
            self._connection = _connect(place)
            self._begin(source_digest)
        self.id = str(self._about("id"))
        """Watermarks name it: one made by another index says nothing here."""

    def _begin(self, source_digest: str) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        with self.writing():
            self._connection.execute("CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
            if self._about("layout") == _LAYOUT and self._about("source") == source_digest:
                return
            for statement in _TABLES:
                self._connection.execute(statement)
            self._connection.executemany(
                "INSERT OR REPLACE INTO about VALUES (?, ?)",
                [("layout", _LAYOUT), ("source", source_digest), ("id", token_hex(8)), ("seq", "0")],
            )

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction; other processes wait for it."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def stamps(self) -> dict[str, Stamp]:
        return {
            name: Stamp(*stamp) for name, *stamp in self._rows("SELECT name, size, mtime_ns, ctime_ns, inode FROM file")
        }

    def file(self, name: str) -> IndexedFile | None:
        rows = self._rows(f"{_FILE} WHERE name = ?", (name,))
        return _indexed(rows[0]) if rows else None

    def put(self, name: str, stamp: Stamp, sha256: bytes, fault: str | None, entries: Sequence[Entry]) -> None:
        """Enter one version of a file. The same bytes again keep their number: a second delivery is no change."""
        known = self.file(name)
        if known and known.sha256 == sha256:
            self._connection.execute(
                "UPDATE file SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ? WHERE name = ?",
                (stamp.size, stamp.mtime_ns, stamp.ctime_ns, stamp.inode, name),
            )
            return
        seq = int(self._about("seq") or 0) + 1
        self._connection.execute("UPDATE about SET value = ? WHERE name = 'seq'", (str(seq),))
        self._connection.execute("DELETE FROM file WHERE name = ?", (name,))
        self._connection.execute(
            "INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (name, stamp.size, stamp.mtime_ns, stamp.ctime_ns, stamp.inode, sha256, seq, fault),
        )
        self._connection.executemany(
            "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(name, e.position, e.key, e.revised, int(e.is_deleted), e.start, e.stop) for e in entries],
        )

    def remove(self, names: Iterable[str]) -> None:
        self._connection.executemany("DELETE FROM file WHERE name = ?", [(name,) for name in names])

    def under_key(self, key: str) -> list[tuple[Entry, IndexedFile]]:
        """All records and deletion notices under one key, the newest revision first, then the file seen last."""
        rows = self._rows(
            f"SELECT {_RECORD_COLUMNS}, {_FILE_COLUMNS} FROM record JOIN file ON record.file = file.name"  # noqa: S608  (constants)
            " WHERE key = ? ORDER BY revised IS NULL, revised DESC, seq DESC, position DESC",
            (key,),
        )
        return [(_entry(row[:7]), _indexed(row[7:])) for row in rows]

    def files_after(self, seq: int, limit: int) -> list[IndexedFile]:
        return [_indexed(row) for row in self._rows(f"{_FILE} WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))]

    def entries_of(self, name: str) -> list[Entry]:
        rows = self._rows(
            f"SELECT {_RECORD_COLUMNS} FROM record WHERE file = ? ORDER BY deleted, position",  # noqa: S608  (constants)
            (name,),
        )
        return [_entry(row) for row in rows]

    def count_in(self, name: str) -> int:
        """How many records and notices of deletion one file holds."""
        return int(self._rows("SELECT count(*) FROM record WHERE file = ?", (name,))[0][0])

    def unreadable(self) -> int:
        """How many files no record could be read from."""
        return int(self._rows("SELECT count(*) FROM file WHERE fault IS NOT NULL")[0][0])

    def newest_revision(self) -> str | None:
        newest = self._rows("SELECT max(revised) FROM record")[0][0]
        return None if newest is None else str(newest)

    def _about(self, name: str) -> str | None:
        rows = self._rows("SELECT value FROM about WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def _rows(self, statement: str, parameters: Sequence[str | int] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(statement, parameters).fetchall()


def _connect(place: Path | None) -> sqlite3.Connection:
    if place is not None:
        place.touch(mode=0o600, exist_ok=True)
    connection = sqlite3.connect(place or ":memory:", timeout=10, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


_FILE_COLUMNS = "file.name, file.size, file.mtime_ns, file.ctime_ns, file.inode, file.sha256, file.seq, file.fault"
_FILE = f"SELECT {_FILE_COLUMNS} FROM file"  # noqa: S608  (constants)
_RECORD_COLUMNS = "record.file, record.position, record.key, record.revised, record.deleted, record.start, record.stop"


def _indexed(row: Sequence[Any]) -> IndexedFile:
    name, size, mtime_ns, ctime_ns, inode, sha256, seq, fault = row
    return IndexedFile(name, Stamp(size, mtime_ns, ctime_ns, inode), sha256, seq, fault)


def _entry(row: Sequence[Any]) -> Entry:
    file, position, key, revised, deleted, start, stop = row
    return Entry(file, position, key, revised, bool(deleted), start, stop)
