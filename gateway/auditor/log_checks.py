"""The log as a person reads it: how long it is, who confirmed it, and whether a later head continues an earlier one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from gateway.auditor.search import instant
from gateway.db.engine import Database
from gateway.errors import Fault, GatewayError, InvalidInputError
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import LogCheckpoint, LogEntry, WitnessStanding
from gateway.evidence.published import PublishedLog
from gateway.evidence.shard import Shard, read_shards
from gateway.evidence.state import EvidenceState, Standing
from gateway.evidence.tree import ColdTiles
from ipx.errors import ProofError
from ipx.merkle import consistency_proof, inclusion_proof, leaf_hash, root, verify_consistency, verify_inclusion

SHOWN: Final = 25
"""Checkpoints that are listed."""
VERIFIED_AT_MOST: Final = 1000
"""Entries of one range."""


@dataclass(frozen=True, slots=True)
class Head:
    """One signed head of the log."""

    size: int
    at: datetime
    root: str
    """Hexadecimal."""
    is_cosigned: bool
    is_stamped: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """Whether the tree of one head begins with that of an earlier one, proved from the tiles at this moment."""

    old: int
    new: int
    holds: bool
    hashes: int
    """Of the proof."""
    problem: str | None


@dataclass(frozen=True, slots=True)
class RangeChecked:
    """Whether each entry of a range is under the newest signed head, hashed and proved anew at this moment."""

    first: int
    last: int
    size: int
    """Of the head."""
    holds: bool
    problem: str | None


@dataclass(frozen=True, slots=True)
class WitnessLook:
    """What one witness has said of the log."""

    name: str
    size: int
    asked_at: datetime
    failure: str | None
    contradiction: str | None


@dataclass(frozen=True, slots=True)
class ShardLook:
    """One tree of the log: a new one begins where the log's key is rotated."""

    number: int
    origin: str
    size: int
    is_ended: bool


@dataclass(frozen=True, slots=True)
class LogLook:
    shards: Sequence[ShardLook]
    """The oldest first; what follows is of the last one, which grows."""
    size: int
    checkpoints: int
    note: str
    """The head that is published, as anybody gets it."""
    standing: Standing
    heads: Sequence[Head]
    witnesses: Sequence[WitnessLook]
    missing: int
    """Entries below the newest signed head that are not in the database: gaps."""

    def document(self) -> dict[str, Any]:
        return {
            "shards": [
                {"number": one.number, "origin": one.origin, "size": one.size, "ended": one.is_ended}
                for one in self.shards
            ],
            "size": self.size,
            "checkpoints": self.checkpoints,
            "note": self.note,
            "confirmed": dict(self.standing.detail()),
            "alarms": [*self.standing.reasons],
            "missing": self.missing,
            "witnesses": [
                {
                    "name": one.name,
                    "size": one.size,
                    "asked_at": instant(one.asked_at),
                    "failure": one.failure,
                    "contradiction": one.contradiction,
                }
                for one in self.witnesses
            ],
            "heads": [
                {
                    "size": head.size,
                    "at": instant(head.at),
                    "root": head.root,
                    "witnessed": head.is_cosigned,
                    "stamped": head.is_stamped,
                }
                for head in self.heads
            ],
        }


