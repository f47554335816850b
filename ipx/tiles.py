"""The tree as files that anybody may fetch and keep (C2SP tlog-tiles): paths, entry tiles, reading nodes from tiles.

A hash tile of level L holds up to 256 node hashes of tree level 8·L. The rightmost one of a level may be partial; its
width is part of its path, so that a path never changes its content.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from ipx.errors import ProofError
from ipx.merkle import HASH_BYTES, node_hash

TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8
MAX_ENTRY_BYTES: Final = 65_535
_MAX_LEVEL: Final = 7  # 256**8 nodes: more entries than a checkpoint can count
_GROUP: Final = 1000

_PATH: Final = re.compile(r"(entries|[0-7])/((?:x\d{3}/){0,6}\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile's place. `level` is None for a tile of entries."""

    level: int | None
    index: int
    width: int

    def path(self) -> str:
        """The path below the log's prefix, e.g. `tile/0/x001/x234/067.p/112`."""
        name = "entries" if self.level is None else str(self.level)
        digits = f"{self.index % _GROUP:03}"
        rest = self.index // _GROUP
        while rest:
            digits = f"x{rest % _GROUP:03}/{digits}"
            rest //= _GROUP
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{name}/{digits}{partial}"


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Name a hash tile.

    Raises:
        ProofError: no tile has this place.
    """
    if not 0 <= level <= _MAX_LEVEL:
        raise ProofError(f"There are no tiles of level {level}.")
    return _tile(level, index, width).path()


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Name a tile of entries.

    Raises:
        ProofError: no tile has this place.
    """
    return _tile(None, index, width).path()


def parse_path(path: str) -> Tile:
    """Read what follows `tile/` in a path, in its one spelling: `0/x001/067`, `entries/000.p/5`.

    Raises:
        ProofError: another spelling (leading groups of zeros, a full tile spelt as a partial one).
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise ProofError("This is not the path of a tile.")
    name, digits, partial = match.groups()
    level = None if name == "entries" else int(name)
    tile = Tile(level, int(digits.replace("x", "").replace("/", "")), int(partial) if partial else TILE_WIDTH)
    if tile.path() != f"tile/{path}":
        raise ProofError("This is not the path of a tile in its one spelling.")
    return tile


def encode_entries(entries: Iterable[bytes]) -> bytes:
    """Write entries one after the other, each after its length in two bytes, big end first.

    Raises:
        ProofError: an entry of more than 65,535 bytes.
    """
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise ProofError(f"An entry of {len(entry)} bytes does not fit a tile.")
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def decode_entries(data: bytes, width: int) -> list[bytes]:
    """Read a tile of exactly `width` entries.

    Raises:
        ProofError: it holds more, fewer, or half an entry.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        begin = at + 2
        at = begin + int.from_bytes(data[at:begin], "big")
        if at > len(data):
            raise ProofError("A tile of entries ends in the middle of an entry.")
        entries.append(data[begin:at])
    if len(entries) != width:
        raise ProofError(f"A tile of entries holds {len(entries)} entries instead of {width}.")
    return entries


class TileReader:
    """A `merkle.Node` for the tree of `size` entries, over tiles fetched when first needed and kept.

    Nothing read here is proven until a root computed from it was compared with a signed one.
    """

    def __init__(self, fetch: Callable[[str], bytes], size: int) -> None:
        """Read the tree of a published size.

        Args:
            fetch: gives the bytes under a path; raises `LookupError` where there is no such tile. A partial tile that
                is gone is looked for as the full tile it has become.
            size: of the tree, from a checkpoint.
        """
        self._fetch = fetch
        self._size = size
        self._tiles: dict[tuple[int, int], bytes] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """Hash of a complete subtree.

        Raises:
            ProofError: the tree has no such subtree, or a tile is missing or of the wrong size.
        """
        if level < 0 or (index + 1) << level > self._size:
            raise ProofError(f"A tree of {self._size} entries has no complete subtree {index} of level {level}.")
        tile_level, within = divmod(level, TILE_HEIGHT)
        first = index << within
        tile = self._tile(tile_level, first // TILE_WIDTH)
        begin = first % TILE_WIDTH * HASH_BYTES
        row = [tile[at : at + HASH_BYTES] for at in range(begin, begin + (HASH_BYTES << within), HASH_BYTES)]
        while len(row) > 1:
            row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
        return row[0]

    def _tile(self, level: int, index: int) -> bytes:
        kept = self._tiles.get((level, index))
        if kept is not None:
            return kept
        width = min(TILE_WIDTH, (self._size >> TILE_HEIGHT * level) - index * TILE_WIDTH)
        data = self._fetched(level, index, width)
        self._tiles[level, index] = data
        return data

    def _fetched(self, level: int, index: int, width: int) -> bytes:
        for published in sorted({width, TILE_WIDTH}):
            try:
                data = self._fetch(tile_path(level, index, published))
            except LookupError:
                continue
            if len(data) != published * HASH_BYTES:
                raise ProofError(f"The tile {tile_path(level, index, published)} has {len(data)} bytes.")
            return data[: width * HASH_BYTES]
        raise ProofError(f"The tile {tile_path(level, index, width)} is missing.")


def _tile(level: int | None, index: int, width: int) -> Tile:
    if index < 0 or not 1 <= width <= TILE_WIDTH:
        raise ProofError(f"There is no tile {index} of width {width}.")
    return Tile(level, index, width)
