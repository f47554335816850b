"""How many exchanges of each kind there were on each day: kept by the indexer, read by reports.

The counts are of what `exchange_search` says, each change in the transaction that changes it there. What they do not
hold yet is read from the exchanges themselves, so that reports are right at any moment: exchanges that the indexer has
not noted in their newest state, and days on which an exchange was noted without being counted (by a node of an older
version), until `recount` has counted the day anew.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, literal, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway.auditor.models import ExchangeDay, ExchangeSearch, ExchangeVersions
from gateway.auditor.scope import Scope
from gateway.db.engine import Database
from gateway.exchange.models import Exchange

_COUNTS: Any = ExchangeDay.__table__
_A_DAY = timedelta(days=1)
Span = tuple[datetime, datetime]
"""From this instant on, before that one."""


class Kind(NamedTuple):
    """What exchanges have in common that are counted together."""

    requester: str
    holder: str
    record_type: str
    purpose: str
    state: str
    versions: str
    """`exchange_versions.id`; empty where none is noted."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many there are of each kind, and on each day."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    days: Counter[date] = field(default_factory=Counter)

    def add(self, day: date, kind: Kind, count: int) -> None:
        self.kinds[kind] += count
        self.days[day] += count


def kind_of(row: Any, state: str, versions: str | None) -> tuple[date, Kind]:
    """Say where an exchange is counted that is noted in this state, decided by these versions."""
    day = row.received_at.astimezone(UTC).date()
    return day, Kind(row.requester, row.holder, row.record_type, row.purpose, state, versions or "")


def change(session: Session, changes: Counter[tuple[date, Kind]]) -> None:
    """Add to the counts, or take away."""
    rows = [{"day": day, **kind._asdict(), "count": count} for (day, kind), count in sorted(changes.items()) if count]
    if rows:
        new: Any = (sqlite if session.get_bind().dialect.name == "sqlite" else postgresql).insert(_COUNTS)
        added = {"count": _COUNTS.c.count + new.excluded.count}
        session.execute(new.on_conflict_do_update(index_elements=list(_COUNTS.primary_key), set_=added), rows)


def recount(database: Database) -> int:
    """Count anew each day on which an exchange was noted and not counted. Returns how many days those were."""
    days = 0
    while True:
        with database.read() as session:
            found = session.scalar(_uncounted(Exchange.received_at).limit(1))
        if found is None:
            return days
        with database.write() as session:
            _recount(session, found.astimezone(UTC).date(), is_sqlite=database.is_sqlite)
        days += 1


def tallied(database: Database, session: Session, scope: Scope, since: datetime, until: datetime) -> Tally:
    """Count the exchanges that were received in a time.

    Args:
        database: of the session.
        session: that has read nothing yet; it goes on in one state of the data.
        scope: whose exchanges may be seen.
        since: from this instant on.
        until: before this one.
    """
    if not database.is_sqlite:  # which reads one state in any transaction
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    tally, reader = Tally(), _Reader(session, scope, is_sqlite=database.is_sqlite)
    first, last = _midnight(since), _midnight(until)
    if first < since:
        first += _A_DAY
    if first >= last:
        reader.add_exchanges(tally, [(since, until)])
        return tally
    uncounted = {day for day in reader.uncounted_days() if first.date() <= day < last.date()}
    reader.add_exchanges(tally, [(since, first), (last, until), *map(_span, uncounted)])
    reader.add_counts(tally, first.date(), last.date(), uncounted)
    reader.mend(tally, lambda day: first.date() <= day < last.date() and day not in uncounted)
    return tally


