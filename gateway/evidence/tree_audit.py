"""The nightly audit: everything derived again from the entries. Damage in a full tile shows only here."""

from collections.abc import Callable, Iterator
from typing import Final

from sqlalchemy import Connection, select

from gateway.db.engine import Database
from gateway.evidence.checkpoints import CheckpointStore, open_own
from gateway.evidence.edge import Edge
from gateway.evidence.errors import LogDamagedError, LogForkedError
from gateway.evidence.models import LogCheckpoint, LogEntry, LogTile
from gateway.evidence.shard import Shard, follows, read_shards
from gateway.evidence.tree import Head, read_entries, read_head
from ipx.errors import NoteError
from ipx.merkle import HASH_BYTES, leaf_hash
from ipx.note import Checkpoint, open_note
from ipx.tiles import TILE_WIDTH

MAX_FINDINGS: Final = 20
PAGE_ROWS: Final = 1024
PROGRESS_ENTRIES: Final = 1 << 16


Progress = Callable[[str, int, int], None]
"""Is told of a shard by its origin how many of how many entries were derived again."""


def audit(database: Database, store: CheckpointStore, newest: Shard, progress: Progress | None = None) -> None:
    """Derive the whole log again, every shard of it up to `newest`, in memory that does not grow with the log.

    Args:
        database: holds the log's tables.
        store: the separate store of what was published.
        newest: the shard that grows.
        progress: is told every 65,536 entries, and at the end of each shard.

    Raises:
        LogDamagedError: names what does not fit, at most 20 findings a shard.
    """
    with database.read_connection() as connection:
        shards = [shard for shard in read_shards(connection) if shard.number < newest.number]
    findings: list[str] = []
    before: Checkpoint | None = None
    for shard in (*shards, newest):
        # The published checkpoint first: the log read after it can only be longer.
        body = store.get(shard.origin)
        with database.read_connection() as connection:
            head = read_head(connection, shard)
            if head is None:
                raise LogDamagedError(["there is no log in this database"])
            found = _Audit(connection, shard, head, progress).run(body)
            first = read_entries(connection, shard, 0, 1)
            if before is not None and not (first and follows(first[0], before)):
                found.append("the first entry does not commit to how the shard before it ended")
        findings += [f"{shard.origin}: {finding}" if shards else finding for finding in found]
        before = shard.final
    if findings:
        raise LogDamagedError(findings)


class _Audit:
    def __init__(self, connection: Connection, shard: Shard, head: Head, progress: Progress | None) -> None:
        self._progress = progress
        self._connection = connection
        self._shard = shard
        self._head = head
        self._key = shard.key
        self._edge = Edge(0, {})
        self._findings: list[str] = []

    def run(self, body: str | None) -> list[str]:
        published = self._published(body)
        checkpoints = self._checkpoints()
        checkpoint = next(checkpoints, None)
        for index, entry, stored in self._entries():
            while checkpoint is not None and checkpoint.size == index:
                self._compare_root(checkpoint, "the checkpoint")
                checkpoint = next(checkpoints, None)
            if published is not None and published.size == index:
                self._compare_root(published, "the published checkpoint")
            digest = leaf_hash(entry)
            if digest != stored:
                self._find(f"entry {index} does not have the leaf hash stored with it")
            self._edge.append(digest)
            if self._edge.size % TILE_WIDTH == 0:
                self._compare_tiles()
            if len(self._findings) >= MAX_FINDINGS:
                return self._findings
        self._compare_tiles()
        for last, name in ((checkpoint, "the checkpoint"), (published, "the published checkpoint")):
            if last is not None and last.size == self._edge.size:
                self._compare_root(last, name)
        if published is not None and published.size > self._edge.size:
            self._find(f"a checkpoint of {published.size} leaves was published, and {self._edge.size} are here")
        self._compare_head()
        return self._findings

    def _entries(self) -> Iterator[tuple[int, bytes, bytes]]:
        for start in range(0, self._head.size, PAGE_ROWS):
            end = min(start + PAGE_ROWS, self._head.size)
            rows = self._connection.execute(
                select(LogEntry.idx, LogEntry.entry, LogEntry.leaf_hash)
                .where(LogEntry.idx >= self._shard.first + start, LogEntry.idx < self._shard.first + end)
                .order_by(LogEntry.idx)
            ).all()
            indices = [row.idx - self._shard.first for row in rows]
            missing = next((at for at, index in enumerate(indices, start) if index != at), start + len(rows))
            for index, row in zip(indices, rows[: missing - start], strict=False):
                yield index, bytes(row.entry), bytes(row.leaf_hash)
            if missing < end:
                self._find(f"entry {missing} is missing")
                return

    def _checkpoints(self) -> Iterator[Checkpoint]:
        last = -1
        while rows := self._connection.execute(
            select(LogCheckpoint.size, LogCheckpoint.root, LogCheckpoint.note)
            .where(LogCheckpoint.shard == self._shard.number)
            .where(LogCheckpoint.size > last, LogCheckpoint.size <= self._head.size)
            .order_by(LogCheckpoint.size)
            .limit(PAGE_ROWS)
        ).all():
            for row in rows:
                if (checkpoint := self._checkpoint(row.size, bytes(row.root), row.note)) is not None:
                    yield checkpoint
            last = rows[-1].size

    def _checkpoint(self, size: int, root: bytes, note: str) -> Checkpoint | None:
        try:
            checkpoint = Checkpoint.parse(open_note(note, [self._key]).text)
        except NoteError as error:
            self._find(f"the checkpoint of size {size} is not signed by this log: {error}")
            return None
        if (checkpoint.origin, checkpoint.size, checkpoint.root) != (self._key.name, size, root):
            self._find(f"the checkpoint of size {size} says something else than its row")
            return None
        return checkpoint

    def _published(self, body: str | None) -> Checkpoint | None:
        if body is None:
            self._find("the checkpoint store has lost this log")
            return None
        try:
            return open_own(body, self._key)
        except LogForkedError as error:
            self._find(str(error))
            return None

    def _compare_root(self, checkpoint: Checkpoint, name: str) -> None:
        if self._edge.root() != checkpoint.root:
            self._find(f"{name} of size {checkpoint.size} has another root than the entries")

    def _compare_tiles(self) -> None:
        """Compare what changed since the last time, then forget the tiles that are full."""
        for level, number in sorted(self._edge.changed):
            tile = self._edge.tiles[level, number]
            stored = self._connection.execute(
                select(LogTile.data).where(
                    LogTile.shard == self._shard.number, LogTile.lvl == level, LogTile.n == number
                )
            ).scalar_one_or_none()
            if stored is None or bytes(stored)[: tile.width * HASH_BYTES] != tile.data:
                self._find(f"tile {number} of level {level} does not hold the hashes of the entries")
        self._edge = self._edge.trimmed()
        if self._edge.size % PROGRESS_ENTRIES == 0:
            self._tell()

    def _compare_head(self) -> None:
        self._tell()
        if self._edge.size != self._head.size or self._edge.root() != self._head.root:
            self._find(f"the head says {self._head.size} leaves, the entries lead to another root")

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._shard.origin, self._edge.size, self._head.size)

    def _find(self, finding: str) -> None:
        if len(self._findings) < MAX_FINDINGS:
            self._findings.append(finding)
