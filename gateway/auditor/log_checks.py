"""The log as a person reads it: how long it is, who confirmed it, and whether a later head continues an earlier one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from gateway.db.engine import Database
from gateway.errors import Fault, GatewayError, InvalidInputError
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import LogCheckpoint
from gateway.evidence.published import PublishedLog
from gateway.evidence.state import EvidenceState, Standing
from ipx.errors import ProofError
from ipx.merkle import verify_consistency

SHOWN: Final = 25
"""Checkpoints that are listed."""


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
class LogLook:
    size: int
    checkpoints: int
    note: str
    """The head that is published, as anybody gets it."""
    standing: Standing
    heads: Sequence[Head]


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
        return LogLook(
            size=rows[0].size if rows else 0,
            checkpoints=count,
            note=self._published.shown().note,
            standing=self._state.now(),
            heads=[
                Head(row.size, row.at, row.root.hex(), row.cosigned is not None, row.tst is not None) for row in rows
            ],
        )

    def compare(self, given: Mapping[str, str]) -> Compared:
        """Prove that the log at one size begins with what it was at another.

        Args:
            given: `old` and `new`, sizes of two checkpoints.

        Raises:
            InvalidInputError: a size is no number, there is no checkpoint of it, or they are in the wrong order.
        """
        old, new = (_size(given, name) for name in ("old", "new"))
        if old >= new:
            raise InvalidInputError([Fault("/new", "order", "larger than the earlier size")])
        roots = [self._root(name, size) for name, size in (("old", old), ("new", new))]
        try:
            proof = self._log.consistency(old, new)
            verify_consistency(old, new, proof, *roots)
        except (GatewayError, ProofError) as error:
            return Compared(old, new, holds=False, hashes=0, problem=str(error))
        return Compared(old, new, holds=True, hashes=len(proof), problem=None)

    def _root(self, name: str, size: int) -> bytes:
        with self._database.read() as session:
            row = session.get(LogCheckpoint, (self._log.shard.number, size))
        if row is None:
            raise InvalidInputError([Fault(f"/{name}", "no_checkpoint", "no checkpoint of this size was signed")])
        return bytes(row.root)


def _size(given: Mapping[str, str], name: str) -> int:
    text = given.get(name, "")
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 53):
        raise InvalidInputError([Fault(f"/{name}", "number", "the size of a checkpoint: a whole number above 0")])
    return int(text)
