"""The log as outsiders may see it: nothing beyond the last checkpoint that the checkpoint store holds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, Row, select

from gateway.clock import Clock, utc_now
from gateway.db.engine import Database
from gateway.errors import UnknownError
from gateway.evidence import confirmed
from gateway.evidence.checkpoints import CheckpointStore, size_of
from gateway.evidence.demands import COSIGN_SECONDS, STAMP_SECONDS, Demands, NotYetProvable, Provable
from gateway.evidence.models import LogCheckpoint
from gateway.evidence.shard import Shard, read_shards
from gateway.evidence.tree import ColdTiles, Head, position_of, prove, read_entries, read_tile
from ipx.errors import ProofError
from ipx.merkle import consistency_proof
from ipx.note import InclusionProof
from ipx.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, encode_entries

PAGE_ROWS: Final = 64
SHOWN_BEHIND: Final = timedelta(minutes=1)
_Row = Row[int, bytes, str, str | None, bytes | None]


@dataclass(frozen=True, slots=True)
class Published:
    """The newest published checkpoint."""

    note: str
    size: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A published checkpoint as readers are shown it."""

    note: str
    cosignatures: int
    quorum: int

    @property
    def is_witnessed(self) -> bool:
        return 0 < self.quorum <= self.cosignatures

    @property
    def header(self) -> str:
        """Say it as a structured field (RFC 9651)."""
        return f"?{int(self.is_witnessed)};cosigned={self.cosignatures};quorum={self.quorum}"


