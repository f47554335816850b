"""Full tiles as files: they never change, so a web server or an object store may serve them instead of the database."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gateway.evidence.published import PublishedLog
from ipx.tiles import TILE_HEIGHT, TILE_WIDTH, Tile


def write_tiles(log: PublishedLog, folder: Path) -> int:
    """Write the full tiles of a shard that are not there yet: hashes and entries, named as they are served.

    Args:
        log: the shard.
        folder: what is served under the shard's address; `tile/0/000` and so on are made in it.

    Returns:
        how many files were written.

    Raises:
        OSError: the folder cannot be written.
        LogDamagedError: a tile is not whole.
    """
    size = log.newest().size
    written = 0
    for level in _levels(size):
        count = size >> TILE_HEIGHT * ((level or 0) + 1)
        missing = []
        for index in range(count - 1, -1, -1):  # from the newest back to the first that is there
            tile = Tile(level, index, TILE_WIDTH)
            if (folder / tile.path()).exists():
                break
            missing.append(tile)
        for tile in reversed(missing):  # so that what is there is always a beginning
            _write(folder / tile.path(), log.tile(tile))
            written += 1
    return written


def _levels(size: int) -> Iterator[int | None]:
    """Name the levels that have a full tile; None are the entries."""
    if size >= TILE_WIDTH:
        yield None
    level = 0
    while size >> TILE_HEIGHT * (level + 1):
        yield level
        level += 1


def _write(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".tile-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(name).chmod(0o644)
    Path(name).replace(path)
