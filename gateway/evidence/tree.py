"""The Merkle tree as it stands in the database: locked head, tiles, entries; every statement that touches them."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from sqlalchemy import Connection, select, text

from gateway.db.prepared import Prepared, driver_execute, in_one_go
from gateway.evidence.edge import Edge, GrowingTile, Place, place_of, places_at_edge
from gateway.evidence.errors import LogDamagedError, LogForkedError, LogRotatedError, LogUnavailableError
from gateway.evidence.models import LogEntry, LogTile
from gateway.evidence.shard import Shard, read_shards
from ipx.errors import ProofError
from ipx.merkle import EMPTY_ROOT, HASH_BYTES, inclusion_proof, leaf_hash, root, verify_inclusion
from ipx.tiles import MAX_ENTRY_BYTES
from ipx.values import value

LOCK_SECONDS: Final = 10

# These run in every batch, so they are plain text: building expressions would cost more than running them.
_READ_HEAD = Prepared(text("SELECT shard, size, root FROM log_head WHERE id = 1"))
_LOCK_HEAD = Prepared(
    {
        "sqlite": text("UPDATE log_head SET size = size WHERE id = 1 RETURNING shard, size, root"),
        "postgresql": text("SELECT shard, size, root FROM log_head WHERE id = 1 FOR UPDATE"),
    }
)
_MOVE_HEAD = Prepared(
    text(
        "UPDATE log_head SET size = :size, root = :root "
        "WHERE id = 1 AND shard = :shard AND size = :old_size AND root = :old_root"
    )
)
_STORE_ENTRY = Prepared(
    text("INSERT INTO log_entry (idx, step_id, leaf_hash, entry) VALUES (:idx, :step_id, :leaf_hash, :entry)")
)
_STORE_TILE = Prepared(
    text(
        "INSERT INTO log_tile (shard, lvl, n, w, data) VALUES (:shard, :lvl, :n, :w, :data) "
        "ON CONFLICT (shard, lvl, n) DO UPDATE SET w = excluded.w, data = excluded.data WHERE log_tile.w < 256"
    )
)
_CREATE_HEAD = text(
    "INSERT INTO log_head (id, shard, size, root) VALUES (1, :shard, 0, :root) ON CONFLICT (id) DO NOTHING"
)


@value
class Head:
    size: int
    root: bytes


def create_head(connection: Connection, shard: Shard) -> None:
    """Make the head of an empty tree; another process may do the same at the same time."""
    connection.execute(_CREATE_HEAD, {"shard": shard.number, "root": EMPTY_ROOT})


def growing_head(connection: Connection, shard: Shard) -> Head | None:
    """Give the head of a shard by one prepared statement; None where it has none yet, or has ended."""
    row = _READ_HEAD.first(connection, {})
    return Head(row[1], bytes(row[2])) if row is not None and row[0] == shard.number else None


def read_head(connection: Connection, shard: Shard) -> Head | None:
    """Give the head of a shard; None where it has none yet."""
    growing = growing_head(connection, shard)
    if growing is not None:
        return growing
    ended = next((one.final for one in read_shards(connection) if one.number == shard.number), None)
    return None if ended is None else Head(ended.size, ended.root)


def lock_head(connection: Connection, shard: Shard) -> Head:
    """Read the head and keep every other writer of the log out until this transaction ends.

    PostgreSQL locks the row. SQLite has one lock for all: an update that changes nothing takes it even where the caller
    forgot `BEGIN IMMEDIATE`, and fails where the caller has read before another one wrote. Without it two writers read
    one size on either database, and fork the log without an error.

    Raises:
        LogUnavailableError: no log was created in this database.
        LogRotatedError: the shard has ended.
    """
    with in_one_go(connection):
        if connection.dialect.name != "sqlite":
            driver_execute(connection, f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        locked = _LOCK_HEAD.queue_all(connection, {})
    rows = locked()
    if not rows:
        raise LogUnavailableError("this database has no log yet: it is created when the gateway starts")
    number, size, head_root = rows[0]
    if number != shard.number:
        raise LogRotatedError(f"{shard.origin} has ended: start again with the key of shard {number} in IPX_LOG_KEY")
    return Head(size, bytes(head_root))


class EdgeReader:
    """Reads the right edge before an append, and spares hashing again what the database still has byte for byte."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._known: dict[Place, GrowingTile] = {}

    def read(self, connection: Connection, head: Head) -> Edge:
        """Derive the root from the tiles and compare it with the head.

        Raises:
            LogForkedError: a tile is missing or narrower than the head says, or they do not lead to its root.
        """
        tiles = {
            place: self._tile(place, data)
            for place, data in _read_tiles(connection, self._shard, places_at_edge(head.size), "the head").items()
        }
        edge = Edge(head.size, tiles)
        if edge.root() != head.root:
            raise LogForkedError(f"the tiles at the right edge do not lead to the root of the head of size {head.size}")
        return edge

    def keep(self, edge: Edge) -> None:
        self._known = edge.trimmed().tiles

    def _tile(self, place: Place, data: bytes) -> GrowingTile:
        # Popped, not read: should this transaction roll back, the tile holds leaves that the database has not.
        known = self._known.pop(place, None)
        if known is None or not data.startswith(known.data):
            return GrowingTile(data)
        known.extend(data[known.width * HASH_BYTES :])
        return known


