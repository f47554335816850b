"""Publishing checkpoints past a store that remembers the last one: a log that lost or changed leaves is caught.

The store is a separate database on another volume, never in the same backup as the log. Order: the leaves commit, the
store swaps the body it has for the new one, the answer leaves. No checkpoint leaves that the store has not seen, or
seen extended: where another process published a longer tree first, ours is proven to be its beginning.
"""

import threading
from typing import Final, Protocol

from sqlalchemy import select, text, update

from gateway.db.engine import Database
from gateway.db.prepared import Prepared
from gateway.evidence.errors import LogForkedError, LogUnavailableError
from gateway.evidence.models import LogCheckpoint, checkpoint_cas, checkpoint_metadata
from gateway.evidence.shard import Shard
from gateway.evidence.tree import Head, growing_head, read_head, root_at
from ipx.errors import NoteError
from ipx.note import Checkpoint, NoteKey, open_note

_CREATE: Final = text("INSERT INTO checkpoint_cas (log_id, body) VALUES (:log_id, :body) ON CONFLICT DO NOTHING")

_GET: Final = Prepared(text("SELECT body FROM checkpoint_cas WHERE log_id = :log_id"))
_SWAP: Final = Prepared(text("UPDATE checkpoint_cas SET body = :new WHERE log_id = :log_id AND body = :old"))


class CheckpointStore:
    """One text for each log, replaced only by whoever knows it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create_table(self) -> None:
        """Make the table where it is missing; on SQLite also choose the write-ahead log, one flush for each swap."""
        if self._database.is_sqlite:
            with self._database.writer.connect() as connection:
                connection.commit()
                raw = connection.connection.dbapi_connection
                if raw is not None:
                    raw.execute("PRAGMA journal_mode=WAL")
        with self._database.write_connection() as connection:
            if not self._database.is_sqlite:  # two that look at once would both find it missing
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('checkpoint_cas'))"))
            checkpoint_metadata.create_all(connection)

    def get(self, log_id: str) -> str | None:
        with self._database.glance() as connection:
            row = _GET.first(connection, {"log_id": log_id})
        return None if row is None else str(row[0])

    def create(self, log_id: str, body: str) -> None:
        """Store the first checkpoint; one that is there already stays."""
        with self._database.write_connection() as connection:
            connection.execute(_CREATE, {"log_id": log_id, "body": body})

    def swap(self, log_id: str, old: str, new: str) -> bool:
        """Replace `old` by `new`; False where something else than `old` is stored."""
        with self._database.write_once() as connection:
            return _SWAP.run(connection, {"log_id": log_id, "old": old, "new": new}) == 1

    def probe(self, log_id: str) -> None:
        """Write without a change.

        Raises:
            LogUnavailableError: the table or this log's row is missing.
            StoreUnavailableError: the database cannot be written.
        """
        with self._database.write_connection() as connection:
            same = update(checkpoint_cas).where(checkpoint_cas.c.log_id == log_id).values(body=checkpoint_cas.c.body)
            if connection.execute(same).rowcount != 1:
                raise LogUnavailableError(f"the checkpoint store has no row for {log_id}")


class Tree(Protocol):
    """What can say how the log here looks now and looked at an earlier size."""

    def head(self) -> Head: ...

    def root_at(self, size: int) -> bytes: ...


class StoredTree:
    def __init__(self, database: Database, shard: Shard) -> None:
        self._database = database
        self._shard = shard

    def head(self) -> Head:
        with self._database.glance() as connection:
            growing = growing_head(connection, self._shard)
        if growing is not None:
            return growing
        with self._database.read_connection() as connection:
            return read_head(connection, self._shard) or Head(0, b"")

    def root_at(self, size: int) -> bytes:
        with self._database.glance() as connection:
            return root_at(connection, self._shard, size)


def require_extension(log: Tree, published: Checkpoint) -> None:
    """Prove that the log here contains what was published of it.

    Raises:
        LogForkedError: it is shorter, or another one at that size.
    """
    here = log.head().size
    if here < published.size:
        raise LogForkedError(
            f"the log here has {here} leaves, but a checkpoint of {published.size} was published: "
            "a backup was restored, or this is a lagging copy"
        )
    if log.root_at(published.size) != published.root:
        raise LogForkedError(
            f"the log here has {here} leaves, and at the published size {published.size} another root than was "
            "published: two copies of one log were running, or leaves were changed"
        )


def size_of(body: str) -> int:
    """Read the size of a checkpoint of this log's own making."""
    return Checkpoint.parse(body.partition("\n\n")[0] + "\n").size


def open_own(body: str, key: NoteKey) -> Checkpoint:
    """Read a checkpoint that this log is said to have signed.

    Raises:
        LogForkedError: it is not signed by the configured key, or is of another log.
    """
    try:
        checkpoint = Checkpoint.parse(open_note(body, [key]).text)
    except NoteError as error:
        raise LogForkedError(
            f"the checkpoint store holds a note that the configured log key did not sign: {error}"
        ) from error
    if checkpoint.origin != key.name:
        raise LogForkedError(f"the checkpoint store holds a checkpoint of {checkpoint.origin}, not of {key.name}")
    return checkpoint


class Publisher:
    """Moves the store forward; several processes may, each proving first that it holds what another has published."""

    def __init__(self, database: Database, store: CheckpointStore, shard: Shard) -> None:
        self._database = database
        self._store = store
        self._shard = shard
        self._key = shard.key
        self._tree = StoredTree(database, shard)
        self._lock = threading.Lock()
        self._seen: str | None = None
        """What the store held when this process last looked."""
        self.size = 0
        """A size that is published for certain; the true one may be larger."""

    def publish(self, note: str, size: int) -> None:
        """Make the store hold this checkpoint or a proven extension of it.

        Args:
            note: signed by this log, of leaves that are committed.
            size: the note's.

        Raises:
            LogForkedError: the store holds what this log does not contain.
            StoreUnavailableError: the store cannot be written.
        """
        with self._lock:
            if self.size >= size:
                return
            while True:
                if self._seen is not None and self._store.swap(self._key.name, self._seen, note):
                    self._seen, self.size = note, size
                    return
                if self._recheck() >= size:
                    return

    def run_once(self) -> None:
        """Publish the newest committed checkpoint, where that has not happened (a crash, an administrative act)."""
        with self._database.read_connection() as connection:
            newest = connection.execute(
                select(LogCheckpoint.size, LogCheckpoint.note)
                .where(LogCheckpoint.shard == self._shard.number)
                .order_by(LogCheckpoint.size.desc())
                .limit(1)
            ).one_or_none()
        if newest is not None:
            self.publish(newest.note, newest.size)

    def check(self) -> None:
        """Prove that the log here contains what is published of it.

        Raises:
            LogForkedError: it does not, or the store has lost it.
        """
        with self._lock:
            self._recheck()

    def _recheck(self) -> int:
        body = self._store.get(self._key.name)
        if body is None:
            raise LogForkedError(f"the checkpoint store has lost the log {self._key.name}")
        if body != self._seen:
            published = open_own(body, self._key)
            require_extension(self._tree, published)
            self._seen, self.size = body, max(self.size, published.size)
        return self.size