class PublishedLog:
    """Serves the C2SP files of one shard of the log out of its tables."""

    def __init__(
        self,
        database: Database,
        checkpoints: CheckpointStore,
        shard: Shard,
        *,
        demands: Callable[[], Demands] = Demands,
        clock: Clock = utc_now,
    ) -> None:
        """Take what is served.

        Args:
            database: holds the log's tables.
            checkpoints: says what is published.
            shard: the tree that is served.
            demands: what the trust list in force demands of a checkpoint.
            clock: says from when a leaf will be provable.
        """
        self._database = database
        self._checkpoints = checkpoints
        self.shard = shard
        self._demands = demands
        self._clock = clock

    def newest(self) -> Published:
        """Give the checkpoint in force.

        Raises:
            UnknownError: the log was not created yet.
        """
        note = self._checkpoints.get(self.shard.origin)
        if note is None:
            raise UnknownError(f"nothing was published of {self.shard.origin}")
        return Published(note, size_of(note))

    def shown(self) -> Shown:
        """Give the newest checkpoint that a quorum has cosigned, while it is at most a minute behind the newest.

        A busy log signs a checkpoint many times a second, and the very newest is never witnessed.

        Raises:
            UnknownError: the log was not created yet.
        """
        newest, demands = self.newest(), self._demands()
        with self._database.read_connection() as connection:
            found = confirmed.of_size(connection, self.shard, newest.size)
            witnessed = confirmed.newest_with_quorum(connection, self.shard, demands)
            if witnessed is not None and witnessed.size <= newest.size:
                since = confirmed.waits_since(connection, self.shard, witnessed.size)
                if since is None or self._clock() - since <= SHOWN_BEHIND:
                    found = witnessed
        note = found.carried if found else newest.note
        return Shown(note, demands.cosignatures(note), demands.quorum)

    def tile(self, tile: Tile) -> bytes:
        """Give a tile's bytes.

        A partial tile is there for the published sizes only: a reader who asks for another width is told so, and takes
        the full tile (C2SP tlog-tiles).

        Raises:
            UnknownError: it is not published.
        """
        level = tile.level or 0
        first = (tile.index * TILE_WIDTH + tile.width) << (TILE_HEIGHT * level)
        limit = self.newest().size
        if first > limit:
            raise UnknownError(f"{tile.path()} is not published")
        with self._database.read_connection() as connection:
            if tile.width < TILE_WIDTH:
                beyond = first + (1 << (TILE_HEIGHT * level))
                published = (
                    select(LogCheckpoint.size)
                    .where(LogCheckpoint.shard == self.shard.number)
                    .where(LogCheckpoint.size >= first, LogCheckpoint.size < min(beyond, limit + 1))
                    .limit(1)
                )
                if connection.execute(published).one_or_none() is None:
                    raise UnknownError(f"{tile.path()} was never published")
            if tile.level is not None:
                return read_tile(connection, self.shard, tile.level, tile.index, tile.width)
            start = tile.index * TILE_WIDTH
            return encode_entries(read_entries(connection, self.shard, start, start + tile.width))

    def proof(self, index: int, size: int | None) -> InclusionProof:
        """Prove a leaf under a published checkpoint.

        Args:
            index: of the leaf.
            size: of the checkpoint; None takes the first published one with this leaf.

        Raises:
            UnknownError: there is no such leaf or no checkpoint of this size.
        """
        newest = self.newest().size
        if not 0 <= index < newest or not 0 <= (size or 0) <= newest:
            raise UnknownError(f"{newest} leaves are published")
        query = select(LogCheckpoint.size, LogCheckpoint.root, LogCheckpoint.note)
        query = query.where(LogCheckpoint.shard == self.shard.number, LogCheckpoint.size <= newest)
        query = query.where(LogCheckpoint.size > index) if size is None else query.where(LogCheckpoint.size == size)
        with self._database.read_connection() as connection:
            row = connection.execute(query.order_by(LogCheckpoint.size).limit(1)).one_or_none()
            if row is None:
                raise UnknownError("no checkpoint of this size was published")
            if index >= row.size:
                raise UnknownError(f"leaf {index} is not among the first {row.size}")
            hashes = prove(connection, self.shard, index, Head(row.size, bytes(row.root)))
        return InclusionProof(index, hashes, row.note)

    def provable(self, step_id: str) -> Provable | NotYetProvable:
        """Prove a leaf under the first published checkpoint that has what the trust list in force demands.

        Args:
            step_id: of the leaf, as it was appended.

        Raises:
            UnknownError: there is no such leaf in this shard.
        """
        demands = self._demands()
        newest = self.newest().size
        with self._database.read_connection() as connection:
            position = position_of(connection, step_id)
            if position is None or position < self.shard.first:
                raise UnknownError(f"no leaf {step_id} in {self.shard.origin}")
            index = position - self.shard.first
            row = _first_that_meets(connection, self.shard, demands, index, newest)
            if row is None:
                wait = STAMP_SECONDS if demands.is_stamped else COSIGN_SECONDS
                return NotYetProvable(self._clock() + timedelta(seconds=wait))
            hashes = prove(connection, self.shard, index, Head(row.size, bytes(row.root)))
        proof = InclusionProof(index, hashes, row.cosigned or row.note)
        return Provable(self.shard.origin, proof, row.size, bytes(row.tst) if demands.is_stamped else None)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Prove that the tree of `new` leaves begins with that of `old` leaves.

        Raises:
            UnknownError: not 0 < old ≤ new, or `new` is not published.
        """
        if new > self.newest().size:
            raise UnknownError(f"size {new} is not published")
        with self._database.read_connection() as connection:
            try:
                return consistency_proof(ColdTiles(connection, self.shard).node, old, new)
            except ProofError as error:
                raise UnknownError(str(error)) from error


class PublishedShards:
    """Serves every shard, those that have ended as well: by its number, or for whoever knows a leaf."""

    def __init__(
        self, database: Database, checkpoints: CheckpointStore, demands: Callable[[], Demands], clock: Clock
    ) -> None:
        """Take what `PublishedLog` takes."""
        self._database = database
        self._checkpoints = checkpoints
        self._demands = demands
        self._clock = clock
        self._served: dict[int, PublishedLog] = {}

    def number(self, number: int) -> PublishedLog:
        """Give one shard.

        Raises:
            UnknownError: there is none of this number.
        """
        if number not in self._served:
            with self._database.read_connection() as connection:
                shards = read_shards(connection)
            self._served |= {shard.number: self._log(shard) for shard in shards}
        try:
            return self._served[number]
        except KeyError as error:
            raise UnknownError(f"there is no shard {number} of the log") from error

    def provable(self, step_id: str) -> Provable | NotYetProvable:
        """Prove a leaf in its shard, as `PublishedLog.provable` does.

        Raises:
            UnknownError: there is no such leaf.
        """
        with self._database.read_connection() as connection:
            position = position_of(connection, step_id)
            if position is None:
                raise UnknownError(f"no leaf {step_id}")
            shard = [shard for shard in read_shards(connection) if shard.first <= position][-1]
        return self.number(shard.number).provable(step_id)

    def _log(self, shard: Shard) -> PublishedLog:
        return PublishedLog(self._database, self._checkpoints, shard, demands=self._demands, clock=self._clock)


def _first_that_meets(connection: Connection, shard: Shard, demands: Demands, index: int, newest: int) -> _Row | None:
    query = (
        select(LogCheckpoint.size, LogCheckpoint.root, LogCheckpoint.note, LogCheckpoint.cosigned, LogCheckpoint.tst)
        .where(LogCheckpoint.shard == shard.number, LogCheckpoint.size > index, LogCheckpoint.size <= newest)
        .order_by(LogCheckpoint.size)
        .limit(PAGE_ROWS)
    )
    if demands.quorum:
        query = query.where(LogCheckpoint.cosigned.is_not(None))
    if demands.is_stamped:
        query = query.where(LogCheckpoint.tst.is_not(None))
    last = index
    while rows := connection.execute(query.where(LogCheckpoint.size > last)).all():
        for row in rows:
            if demands.cosignatures(row.cosigned or row.note) >= demands.quorum:
                return row
        last = rows[-1].size
    return None