def store(
    connection: Connection, shard: Shard, edge: Edge, head: Head, new: Sequence[tuple[str, bytes]]
) -> tuple[Head, Callable[[], None]]:
    """Append entries behind the locked head.

    Args:
        connection: the transaction that locked the head.
        shard: whose head it is.
        edge: the right edge at `head`; it grows.
        head: as `lock_head` gave it.
        new: step id and entry of each leaf, in order.

    Returns:
        The new head, and what is to be called once `in_one_go` is over: it raises `LogForkedError` where somebody else
        moved the head under the lock.

    Raises:
        sqlalchemy.exc.IntegrityError: one of the steps is a leaf already; at the latest when `in_one_go` is over.
    """
    rows = []
    for step_id, entry in new:
        if not 0 < len(entry) <= MAX_ENTRY_BYTES:
            raise ValueError(f"an entry of {len(entry)} bytes")
        digest = leaf_hash(entry)
        rows.append({"idx": shard.first + edge.size, "step_id": step_id, "leaf_hash": digest, "entry": entry})
        edge.append(digest)
    _STORE_ENTRY.queue_at_once(connection, rows)
    _STORE_TILE.queue_at_once(
        connection,
        [
            {"shard": shard.number, "lvl": place[0], "n": place[1], "w": tile.width, "data": tile.data}
            for place, tile in ((place, edge.tiles[place]) for place in sorted(edge.changed))
        ],
    )
    grown = Head(edge.size, edge.root())
    moved = _MOVE_HEAD.queue(
        connection,
        {
            "shard": shard.number,
            "size": grown.size,
            "root": grown.root,
            "old_size": head.size,
            "old_root": head.root,
        },
    )

    def require_moved() -> None:
        if moved() != 1:
            raise LogForkedError(f"the head of size {head.size} was moved by somebody else while it was locked")

    return grown, require_moved


def root_at(connection: Connection, shard: Shard, size: int) -> bytes:
    """Derive the root of the first `size` leaves from the tiles.

    Raises:
        LogForkedError: a tile is missing or too narrow.
    """
    places = places_at_edge(size)
    found = _read_tiles(connection, shard, places, f"size {size}")
    tiles = {place: GrowingTile(data) for place, data in found.items()}
    return root(Edge(size, tiles).node, size)


def position_of(connection: Connection, step_id: str) -> int | None:
    """Find a leaf among those of all shards."""
    return connection.execute(select(LogEntry.idx).where(LogEntry.step_id == step_id)).scalar_one_or_none()


def read_entries(connection: Connection, shard: Shard, start: int, end: int) -> list[bytes]:
    """Read the entries from index `start` to before `end`, in order."""
    rows = connection.execute(
        select(LogEntry.entry)
        .where(LogEntry.idx >= shard.first + start, LogEntry.idx < shard.first + end)
        .order_by(LogEntry.idx)
    )
    return [bytes(row.entry) for row in rows]


def read_tile(connection: Connection, shard: Shard, level: int, number: int, width: int) -> bytes:
    """Read the first `width` hashes of a tile.

    Raises:
        LogDamagedError: it is missing or too narrow.
    """
    try:
        return _read_tiles(connection, shard, {(level, number): width}, "its reader")[level, number]
    except LogForkedError as error:
        raise LogDamagedError([str(error)]) from error


def prove(connection: Connection, shard: Shard, index: int, head: Head) -> tuple[bytes, ...]:
    """Prove a leaf in the tree of an earlier head, and check the proof before it is handed out.

    Raises:
        LogDamagedError: entries and tiles do not lead to that head any more.
    """
    leaf = connection.execute(
        select(LogEntry.leaf_hash).where(LogEntry.idx == shard.first + index)
    ).scalar_one_or_none()
    proof = tuple(inclusion_proof(ColdTiles(connection, shard).node, index, head.size))
    try:
        verify_inclusion(index, head.size, bytes(leaf or b""), proof, head.root)
    except ProofError as error:
        raise LogDamagedError([f"leaf {index} cannot be proved in the tree of {head.size} leaves: {error}"]) from error
    return proof


class ColdTiles:
    """The nodes of the whole tree, read from the database tile by tile as they are asked for; for one use."""

    def __init__(self, connection: Connection, shard: Shard) -> None:
        self._connection = connection
        self._shard = shard
        self._edge = Edge(0, {})

    def node(self, level: int, index: int) -> bytes:
        """Give a complete subtree's hash.

        Raises:
            LogDamagedError: a tile is missing or too narrow.
        """
        place = place_of(level, index)
        if place not in self._edge.tiles:
            row = self._connection.execute(
                select(LogTile.data).where(
                    LogTile.shard == self._shard.number, LogTile.lvl == place[0], LogTile.n == place[1]
                )
            ).one_or_none()
            if row is None:
                raise LogDamagedError([f"tile {place[1]} of level {place[0]} is missing"])
            self._edge.tiles[place] = GrowingTile(bytes(row.data))
        try:
            return self._edge.node(level, index)
        except IndexError as error:
            raise LogDamagedError([f"tile {place[1]} of level {place[0]} is too narrow"]) from error


def _read_tiles(connection: Connection, shard: Shard, places: dict[Place, int], claim: str) -> dict[Place, bytes]:
    if not places:
        return {}
    wanted = {f"l{at}": place[0] for at, place in enumerate(places)} | {
        f"n{at}": place[1] for at, place in enumerate(places)
    }
    rows = _select_tiles(len(places)).all(connection, wanted | {"shard": shard.number})
    found = {(level, number): bytes(data) for level, number, data in rows}
    for (level, number), width in places.items():
        if len(found.get((level, number), b"")) < width * HASH_BYTES:
            raise LogForkedError(f"tile {number} of level {level} does not hold the {width} hashes that {claim} needs")
    return {place: found[place][: width * HASH_BYTES] for place, width in places.items()}


@cache
def _select_tiles(count: int) -> Prepared:
    places = " OR ".join(f"(lvl = :l{at} AND n = :n{at})" for at in range(count))
    statement = f"SELECT lvl, n, data FROM log_tile WHERE shard = :shard AND ({places})"  # noqa: S608  (only names of parameters)
    return Prepared(text(statement))
