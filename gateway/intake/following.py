"""Following a source by its changes: the watermark is stored only after what it stands for was dealt with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import select

from connectors.deadline import Deadline
from connectors.mapping import Mapped
from connectors.protocol import Changes, Failed, Found, Health, RecordKey, Watermark
from connectors.quarantine import Quarantined
from connectors.source_file import Freshness
from gateway.agencies.models import Source
from gateway.agencies.sources import parsed
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.exchange.holders import Holders, SourceRef, Unavailable
from gateway.intake.models import SourceRun
from gateway.intake.quarantine import Quarantine, source_ref
from gateway.intake.runs import ClaimLostError, Runs

BATCH_SECONDS: Final = 60
STOPPED_SHARE: Final = 0.5
"""Above it a run stops and the watermark stays: it is the mapping that is wrong, not so many records."""
DEGRADED_SHARE: Final = 0.05
FEWEST: Final = 10
"""Shares say nothing of fewer records."""
TOO_MANY: Final = "too_many_quarantined"
RUNNING: Final = "already_running"
SUSPENDED: Final = "suspended"

State = Literal["ok", "degraded", "down", "stale", "unknown", "suspended"]

Sink = Callable[[Mapped | RecordKey], object]
"""Takes each record that changed, and the key of each that was deleted; at least once."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run brought; `failure` is a word of `FailReason`, or why it stopped."""

    source: str
    mapped: int
    quarantined: int
    deleted: int
    failure: str | None


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """What an operator wants to know of a source."""

    source: str
    state: State
    lag: timedelta | None
    last_run: datetime | None
    last_success: datetime | None
    failure: str | None
    quarantined: int
    """Entries that wait for an operator."""
    breaker: str
    quota_left: int | None
    note: str


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What runs left behind, without asking the source; `follow` is None where only an operator starts them."""

    source: str
    state: State
    follow: timedelta | None
    lag: timedelta | None
    last_run: datetime | None
    last_success: datetime | None
    next_run: datetime | None
    failure: str | None
    failures: int
    mapped: int
    deleted: int
    quarantined: int
    waiting: int
    """Entries that wait for an operator, of this run and of those before."""


class Following:
    def __init__(self, database: Database, holders: Holders, quarantine: Quarantine, clock: Clock) -> None:
        self._database = database
        self._holders = holders
        self._quarantine = quarantine
        self._runs = Runs(database, clock)
        self._clock = clock
        self._freshness: dict[str, Freshness] = {}

    def run(self, name: str, sink: Sink = lambda _: None, *, is_stopping: Callable[[], bool] = lambda: False) -> Ran:
        """Read all changes since the last run; after a crash or a failure the next run goes on where this one stopped.

        Args:
            name: of the source.
            sink: takes what changed.
            is_stopping: asked between two batches; the run then ends where it is.

        Raises:
            UnknownError: there is no such source.
        """
        source = source_ref(self._database, name)
        registered = self._registered(name)
        if registered.suspended_at is not None:
            return Ran(name, 0, 0, 0, SUSPENDED)
        run = self._runs.begin(source)
        if run is None:
            return Ran(name, 0, 0, 0, RUNNING)
        try:
            retry_after = self._read(source, run, sink, is_stopping)
            self._runs.ended(run, self._freshness_of(registered).follow, retry_after)
        except ClaimLostError:
            return Ran(name, run.mapped, run.quarantined, run.deleted, RUNNING)
        except BaseException:
            self._runs.broken(run)
            raise
        return Ran(name, run.mapped, run.quarantined, run.deleted, run.failure)

    def due(self) -> list[str]:
        """Name the sources whose file says how often, and whose time has come."""
        now = self._clock()
        with self._database.read() as session:
            rows = session.execute(
                select(Source, SourceRun)
                .outerjoin(SourceRun, SourceRun.source == Source.name)
                .where(Source.suspended_at.is_(None))
                .order_by(SourceRun.next_at)
            ).all()
        return [
            source.name
            for source, run in rows
            if self._freshness_of(source).follow is not None and _is_due(source, run, now)
        ]

    def status(self) -> list[SourceStatus]:
        """Tell of each source what its last runs brought. No source is asked."""
        with self._database.read() as session:
            rows = session.execute(
                select(Source, SourceRun)
                .outerjoin(SourceRun, SourceRun.source == Source.name)
                .order_by(Source.holder, Source.name)
            ).all()
        return [self._status(source, run) for source, run in rows]

    def failing(self) -> list[SourceStatus]:
        """Tell of the sources that could not be followed, or are behind what their file calls stale."""
        return [one for one in self.status() if one.state in ("down", "stale")]

    def health(self, name: str) -> SourceHealth:
        """Ask a source how it is, without record data.

        Raises:
            UnknownError: there is no such source.
        """
        source = source_ref(self._database, name)
        run = self._runs.known(name)
        waiting = self._quarantine.open_count(name)
        opened = self._holders.opened(source, Deadline.within(10))
        if isinstance(opened, Unavailable):
            return SourceHealth(name, "down", None, _at(run), _succeeded(run), opened.reason, waiting, "-", None, "")
        health = opened.connector.health()
        state = _state(health, run, opened.file.freshness.stale, self._clock())
        failure = run.failure if run else None
        return SourceHealth(
            name,
            state,
            _lag(health, run, self._clock()),
            _at(run),
            health.last_success or _succeeded(run),
            failure,
            waiting,
            str(health.breaker),
            health.quota_left,
            health.note,
        )

    def names(self) -> list[str]:
        with self._database.read() as session:
            return list(session.scalars(select(Source.name).order_by(Source.name)))

    def _read(self, source: SourceRef, run: SourceRun, sink: Sink, is_stopping: Callable[[], bool]) -> timedelta | None:
        """Read until there is nothing more, writing what became of it into the run; gives how long to wait if asked."""
        opened = self._holders.opened(source, Deadline.within(BATCH_SECONDS))
        if isinstance(opened, Unavailable):
            run.failure = opened.reason
            return None
        is_last = False
        while not is_last and not is_stopping():
            mark = None if run.watermark is None else Watermark(run.watermark)
            changes = opened.connector.changes(mark, Deadline.within(BATCH_SECONDS))
            if isinstance(changes, Failed):
                run.failure = str(changes.reason)
                return changes.retry_after
            self._deal_with(changes, opened.apply, source, run, sink)
            if _share(run) > STOPPED_SHARE:
                run.failure = TOO_MANY
                return None
            is_last = changes.complete
            revised = [found.revised for found in changes.found if found.revised]
            run.newest_at = max([*revised, *([run.newest_at] if run.newest_at else [])], default=None)
            run.watermark = changes.next
            self._runs.progressed(run)
        return None

    def _registered(self, name: str) -> Source:
        with self._database.read() as session:
            return session.scalars(select(Source).where(Source.name == name)).one()

    def _freshness_of(self, source: Source) -> Freshness:
        known = self._freshness.get(source.sha256)
        if known is None:
            known = self._freshness[source.sha256] = parsed(source.text).freshness
        return known

    def _status(self, source: Source, run: SourceRun | None) -> SourceStatus:
        freshness = self._freshness_of(source)
        lag = self._clock() - run.newest_at if run is not None and run.newest_at is not None else None
        state: State = "suspended" if source.suspended_at is not None else _told(run, lag, freshness.stale)
        return SourceStatus(
            source=source.name,
            state=state,
            follow=freshness.follow,
            lag=lag,
            last_run=_at(run),
            last_success=_succeeded(run),
            next_run=run.next_at if run else None,
            failure=run.failure if run else None,
            failures=run.failures if run else 0,
            mapped=run.mapped if run else 0,
            deleted=run.deleted if run else 0,
            quarantined=run.quarantined if run else 0,
            waiting=self._quarantine.open_count(source.name),
        )

    def _deal_with(
        self,
        changes: Changes,
        apply: Callable[[Found], Mapped | Quarantined],
        source: SourceRef,
        run: SourceRun,
        sink: Sink,
    ) -> None:
        for found in changes.found:
            outcome = apply(found)
            if isinstance(outcome, Quarantined):
                self._quarantine.keep(source, found, outcome)
                run.quarantined += 1
            else:
                sink(outcome)
                run.mapped += 1
        for key in changes.deleted:
            sink(key)
            run.deleted += 1


def _share(run: SourceRun) -> float:
    whole = run.mapped + run.quarantined
    return run.quarantined / whole if whole >= FEWEST else 0.0


def _is_due(source: Source, run: SourceRun | None, now: datetime) -> bool:
    if run is None or run.sha256 != source.sha256:
        return True
    is_claimed = run.claimed_until is not None and run.claimed_until > now
    return not is_claimed and (run.next_at is None or run.next_at <= now)


def _told(run: SourceRun | None, lag: timedelta | None, stale: timedelta) -> State:
    if run is None:
        return "unknown"
    if run.failure == TOO_MANY or (run.failure is None and _share(run) > DEGRADED_SHARE):
        return "degraded"
    if run.failure is not None:
        return "down"
    if lag is not None and lag > stale:
        return "stale"
    return "ok" if run.succeeded_at else "unknown"


def _state(health: Health, run: SourceRun | None, stale: timedelta, now: datetime) -> State:
    if health.state == "down":
        return "down"
    if health.state == "degraded" or (run is not None and (run.failure or _share(run) > DEGRADED_SHARE)):
        return "degraded"
    lag = _lag(health, run, now)
    if lag is not None and lag > stale:
        return "stale"
    return "ok" if health.state == "ok" or (run is not None and run.succeeded_at) else "unknown"


def _lag(health: Health, run: SourceRun | None, now: datetime) -> timedelta | None:
    """How far behind it is, by what this process saw of it or what any run saw."""
    if health.lag is not None or run is None or run.newest_at is None:
        return health.lag
    return now - run.newest_at


def _at(run: SourceRun | None) -> datetime | None:
    return run.began_at if run else None


def _succeeded(run: SourceRun | None) -> datetime | None:
    return run.succeeded_at if run else None
