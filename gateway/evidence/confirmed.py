"""Checkpoints as rows that collect what outsiders give for them: cosignatures first, then a time-stamp over both."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, Row, func, select, update

from gateway.evidence.demands import Demands
from gateway.evidence.models import LogCheckpoint
from gateway.evidence.shard import Shard
from ipx.errors import NoteError
from ipx.note import NoteKey, open_note

LOOK_BACK: Final = 16
"""How many cosigned checkpoints are looked at for the newest with a quorum; the round after has another chance."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One checkpoint with what it has so far."""

    shard: int
    size: int
    note: str
    """As signed by the log alone."""
    carried: str
    """With cosignatures: the bytes that are stamped, served and put into evidence."""
    is_stamped: bool

    def lines(self, witnesses: frozenset[NoteKey]) -> Mapping[NoteKey, str]:
        """Give the cosignature of each witness that has cosigned."""
        try:
            return open_note(self.carried, witnesses).lines if witnesses else {}
        except NoteError:
            return {}


_COLUMNS = (
    LogCheckpoint.shard,
    LogCheckpoint.size,
    LogCheckpoint.note,
    LogCheckpoint.cosigned,
    LogCheckpoint.tst.is_not(None),
)


def of_size(connection: Connection, shard: Shard, size: int) -> Confirmed | None:
    row = connection.execute(select(*_COLUMNS).where(*_is(shard.number, size))).one_or_none()
    return None if row is None else _confirmed(row)


def newest_with_quorum(connection: Connection, shard: Shard, demands: Demands) -> Confirmed | None:
    """Give the newest checkpoint that enough witnesses have cosigned; None where none has, or none need to."""
    if not demands.quorum:
        return None
    rows = connection.execute(
        select(*_COLUMNS)
        .where(LogCheckpoint.shard == shard.number, LogCheckpoint.cosigned.is_not(None))
        .order_by(LogCheckpoint.size.desc())
        .limit(LOOK_BACK)
    )
    found = map(_confirmed, rows)
    return next((row for row in found if demands.cosignatures(row.carried) >= demands.quorum), None)


def last_stamped(connection: Connection, shard: Shard) -> int:
    """Give the size of the newest stamped checkpoint; -1 where none is."""
    size = connection.execute(
        select(func.max(LogCheckpoint.size)).where(LogCheckpoint.shard == shard.number, LogCheckpoint.tst.is_not(None))
    ).scalar()
    return -1 if size is None else size


def waits_since(connection: Connection, shard: Shard, size: int) -> datetime | None:
    """Tell when the first checkpoint with more than `size` leaves was signed; None where there is none."""
    return connection.execute(
        select(LogCheckpoint.at)
        .where(LogCheckpoint.shard == shard.number, LogCheckpoint.size > max(size, 0))
        .order_by(LogCheckpoint.size)
        .limit(1)
    ).scalar_one_or_none()


def keep_cosigned(
    connection: Connection, checkpoint: Confirmed, lines: Mapping[NoteKey, str], *, replaces_stamp: bool
) -> None:
    """Give a checkpoint these cosignatures.

    What is stamped changes no more, except that a stamp over too few cosignatures gives way to enough of them: it
    proves nothing to anybody who demands a quorum.
    """
    note = checkpoint.note + "".join(f"{line}\n" for line in lines.values())
    changed = update(LogCheckpoint).where(*_is(checkpoint.shard, checkpoint.size))
    if not replaces_stamp:
        changed = changed.where(LogCheckpoint.tst.is_(None))
    connection.execute(changed.values(cosigned=note, tst=None))


def keep_stamp(connection: Connection, checkpoint: Confirmed, token: bytes) -> bool:
    """Keep an authority's reply; False where the checkpoint has got other cosignatures meanwhile."""
    unchanged = LogCheckpoint.cosigned == checkpoint.carried
    if checkpoint.carried == checkpoint.note:
        unchanged = LogCheckpoint.cosigned.is_(None)
    kept = (
        update(LogCheckpoint)
        .where(*_is(checkpoint.shard, checkpoint.size), LogCheckpoint.tst.is_(None), unchanged)
        .values(tst=token)
    )
    return connection.execute(kept).rowcount == 1


def _is(shard: int, size: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return LogCheckpoint.shard == shard, LogCheckpoint.size == size


def _confirmed(row: Row[int, int, str, str | None, bool]) -> Confirmed:
    shard, size, note, cosigned, is_stamped = row
    return Confirmed(shard, size, note, cosigned or note, bool(is_stamped))
