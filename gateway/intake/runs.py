"""How far each source was followed, and which run follows it now: one at a time, whichever process it is in."""

from datetime import timedelta
from typing import Final

from gateway.agencies.models import Source
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.exchange.holders import SourceRef
from gateway.intake.models import SourceRun
from ipx.ids import uuid7

CLAIM: Final = timedelta(minutes=3)
"""A run that says nothing for so long has died; the next one goes on from its watermark."""
FIRST_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = timedelta(hours=1)


class ClaimLostError(Exception):
    """This run said nothing for too long, and another one has taken over."""


class Runs:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def known(self, name: str) -> SourceRun | None:
        with self._database.read() as session:
            return session.get(SourceRun, name)

    def begin(self, source: SourceRef) -> SourceRun | None:
        """Claim a source; None where another run has it."""
        now = self._clock()
        with self._database.write() as session:
            session.get(Source, source.name, with_for_update=True)
            run = session.get(SourceRun, source.name)
            if run is not None and run.claimed_until is not None and run.claimed_until > now:
                return None
            if run is None:
                run = SourceRun(source=source.name, sha256=source.sha256, failures=0)
                session.add(run)
            if run.sha256 != source.sha256:
                # Another source file maps otherwise: everything is new.
                run.sha256, run.watermark, run.newest_at = source.sha256, None, None
            run.began_at, run.ended_at, run.failure = now, None, None
            run.mapped = run.quarantined = run.deleted = 0
            run.claimed_by, run.claimed_until = uuid7(), now + CLAIM
            session.flush()
        return run

    def progressed(self, run: SourceRun) -> None:
        """Store how far it is, and keep the claim.

        Raises:
            ClaimLostError: another run has it; nothing was stored.
        """
        run.claimed_until = self._clock() + CLAIM
        self._store(run)

    def ended(self, run: SourceRun, follow: timedelta | None, retry_after: timedelta | None) -> None:
        """Store what it brought and when the next one is due, and let the claim go."""
        run.ended_at = self._clock()
        if run.failure is None:
            run.succeeded_at, run.failures = run.ended_at, 0
        else:
            run.failures += 1
        run.next_at = None if follow is None else run.ended_at + _pause(run.failures, follow, retry_after)
        run.claimed_until = None
        self._store(run)

    def broken(self, run: SourceRun) -> None:
        """Let the claim go where the run itself broke: what it had not stored comes again."""
        with self._database.write() as session:
            known = session.get(SourceRun, run.source)
            if known is not None and known.claimed_by == run.claimed_by:
                known.claimed_until = None

    def _store(self, run: SourceRun) -> None:
        with self._database.write() as session:
            session.get(Source, run.source, with_for_update=True)
            known = session.get(SourceRun, run.source)
            if known is None or known.claimed_by != run.claimed_by:
                raise ClaimLostError(run.source)
            session.merge(run)


def _pause(failures: int, follow: timedelta, retry_after: timedelta | None) -> timedelta:
    """How long to leave a source alone: its own rhythm, or after failures longer each time, as it asks at least."""
    if not failures:
        return follow
    doubled: timedelta = min(follow, FIRST_PAUSE) * (1 << min(failures - 1, 12))
    pause = min(doubled, max(follow, LONGEST_PAUSE))
    return max(pause, retry_after or timedelta(0))
