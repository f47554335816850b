"""Following a source by its changes: the watermark is stored only after what it stands for was dealt with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from sqlalchemy import select

from connectors.deadline import Deadline
from connectors.mapping import Mapped
from connectors.protocol import Changes, Failed, Found, Health, RecordKey, Watermark
from connectors.quarantine import Quarantined
from gateway.agencies.models import Source
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.exchange.holders import Holders, SourceRef, Unavailable
from gateway.intake.models import SourceRun
from gateway.intake.quarantine import Quarantine, source_ref

BATCH_SECONDS: Final = 60
STOPPED_SHARE: Final = 0.5
"""Above it a run stops and the watermark stays: it is the mapping that is wrong, not so many records."""
DEGRADED_SHARE: Final = 0.05
FEWEST: Final = 10
"""Shares say nothing of fewer records."""
TOO_MANY: Final = "too_many_quarantined"

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
    state: Literal["ok", "degraded", "down", "stale", "unknown"]
    lag: timedelta | None
    last_run: Any
    last_success: Any
    failure: str | None
    quarantined: int
    """Entries that wait for an operator."""
    breaker: str
    quota_left: int | None
    note: str


class Following:
    def __init__(self, database: Database, holders: Holders, quarantine: Quarantine, clock: Clock) -> None:
        self._database = database
        self._holders = holders
        self._quarantine = quarantine
        self._clock = clock

    def run(self, name: str, sink: Sink = lambda _: None) -> Ran:
        """Read all changes since the last run; after a crash or a failure the next run goes on where this one stopped.

        Raises:
            UnknownError: there is no such source.
        """
        source = source_ref(self._database, name)
        run = self._begun(source)
        opened = self._holders.opened(source, Deadline.within(BATCH_SECONDS))
        if isinstance(opened, Unavailable):
            run.failure = opened.reason
            return self._ended(run)
        is_last = False
        while not is_last:
            mark = None if run.watermark is None else Watermark(run.watermark)
            changes = opened.connector.changes(mark, Deadline.within(BATCH_SECONDS))
            if isinstance(changes, Failed):
                run.failure = str(changes.reason)
                break
            self._deal_with(changes, opened.apply, source, run, sink)
            if _share(run) > STOPPED_SHARE:
                run.failure = TOO_MANY
                break
            is_last = changes.complete
            self._progressed(run, changes)
        return self._ended(run)

    def health(self, name: str) -> SourceHealth:
        """Ask a source how it is, without record data.

        Raises:
            UnknownError: there is no such source.
        """
        source = source_ref(self._database, name)
        with self._database.read() as session:
            run = session.get(SourceRun, name)
        waiting = self._quarantine.open_count(name)
        opened = self._holders.opened(source, Deadline.within(10))
        if isinstance(opened, Unavailable):
            return SourceHealth(name, "down", None, _at(run), _succeeded(run), opened.reason, waiting, "-", None, "")
        health = opened.connector.health()
        state = _state(health, run, opened.file.freshness.stale)
        failure = run.failure if run else None
        return SourceHealth(
            name,
            state,
            health.lag,
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

    def _begun(self, source: SourceRef) -> SourceRun:
        now = self._clock()
        with self._database.write() as session:
            run = session.get(SourceRun, source.name)
            if run is None or run.sha256 != source.sha256:
                # Another source file maps otherwise: everything is new.
                run = session.merge(
                    SourceRun(source=source.name, sha256=source.sha256, watermark=None, succeeded_at=_succeeded(run))
                )
            run.began_at, run.ended_at, run.failure = now, None, None
            run.mapped = run.quarantined = run.deleted = 0
            session.flush()
        return run

    def _progressed(self, run: SourceRun, changes: Changes) -> None:
        run.watermark = changes.next
        self._store(run)

    def _ended(self, run: SourceRun) -> Ran:
        run.ended_at = self._clock()
        if run.failure is None:
            run.succeeded_at = run.ended_at
        self._store(run)
        return Ran(run.source, run.mapped, run.quarantined, run.deleted, run.failure)

    def _store(self, run: SourceRun) -> None:
        with self._database.write() as session:
            session.merge(run)


def _share(run: SourceRun) -> float:
    whole = run.mapped + run.quarantined
    return run.quarantined / whole if whole >= FEWEST else 0.0


def _state(
    health: Health, run: SourceRun | None, stale: timedelta
) -> Literal["ok", "degraded", "down", "stale", "unknown"]:
    if health.state == "down":
        return "down"
    if health.state == "degraded" or (run is not None and (run.failure or _share(run) > DEGRADED_SHARE)):
        return "degraded"
    if health.lag is not None and health.lag > stale:
        return "stale"
    return "ok" if health.state == "ok" or (run is not None and run.succeeded_at) else "unknown"


def _at(run: SourceRun | None) -> Any:
    return run.began_at if run else None


def _succeeded(run: SourceRun | None) -> Any:
    return run.succeeded_at if run else None
