"""The nightly audit: everything derived again from the entries. Damage in a full tile shows only here."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, select

from gateway.db.engine import Database
from gateway.evidence.checkpoints import CheckpointStore, open_own
from gateway.evidence.edge import Edge
from gateway.evidence.errors import LogDamagedError, LogForkedError
from gateway.evidence.models import LogCheckpoint, LogEntry, LogTile
from gateway.evidence.tree import Head, read_head
from ipx.errors import NoteError
from ipx.merkle import HASH_BYTES, leaf_hash
from ipx.note import Checkpoint, NoteKey, open_note

MAX_FINDINGS: Final = 20
PAGE_ROWS: Final = 1024


def audit(database: Database, store: CheckpointStore, key: NoteKey) -> None:
    """Derive the whole log again.

    Raises:
        LogDamagedError: names what does not fit, at most 20 findings.
    """
    # The published checkpoint first: the log read after it can only be longer.
    body = store.get(key.name)
    with database.read_connection() as connection:
        head = read_head(connection)
        if head is None:
            raise LogDamagedError(["there is no log in this database"])
        findings = _Audit(connection, head, key).run(body)
    if findings:
        raise LogDamagedError(findings)


class _Audit:
    def __init__(self, connection: Connection, head: Head, key: NoteKey) -> None:
        self._connection = connection
        self._head = head
        self._key = key
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
            if self._edge.size % 256 == 0:
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
                .where(LogEntry.idx >= start, LogEntry.idx < end)
                .order_by(LogEntry.idx)
            ).all()
            missing = next((at for at, row in enumerate(rows, start) if row.idx != at), start + len(rows))
            for row in rows[: missing - start]:
                yield row.idx, bytes(row.entry), bytes(row.leaf_hash)
            if missing < end:
                self._find(f"entry {missing} is missing")
                return

    def _checkpoints(self) -> Iterator[Checkpoint]:
        last = -1
        while rows := self._connection.execute(
            select(LogCheckpoint.size, LogCheckpoint.root, LogCheckpoint.note)
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
                select(LogTile.data).where(LogTile.lvl == level, LogTile.n == number)
            ).scalar_one_or_none()
            if stored is None or bytes(stored)[: tile.width * HASH_BYTES] != tile.data:
                self._find(f"tile {number} of level {level} does not hold the hashes of the entries")
        self._edge = self._edge.trimmed()

    def _compare_head(self) -> None:
        if self._edge.size != self._head.size or self._edge.root() != self._head.root:
            self._find(f"the head says {self._head.size} leaves, the entries lead to another root")

    def _find(self, finding: str) -> None:
        if len(self._findings) < MAX_FINDINGS:
            self._findings.append(finding)
