"""The log as outsiders may see it: nothing beyond the last checkpoint that the checkpoint store holds."""

from dataclasses import dataclass

from sqlalchemy import select

from gateway.db.engine import Database
from gateway.errors import UnknownError
from gateway.evidence.checkpoints import CheckpointStore
from gateway.evidence.models import LogCheckpoint
from gateway.evidence.tree import ColdTiles, Head, prove, read_entries, read_tile
from ipx.errors import ProofError
from ipx.merkle import consistency_proof
from ipx.note import Checkpoint, InclusionProof
from ipx.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, encode_entries


@dataclass(frozen=True, slots=True)
class Published:
    """The newest published checkpoint."""

    note: str
    size: int


class PublishedLog:
    """Serves the C2SP files of a log out of its tables."""

    def __init__(self, database: Database, checkpoints: CheckpointStore, origin: str) -> None:
        self._database = database
        self._checkpoints = checkpoints
        self._origin = origin

    def newest(self) -> Published:
        """Give the checkpoint in force.

        Raises:
            UnknownError: the log was not created yet.
        """
        note = self._checkpoints.get(self._origin)
        if note is None:
            raise UnknownError(f"nothing was published of {self._origin}")
        return Published(note, Checkpoint.parse(note.partition("\n\n")[0] + "\n").size)

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
                    .where(LogCheckpoint.size >= first, LogCheckpoint.size < min(beyond, limit + 1))
                    .limit(1)
                )
                if connection.execute(published).one_or_none() is None:
                    raise UnknownError(f"{tile.path()} was never published")
            if tile.level is not None:
                return read_tile(connection, tile.level, tile.index, tile.width)
            start = tile.index * TILE_WIDTH
            return encode_entries(read_entries(connection, start, start + tile.width))

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
        query = select(LogCheckpoint.size, LogCheckpoint.root, LogCheckpoint.note).where(LogCheckpoint.size <= newest)
        query = query.where(LogCheckpoint.size > index) if size is None else query.where(LogCheckpoint.size == size)
        with self._database.read_connection() as connection:
            row = connection.execute(query.order_by(LogCheckpoint.size).limit(1)).one_or_none()
            if row is None:
                raise UnknownError("no checkpoint of this size was published")
            if index >= row.size:
                raise UnknownError(f"leaf {index} is not among the first {row.size}")
            hashes = prove(connection, index, Head(row.size, bytes(row.root)))
        return InclusionProof(index, hashes, row.note)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Prove that the tree of `new` leaves begins with that of `old` leaves.

        Raises:
            UnknownError: not 0 < old ≤ new, or `new` is not published.
        """
        if new > self.newest().size:
            raise UnknownError(f"size {new} is not published")
        with self._database.read_connection() as connection:
            try:
                return consistency_proof(ColdTiles(connection).node, old, new)
            except ProofError as error:
                raise UnknownError(str(error)) from error
