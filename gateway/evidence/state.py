"""How well what is logged is confirmed by others, and what follows: a banner, an alarm, no new exchanges."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import structlog
from sqlalchemy import select

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.evidence import confirmed
from gateway.evidence.confirmations import stamp_duty
from gateway.evidence.demands import Demands
from gateway.evidence.errors import EvidenceOverdueError, LogForkedError
from gateway.evidence.models import EvidenceDuty, WitnessStanding
from gateway.evidence.shard import Shard

log = structlog.get_logger(__name__)

LATE: Final = timedelta(minutes=5)
"""After which everybody is told that confirmation is late."""
UNWITNESSED: Final = timedelta(seconds=30)
"""After which a checkpoint that no quorum has cosigned counts as unwitnessed."""
FRESH_SECONDS: Final = 5.0


class Confirmation(StrEnum):
    """From good to bad."""

    NONE = "none"
    """Nobody outside is asked to confirm anything."""
    CURRENT = "current"
    UNWITNESSED = "unwitnessed"
    LATE = "late"
    OVERDUE = "overdue"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class Standing:
    """The state at one moment. Sizes are of checkpoints; None where that confirmation is not demanded."""

    state: Confirmation
    witnessed_size: int | None = None
    stamped_size: int | None = None
    waiting_since: datetime | None = None
    """Since when the oldest entry waits for its time-stamp."""
    reasons: tuple[str, ...] = ()
    """What witnesses and the authority did instead, and why: for operators."""

    def detail(self) -> Mapping[str, Any]:
        """Say it without a name, for anybody."""
        members = {"state": self.state.value, "witnessed": self.witnessed_size, "stamped": self.stamped_size}
        if self.waiting_since is not None:
            members["waiting_since"] = self.waiting_since.isoformat(timespec="seconds")
        return {name: value for name, value in members.items() if value is not None}


class EvidenceState:
    """Looks at most every few seconds; any thread may ask."""

    def __init__(self, database: Database, shard: Shard, demands: Demands, clock: Clock, *, overdue: timedelta) -> None:
        """Take what is looked at.

        Args:
            database: holds the log's tables.
            shard: the one that grows.
            demands: what is configured: witnesses, quorum, whether there is an authority.
            clock: the present.
            overdue: how long an entry may wait for a time-stamp before no new exchange is taken.
        """
        self._database = database
        self._shard = shard
        self._demands = demands
        self._clock = clock
        self._overdue = overdue
        self._since = clock()
        self._looked_at = float("-inf")
        self._standing = Standing(Confirmation.NONE)

    def now(self) -> Standing:
        """Give the state, as it was a few seconds ago at most; a change for the worse or the better is logged."""
        if time.monotonic() - self._looked_at >= FRESH_SECONDS:
            self.look()
        return self._standing

    def look(self) -> Standing:
        before = self._standing
        if self._demands.witnesses or self._demands.is_stamped:
            self._standing = self._read()
        self._looked_at = time.monotonic()
        good = {Confirmation.NONE, Confirmation.CURRENT}
        if self._standing.state != before.state and not {self._standing.state, before.state} <= good:
            tell = log.info if self._standing.state in good else log.warning
            tell("evidence", state=self._standing.state.value, reasons=self._standing.reasons)
        return self._standing

    def require_current(self) -> None:
        """Make sure, before a holder is called, that what happens will be provable.

        Raises:
            EvidenceOverdueError: entries have waited too long for a time-stamp.
            LogForkedError: a witness has shown that this log was forked or set back.
        """
        self.require_whole()
        standing = self.now()
        if standing.state is Confirmation.OVERDUE:
            raise EvidenceOverdueError(f"entries wait for a time-stamp since {standing.waiting_since}")

    def require_whole(self) -> None:
        """Make sure that no witness contradicts the log.

        Raises:
            LogForkedError: one does, and has shown why.
        """
        standing = self.now()
        if standing.state is Confirmation.CONTRADICTED:
            raise LogForkedError("; ".join(standing.reasons))

    def banner(self) -> str | None:
        """Say in a sentence what everybody who reads a page should know; None where all is well."""
        match self.now().state:
            case Confirmation.NONE:
                return "This gateway's log is confirmed by nobody else: no witnesses, no time-stamps."
            case Confirmation.CURRENT:
                return None
            case Confirmation.UNWITNESSED:
                return "The newest entries of the log are not witnessed: too few witnesses answer."
            case Confirmation.LATE:
                return "Time-stamps are late: new evidence waits for them."
            case Confirmation.OVERDUE:
                return "Time-stamps are overdue: no new exchange is taken."
            case Confirmation.CONTRADICTED:
                return "A witness contradicts the log: no new exchange is taken."

    def _read(self) -> Standing:
        now = self._clock()
        demands = self._demands
        with self._database.read_connection() as connection:
            stamped = confirmed.last_stamped(connection, self._shard) if demands.is_stamped else None
            unstamped = confirmed.waits_since(connection, self._shard, stamped) if stamped is not None else None
            newest = confirmed.newest_with_quorum(connection, self._shard, demands)
            witnessed = (newest.size if newest else 0) if demands.quorum else None
            unwitnessed = confirmed.waits_since(connection, self._shard, witnessed) if witnessed is not None else None
            duty = connection.execute(
                select(EvidenceDuty.since, EvidenceDuty.failure).where(EvidenceDuty.name == stamp_duty(self._shard))
            ).one_or_none()
            standings = connection.execute(
                select(WitnessStanding.failure, WitnessStanding.contradiction).where(
                    WitnessStanding.origin == self._shard.origin,
                    WitnessStanding.vkey.in_([key.vkey for key in demands.witnesses]),
                )
            ).all()
        if unstamped is not None:  # an authority that is new has not failed the entries before it
            unstamped = max(unstamped, duty.since if duty else self._since)
        contradictions = tuple(row.contradiction for row in standings if row.contradiction)
        reasons = contradictions or (
            *(row.failure for row in standings if row.failure),
            *((duty.failure,) if duty is not None and duty.failure else ()),
        )
        waits = now - unstamped if unstamped is not None else timedelta(0)
        if contradictions:
            state = Confirmation.CONTRADICTED
        elif waits > self._overdue:
            state = Confirmation.OVERDUE
        elif waits > LATE:
            state = Confirmation.LATE
        elif unwitnessed is not None and now - unwitnessed > UNWITNESSED:
            state = Confirmation.UNWITNESSED
        else:
            state = Confirmation.CURRENT
        return Standing(state, witnessed, stamped if stamped != -1 else 0, unstamped, reasons)