class _Reader:
    """Reads what one auditor may see."""

    def __init__(self, session: Session, scope: Scope, *, is_sqlite: bool) -> None:
        self._session = session
        self._scope = scope
        at: Any = Exchange.received_at
        self._day = func.date(at) if is_sqlite else func.date(func.timezone("UTC", at))

    def uncounted_days(self) -> set[date]:
        return {_date(found) for found in self._session.scalars(_uncounted(self._day).distinct())}

    def add_counts(self, tally: Tally, first: date, end: date, without: Iterable[date]) -> None:
        """Add what was counted on days from the first one on and before the end."""
        day = ExchangeDay.day
        seen = and_(self._scope.exchanges(ExchangeDay), day >= first, day < end, day.not_in(sorted(without)))
        kinds = [getattr(ExchangeDay, name) for name in Kind._fields]
        for row in self._session.execute(select(*kinds, func.sum(ExchangeDay.count)).where(seen).group_by(*kinds)):
            tally.kinds[Kind(*row[:-1])] += int(row[-1])
        for found, count in self._session.execute(select(day, func.sum(ExchangeDay.count)).where(seen).group_by(day)):
            tally.days[found] += int(count)

    def add_exchanges(self, tally: Tally, spans: Iterable[Span]) -> None:
        """Add the exchanges of some times as they are."""
        for span in _joined(spans):
            for day, kind, count in self._kinds(_within(span), Exchange.state):
                tally.add(day, kind, count)

    def mend(self, tally: Tally, is_counted: Callable[[date], bool]) -> None:
        """Put exchanges of counted days that the indexer has not noted in their newest state where they are now."""
        reached = self._session.scalar(select(func.max(ExchangeSearch.log_index)))
        newer = Exchange.log_index > (-1 if reached is None else reached)
        for which, state, sign in (
            (Exchange.log_index.is_(None), Exchange.state, 1),
            (newer, Exchange.state, 1),
            (and_(newer, ExchangeSearch.state.is_not(None)), ExchangeSearch.state, -1),
        ):
            for day, kind, count in self._kinds(which, state):
                if is_counted(day):
                    tally.add(day, kind, sign * count)

    def _kinds(self, which: ColumnElement[bool], state: Any) -> Iterator[tuple[date, Kind, int]]:
        versions = func.coalesce(ExchangeSearch.versions, "")
        columns = (self._day, Exchange.requester, Exchange.holder, Exchange.record_type, Exchange.purpose)
        query: Select[Any] = (
            select(*columns, state, versions, func.count())
            .select_from(Exchange)
            .join(ExchangeSearch, ExchangeSearch.exchange_id == Exchange.id, isouter=True)
            .where(which)
            .group_by(*columns, state, versions)
        )
        for side in self._scope.sides():
            for day, *kind, count in self._session.execute(query.where(side)):
                yield _date(day), Kind(*kind), count


def holders_versions(session: Session) -> dict[str, str]:
    """Give the version of the holder's policies by the name of the versions that decided together."""
    return {row.id: row.holder for row in session.execute(select(ExchangeVersions.id, ExchangeVersions.holder))}


def _uncounted(column: Any) -> Select[Any]:
    joined = select(column).select_from(ExchangeSearch).join(Exchange, Exchange.id == ExchangeSearch.exchange_id)
    return joined.where(ExchangeSearch.state.is_(None))


def _recount(session: Session, day: date, *, is_sqlite: bool) -> None:
    of_day = _within(_span(day))
    state = select(Exchange.state).where(Exchange.id == ExchangeSearch.exchange_id).scalar_subquery()
    session.execute(
        update(ExchangeSearch)
        .where(ExchangeSearch.state.is_(None), ExchangeSearch.exchange_id.in_(select(Exchange.id).where(of_day)))
        .values(state=state)
    )
    if not is_sqlite:  # whoever changes counts now waits, and changes what is counted here
        session.execute(text("LOCK TABLE exchange_day IN EXCLUSIVE MODE"))
    session.execute(delete(ExchangeDay).where(ExchangeDay.day == day))
    kinds = (
        *(Exchange.requester, Exchange.holder, Exchange.record_type, Exchange.purpose),
        *(ExchangeSearch.state, func.coalesce(ExchangeSearch.versions, "")),
    )
    counted = (
        select(literal(day), *kinds, func.count())
        .join(ExchangeSearch, ExchangeSearch.exchange_id == Exchange.id)
        .where(of_day, ExchangeSearch.state.is_not(None))
        .group_by(*kinds)
    )
    session.execute(insert(ExchangeDay).from_select(["day", *Kind._fields, "count"], counted))


def _midnight(moment: datetime) -> datetime:
    """Give the beginning of a moment's day."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _span(day: date) -> Span:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return midnight, midnight + _A_DAY


def _within(span: Span) -> ColumnElement[bool]:
    """Select what was received in a time."""
    return and_(Exchange.received_at >= span[0], Exchange.received_at < span[1])


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Make one of those that follow each other, and leave out those that are empty."""
    joined: list[Span] = []
    for since, until in sorted(one for one in spans if one[0] < one[1]):
        if joined and joined[-1][1] == since:
            joined[-1] = joined[-1][0], until
        else:
            joined.append((since, until))
    return joined


def _date(found: Any) -> date:
    """Read a day, which SQLite gives in its ISO form."""
    return found if isinstance(found, date) else date.fromisoformat(found)
