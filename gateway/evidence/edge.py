"""The growing side of a Merkle tree in memory: tiles of 256 hashes and the inner nodes that are complete above them."""

from collections.abc import Mapping

from ipx.merkle import HASH_BYTES, node_hash, root
from ipx.tiles import TILE_HEIGHT, TILE_WIDTH

Place = tuple[int, int]
"""Level and number of a tile (C2SP tlog-tiles)."""


class GrowingTile:
    """Up to 256 neighbouring hashes of one tile level and every complete inner node above them.

    Hashes are only ever added, so a reader that knows a size sees the same nodes while another thread adds more.
    """

    __slots__ = ("rows",)

    def __init__(self, data: bytes = b"") -> None:
        self.rows: tuple[list[bytes], ...] = tuple([] for _ in range(TILE_HEIGHT + 1))
        self.extend(data)

    @property
    def width(self) -> int:
        return len(self.rows[0])

    @property
    def data(self) -> bytes:
        return b"".join(self.rows[0])

    def add(self, digest: bytes) -> bytes | None:
        """Add one hash at the right.

        Returns:
            The root of the whole tile where this hash filled it: it belongs into the tile above.
        """
        for row in self.rows[:-1]:
            row.append(digest)
            if len(row) & 1:
                return None
            digest = node_hash(row[-2], row[-1])
        self.rows[-1].append(digest)
        return digest

    def extend(self, data: bytes) -> None:
        for start in range(0, len(data), HASH_BYTES):
            self.add(data[start : start + HASH_BYTES])


def place_of(level: int, index: int) -> Place:
    """Name the tile in which a node of the tree (level 0 = leaves) is found or can be derived."""
    tile_level, height = divmod(level, TILE_HEIGHT)
    return tile_level, index >> (TILE_HEIGHT - height)


def places_at_edge(size: int) -> dict[Place, int]:
    """Name the partial tiles of a tree of `size` leaves, with their widths: at most one for each tile level."""
    places = {}
    level = 0
    while size >> (TILE_HEIGHT * level):
        count = size >> (TILE_HEIGHT * level)
        if width := count % TILE_WIDTH:
            places[level, count >> TILE_HEIGHT] = width
        level += 1
    return places


class Edge:
    """A tree of `size` leaves as far as its right edge needs: enough to give its root, grow, and prove fresh leaves."""

    def __init__(self, size: int, tiles: Mapping[Place, GrowingTile]) -> None:
        self.size = size
        self.tiles = dict(tiles)
        self.changed: set[Place] = set()

    def node(self, level: int, index: int) -> bytes:
        """Give a complete subtree's hash; `KeyError` says that it does not lie near the edge."""
        height = level % TILE_HEIGHT
        return self.tiles[place_of(level, index)].rows[height][index % (TILE_WIDTH >> height)]

    def root(self) -> bytes:
        return root(self.node, self.size)

    def append(self, leaf_hash: bytes) -> None:
        """Grow by one leaf; `changed` collects the tiles that have to be stored."""
        index, digest = self.size, leaf_hash
        self.size += 1
        level = 0
        while True:
            place = (level, index >> TILE_HEIGHT)
            tile = self.tiles.get(place)
            if tile is None:
                tile = self.tiles[place] = GrowingTile()
            self.changed.add(place)
            full = tile.add(digest)
            if full is None:
                return
            level, index, digest = level + 1, index >> TILE_HEIGHT, full

    def trimmed(self) -> "Edge":
        """Give the same tree without the tiles that are full by now and the marks of change."""
        return Edge(self.size, {place: self.tiles[place] for place in places_at_edge(self.size)})