class LogChecks:
    def __init__(self, database: Database, log: EvidenceLog, published: PublishedLog, state: EvidenceState) -> None:
        self._database = database
        self._log = log
        self._published = published
        self._state = state

    @property
    def origin(self) -> str:
        return self._log.origin

    def look(self) -> LogLook:
        """Give the state of the log and its newest heads."""
        mine = LogCheckpoint.shard == self._log.shard.number
        with self._database.read() as session:
            rows = session.scalars(
                select(LogCheckpoint).where(mine).order_by(LogCheckpoint.size.desc()).limit(SHOWN)
            ).all()
            count = session.scalar(select(func.count()).select_from(LogCheckpoint).where(mine)) or 0
            size = rows[0].size if rows else 0
            end = self._log.shard.first + size
            kept = session.scalar(select(func.count()).select_from(LogEntry).where(LogEntry.idx < end)) or 0
            shards = read_shards(session.connection())
            standings = session.scalars(
                select(WitnessStanding).where(WitnessStanding.origin == self.origin).order_by(WitnessStanding.vkey)
            ).all()
        return LogLook(
            shards=[
                ShardLook(one.number, one.origin, one.final.size if one.final else size, one.final is not None)
                for one in shards
            ],
            size=size,
            checkpoints=count,
            note=self._published.shown().note,
            standing=self._state.now(),
            heads=[
                Head(row.size, row.at, row.root.hex(), row.cosigned is not None, row.tst is not None) for row in rows
            ],
            witnesses=[
                WitnessLook(row.vkey.split("+")[0], row.size, row.asked_at, row.failure, row.contradiction)
                for row in standings
            ],
            missing=end - kept,
        )

    def compare(self, given: Mapping[str, str]) -> Compared:
        """Prove that the log at one size begins with what it was at another; roots are computed from the tiles.

        Where a head of such a size was signed, its root must be the computed one.

        Args:
            given: `old` and `new`, any two sizes up to that of the newest signed head; perhaps `shard`, by number.

        Raises:
            InvalidInputError: a size is no number or too large, or they are in the wrong order.
        """
        shard = self._shard(given)
        old, new = (_size(given, name) for name in ("old", "new"))
        if old >= new:
            raise InvalidInputError([Fault("/new", "order", "larger than the earlier size")])
        if new > (signed := self._signed(shard)):
            raise InvalidInputError(
                [Fault("/new", "too_large", f"at most {signed}: so long is the newest signed head")]
            )
        try:
            roots = [self._root(shard, size) for size in (old, new)]
            with self._database.read_connection() as connection:
                proof = consistency_proof(ColdTiles(connection, shard).node, old, new)
            verify_consistency(old, new, proof, *roots)
        except (GatewayError, ProofError) as error:
            return Compared(old, new, holds=False, hashes=0, problem=str(error))
        return Compared(old, new, holds=True, hashes=len(proof), problem=None)

    def verify(self, given: Mapping[str, str]) -> RangeChecked:
        """Hash entries anew and prove each to be under the newest signed head.

        Args:
            given: `first` and `last`, numbers of entries, both included; a thousand at most; perhaps `shard`.

        Raises:
            InvalidInputError: they are no numbers, in the wrong order, too many, or beyond the head.
        """
        shard = self._shard(given)
        first, last = (_size(given, name, least=0) for name in ("first", "last"))
        size = self._signed(shard)
        if first > last:
            raise InvalidInputError([Fault("/last", "order", "not before the first")])
        if last - first >= VERIFIED_AT_MOST:
            raise InvalidInputError([Fault("/last", "span", f"at most {VERIFIED_AT_MOST} entries at once")])
        if last >= size:
            raise InvalidInputError([Fault("/last", "too_large", f"at most {size - 1}, the last entry that is signed")])
        start = shard.first
        with self._database.read() as session:
            within = LogEntry.idx.between(start + first, start + last)
            entries = {row.idx - start: row.entry for row in session.scalars(select(LogEntry).where(within))}
            signed_root = bytes(session.get_one(LogCheckpoint, (shard.number, size)).root)
        with self._database.read_connection() as connection:
            tiles = ColdTiles(connection, shard)
            for index in range(first, last + 1):
                if index not in entries:
                    return RangeChecked(first, last, size, holds=False, problem=f"entry {index} is missing")
                try:
                    proof = inclusion_proof(tiles.node, index, size)
                    verify_inclusion(index, size, leaf_hash(bytes(entries[index])), proof, signed_root)
                except (GatewayError, ProofError) as error:
                    return RangeChecked(first, last, size, holds=False, problem=f"entry {index}: {error}")
        return RangeChecked(first, last, size, holds=True, problem=None)

    def _shard(self, given: Mapping[str, str]) -> Shard:
        """Give the shard that is named by its number; the one that grows where none is.

        Raises:
            InvalidInputError: there is none of this number.
        """
        if not given.get("shard"):
            return self._log.shard
        number = _size(given, "shard")
        with self._database.read_connection() as connection:
            found = [one for one in read_shards(connection) if one.number == number]
        if not found:
            raise InvalidInputError([Fault("/shard", "unknown", "no shard of this number")])
        return found[0]

    def _signed(self, shard: Shard) -> int:
        mine = LogCheckpoint.shard == shard.number
        with self._database.read() as session:
            return session.scalar(select(func.max(LogCheckpoint.size)).where(mine)) or 0

    def _root(self, shard: Shard, size: int) -> bytes:
        """Compute the root of the first leaves from the tiles.

        Raises:
            ProofError: a head of this size was signed with another root.
        """
        with self._database.read_connection() as connection:
            computed = root(ColdTiles(connection, shard).node, size)
        with self._database.read() as session:
            row = session.get(LogCheckpoint, (shard.number, size))
        if row is not None and bytes(row.root) != computed:
            raise ProofError(f"the head of {size} entries was signed with another root than the tiles have")
        return computed


def _size(given: Mapping[str, str], name: str, *, least: int = 1) -> int:
    text = given.get(name, "")
    if not (text.isascii() and text.isdigit() and least <= int(text) < 1 << 53):
        raise InvalidInputError([Fault(f"/{name}", "number", f"a whole number, {least} or more")])
    return int(text)
