"""Shards: when the log's key is rotated, a new tree begins, and its first leaf commits to how the old one ended.

Entries of all shards stand in one table, counted through; a shard begins at the position `first`.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, text

from gateway.db.engine import Database
from gateway.evidence.errors import KeyFileError, LogForkedError
from gateway.evidence.models import LogShard
from ipx.commitment import entry, shard_commitment
from ipx.errors import FormatError
from ipx.jws import parse_object
from ipx.keys import Signer
from ipx.note import Checkpoint, NoteKey, NoteSigner

_FIRST = text(
    "INSERT INTO log_shard (number, origin, vkey, first) VALUES (1, :origin, :vkey, 0) ON CONFLICT (number) DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Shard:
    """One tree of the log, with a name and a key of its own."""

    number: int
    """From 1."""
    origin: str
    key: NoteKey
    first: int = 0
    """Position of its first leaf among the entries of all shards."""
    final: Checkpoint | None = None
    """How it ended; None while it grows."""

    @property
    def next_origin(self) -> str:
        """The origin of the shard that follows."""
        base = self.origin if self.number == 1 else self.origin.removesuffix(f"-{self.number}")
        return origin_of(base, self.number + 1)


def origin_of(log_origin: str, number: int) -> str:
    """Name a shard: `gw.example/log`, `gw.example/log-2`, `gw.example/log-3`."""
    return log_origin if number == 1 else f"{log_origin}-{number}"


def first_entry(before: Checkpoint, at: datetime) -> bytes:
    """Write the first entry of a new shard.

    Args:
        before: how the shard before it ended.
        at: the time of the rotation.
    """
    return entry(shard_commitment(before.text()), "shard", int(at.timestamp()))


def follows(first: bytes, before: Checkpoint) -> bool:
    """Tell whether a shard's first entry commits to how the shard before it ended."""
    try:
        at = parse_object(first).get("t")
    except FormatError:
        return False
    return isinstance(at, int) and first == entry(shard_commitment(before.text()), "shard", at)


def first_shard(key: NoteKey) -> Shard:
    return Shard(1, key.name, key)


def keep_first(connection: Connection, shard: Shard) -> None:
    """Register the first shard of a log that is new; one that is there stays."""
    connection.execute(_FIRST, {"origin": shard.origin, "vkey": shard.key.vkey})


def current_shard(database: Database, log_origin: str, signer: Signer) -> Shard:
    """Give the shard that grows; the first one where there is no log yet.

    Args:
        database: holds the log's tables.
        log_origin: of the first shard, as this gateway is configured.
        signer: the log key, as this gateway is configured.

    Raises:
        KeyFileError: it is not the key of that shard.
        LogForkedError: the log has another name.
    """
    with database.read_connection() as connection:
        shards = read_shards(connection)
    if not shards:
        return first_shard(NoteSigner(log_origin, signer).key)
    last = shards[-1]
    if last.origin != origin_of(log_origin, last.number):
        raise LogForkedError(
            f"the log in this database is {last.origin}: it was renamed, or belongs to another gateway"
        )
    if last.key != NoteSigner(last.origin, signer).key:
        raise KeyFileError(
            f"IPX_LOG_KEY is not the key of {last.origin}: set the one that `log rotate` took last, "
            "or look whether a backup from before a rotation was restored"
        )
    return last


def read_shards(connection: Connection) -> list[Shard]:
    """Give all shards in their order; none where the log was not created yet."""
    rows = connection.execute(
        select(LogShard.number, LogShard.origin, LogShard.vkey, LogShard.first, LogShard.size, LogShard.root).order_by(
            LogShard.number
        )
    )
    return [
        Shard(
            row.number,
            row.origin,
            NoteKey.parse(row.vkey),
            row.first,
            None if row.size is None else Checkpoint(row.origin, row.size, bytes(row.root)),
        )
        for row in rows
    ]
