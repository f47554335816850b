"""Figures over what an auditor may see: who asks whom, how much a day, how it ended, why, and how long holders take."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from gateway.auditor.models import ExchangeSearch, ExchangeVersions
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


class _Kind(NamedTuple):
    """What exchanges have in common that are counted together."""

    day: Any
    """A date on PostgreSQL, its ISO form on SQLite."""
    requester: str
    holder: str
    record_type: str
    purpose: str
    state: str


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
        within = and_(scope.exchanges(), Exchange.received_at >= since, Exchange.received_at < until)
        with self._database.read() as session:
            kinds = self._kinds(session, within)
            return Figures(
                since=since,
                until=until,
                total=kinds.total(),
                pairs=[Pair(one, other, count) for (one, other), count in _added(kinds, "requester", "holder")],
                days=_days({str(day): count for (day,), count in _added(kinds, "day")}, since, until),
                outcomes=[Cell(one, other, count) for (one, other), count in _added(kinds, "record_type", "state")],
                policies=[Cell(*row) for row in _by_version(session, within)],
                purposes=[Cell(one, other, count) for (one, other), count in _added(kinds, "requester", "purpose")],
                holders=_holders(session, within, kinds),
            )

    def _kinds(self, session: Session, within: ColumnElement[bool]) -> Counter[_Kind]:
        """Read the exchanges once: how many there were of each day, pair, record type, purpose and outcome."""
        day: Any = func.date(Exchange.received_at)
        if not self._database.is_sqlite:
            day = func.date(func.timezone("UTC", Exchange.received_at))
        columns = (day, Exchange.requester, Exchange.holder, Exchange.record_type, Exchange.purpose, Exchange.state)
        query = select(*columns, func.count()).where(within).group_by(*columns)
        return Counter({_Kind(*row[:-1]): row[-1] for row in session.execute(query)})


def _added(kinds: Counter[_Kind], *names: str) -> list[tuple[tuple[Any, ...], int]]:
    """Add up what is alike in some members; in the order of their values."""
    sums: Counter[tuple[Any, ...]] = Counter()
    for kind, count in kinds.items():
        sums[tuple(getattr(kind, name) for name in names)] += count
    return sorted(sums.items())


def _days(counts: Mapping[str, int], since: datetime, until: datetime) -> list[Day]:
    days: list[Day] = []
    moment = since
    while moment < until:
        count = counts.get(moment.date().isoformat(), 0)
        before = [known.count for known in days[-28:]]
        usual = median(before) if len(before) >= 7 else None  # noqa: PLR2004  (a week tells what is usual)
        is_unusual = usual is not None and count >= 10 and count > 3 * usual  # noqa: PLR2004  (said in `Day`)
        days.append(Day(moment.date(), count, is_unusual))
        moment += timedelta(days=1)
    return days


def _holders(session: Session, within: ColumnElement[bool], kinds: Counter[_Kind]) -> list[HolderTime]:
    failures = {holder: count for (holder, state), count in _added(kinds, "holder", "state") if state == "failed"}
    found = []
    for (holder,), count in _added(kinds, "holder"):
        newest = select(Exchange.timing_ms).where(within, Exchange.holder == holder, Exchange.timing_ms.is_not(None))
        newest = newest.order_by(Exchange.received_at.desc()).limit(TIMED_AT_MOST)
        spent = [float(timing["holder"]) for timing in session.scalars(newest) if timing and "holder" in timing]
        failed = failures.get(holder, 0)
        if spent or failed:
            usual, slowest = (round(median(spent), 1), round(max(spent), 1)) if spent else (0.0, 0.0)
            found.append(HolderTime(holder, count, usual, slowest, failed))
    return sorted(found, key=lambda one: one.median_ms, reverse=True)


def _by_version(session: Session, within: ColumnElement[bool]) -> Sequence[Any]:
    version = ExchangeVersions.holder
    query = (
        select(version, Exchange.state, func.count())
        .select_from(Exchange)
        .join(ExchangeSearch, ExchangeSearch.exchange_id == Exchange.id)
        .join(ExchangeVersions, ExchangeVersions.id == ExchangeSearch.versions)
        .where(within, version != "")
    )
    grouped = query.group_by(version, Exchange.state).order_by(version, Exchange.state)
    return [tuple(found) for found in session.execute(grouped)]
