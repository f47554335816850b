"""Figures over what an auditor may see: who asks whom, how much a day, how it ended, why, and how long holders take."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from gateway.auditor.daily_counts import Kind, holders_versions, tallied
from gateway.auditor.scope import Scope
from gateway.db.engine import Database
from gateway.exchange.models import Exchange

TIMED_AT_MOST: Final = 2000
"""The newest exchanges whose times are looked at for one holder."""


@dataclass(frozen=True, slots=True)
class Pair:
    requester: str
    holder: str
    count: int


@dataclass(frozen=True, slots=True)
class Cell:
    """How many exchanges two values have in common."""

    row: str
    column: str
    count: int


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    count: int
    is_unusual: bool
    """Three times the median of the days before it, and at least ten."""


@dataclass(frozen=True, slots=True)
class HolderTime:
    holder: str
    exchanges: int
    median_ms: float
    slowest_ms: float
    failed: int


@dataclass(frozen=True, slots=True)
class Figures:
    since: datetime
    until: datetime
    total: int
    pairs: Sequence[Pair]
    days: Sequence[Day]
    outcomes: Sequence[Cell]
    """Outcome by record type."""
    policies: Sequence[Cell]
    """Outcome by version of the holder's policies, as receipts name it; of exchanges that are indexed."""
    purposes: Sequence[Cell]
    """Purpose by asking agency."""
    holders: Sequence[HolderTime]
    """The slowest first."""

    @property
    def as_cells(self) -> Sequence[Cell]:
        """Who asks whom, as the cells of a table."""
        return [Cell(pair.requester, pair.holder, pair.count) for pair in self.pairs]


class Statistics:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, scope: Scope, since: datetime, until: datetime) -> Figures:
        """Count the exchanges that were received in a time.

        Args:
            scope: whose exchanges may be seen.
            since: from this instant on.
            until: before this one.
        """
        with self._database.read() as session:
            tally = tallied(self._database, session, scope, since, until)
            kinds, version_of = tally.kinds, holders_versions(session)
            by_version = Counter[tuple[str, str]]()
            for kind, count in kinds.items():
                by_version[version_of.get(kind.versions, ""), kind.state] += count
            within = and_(scope.exchanges(), Exchange.received_at >= since, Exchange.received_at < until)
            return Figures(
                since=since,
                until=until,
                total=kinds.total(),
                pairs=[Pair(one, other, count) for (one, other), count in _added(kinds, "requester", "holder")],
                days=_days(tally.days, since, until),
                outcomes=[Cell(one, other, count) for (one, other), count in _added(kinds, "record_type", "state")],
                policies=[Cell(*cell, count) for cell, count in sorted(by_version.items()) if cell[0] and count],
                purposes=[Cell(one, other, count) for (one, other), count in _added(kinds, "requester", "purpose")],
                holders=_holders(session, within, kinds),
            )


def _added(kinds: Counter[Kind], *names: str) -> list[tuple[tuple[Any, ...], int]]:
    """Add up what is alike in some members; in the order of their values."""
    sums: Counter[tuple[Any, ...]] = Counter()
    for kind, count in kinds.items():
        sums[tuple(getattr(kind, name) for name in names)] += count
    return sorted((values, count) for values, count in sums.items() if count)


def _days(counts: Mapping[date, int], since: datetime, until: datetime) -> list[Day]:
    """Give each day (UTC) of which any part lies in the time, the last one too; their counts add up to the total."""
    days: list[Day] = []
    day, last = since.astimezone(UTC).date(), (until - timedelta.resolution).astimezone(UTC).date()
    while day <= last:
        count = counts.get(day, 0)
        before = [known.count for known in days[-28:]]
        usual = median(before) if len(before) >= 7 else None  # noqa: PLR2004  (a week tells what is usual)
        is_unusual = usual is not None and count >= 10 and count > 3 * usual  # noqa: PLR2004  (said in `Day`)
        days.append(Day(day, count, is_unusual))
        day += timedelta(days=1)
    return days


_AT_HOLDER: Final[Any] = Exchange.timing_ms["holder"].as_float()
"""Taken out of its JSON by the database; null where the holder was not called."""


def _holders(session: Session, within: ColumnElement[bool], kinds: Counter[Kind]) -> list[HolderTime]:
    failures = {holder: count for (holder, state), count in _added(kinds, "holder", "state") if state == "failed"}
    found = []
    for (holder,), count in _added(kinds, "holder"):
        newest = select(_AT_HOLDER).where(within, Exchange.holder == holder, Exchange.timing_ms.is_not(None))
        newest = newest.order_by(Exchange.received_at.desc()).limit(TIMED_AT_MOST)
        spent = [taken for taken in session.scalars(newest) if taken is not None]
        failed = failures.get(holder, 0)
        if spent or failed:
            usual, slowest = (round(median(spent), 1), round(max(spent), 1)) if spent else (0.0, 0.0)
            found.append(HolderTime(holder, count, usual, slowest, failed))
    return sorted(found, key=lambda one: one.median_ms, reverse=True)
