"""The rounds in which witnesses and a time-stamp authority confirm what the log has published.

Every second, where the log has grown, the newest published checkpoint goes to the witnesses; every minute the newest
one that a quorum has cosigned is stamped. Any number of processes run these rounds over one database.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import bindparam, select, text

from gateway.clock import Clock
from gateway.db.base import UtcDateTime
from gateway.db.engine import Database
from gateway.errors import UnknownError
from gateway.evidence import confirmed
from gateway.evidence.checkpoints import StoredTree, require_extension
from gateway.evidence.confirmed import Confirmed
from gateway.evidence.demands import COSIGN_SECONDS, STAMP_SECONDS, Demands
from gateway.evidence.duties import Duties
from gateway.evidence.errors import (
    LogForkedError,
    TimestampError,
    WitnessAheadError,
    WitnessBehindError,
    WitnessError,
    WitnessRefusedError,
)
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import WitnessStanding
from gateway.evidence.published import PublishedLog
from gateway.evidence.shard import Shard
from gateway.evidence.timestamps import TimestampClient
from gateway.evidence.witnesses import WitnessClient

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 10.0
"""Before somebody who failed is asked again."""
PERIOD: Final = timedelta(minutes=10)
"""After which a witness is asked where nothing has grown: somebody else may have published with this log's key."""
CLOCK_ALARM_SECONDS: Final = 2.0
PATIENCE: Final = timedelta(seconds=STAMP_SECONDS + 30)
"""For a quorum, before a checkpoint without one is stamped."""

_STANDING = text(
    "INSERT INTO witness_standing (vkey, origin, size, asked_at, failure, contradiction) "
    "VALUES (:vkey, :origin, :size, :asked_at, :failure, :contradiction) ON CONFLICT (vkey, origin) DO UPDATE SET "
    "size = excluded.size, asked_at = excluded.asked_at, failure = excluded.failure, "
    "contradiction = excluded.contradiction"
).bindparams(bindparam("asked_at", type_=UtcDateTime))


def stamp_duty(shard: Shard) -> str:
    """Name the duty to have a shard's checkpoints stamped."""
    return f"stamp-{shard.number}"


class Confirmations:
    """Collects cosignatures and time-stamps of one shard; it never makes a checkpoint, and none waits for it."""

    def __init__(
        self,
        database: Database,
        evidence_log: EvidenceLog,
        published: PublishedLog,
        *,
        clock: Clock,
        witnesses: Sequence[WitnessClient] = (),
        quorum: int = 0,
        authority: TimestampClient | None = None,
    ) -> None:
        self._database = database
        self._log = evidence_log
        self._published = published
        self._shard = published.shard
        self._witnesses = witnesses
        self._demands = Demands(
            frozenset(client.witness.key for client in witnesses), quorum, is_stamped=authority is not None
        )
        self._authority = authority
        self._clock = clock
        self._duties = Duties(database, clock)
        self._cosign_duty, self._stamp_duty = f"cosign-{self._shard.number}", stamp_duty(self._shard)
        self._stamp_failure: str | None = None
        self._is_done = False

    def go_round(self) -> None:
        """Do what is due. Where a witness shows that the log was forked or set back, the log stops."""
        if self._is_done:
            return
        if self._witnesses:
            self._cosign()
        if self._authority is not None:
            self._stamp(self._authority)
        self._is_done = self._shard.final is not None and self._is_confirmed(self._shard.final.size)

    def _cosign(self) -> None:
        newest = self._newest()
        if newest is None or not self._due(newest):
            return
        if not self._duties.take(self._cosign_duty, RETRY_SECONDS + 4 * len(self._witnesses)):
            return
        lines = dict(newest.lines(self._demands.witnesses))
        had = len(lines)
        for client, last in self._due(newest):
            line = self._ask(client, newest, last)
            if line is not None:
                lines.setdefault(client.witness.key, line)
        if len(lines) > had:
            replaces = had < self._demands.quorum <= len(lines)
            with self._database.write_connection() as connection:
                confirmed.keep_cosigned(connection, newest, lines, replaces_stamp=replaces)
        self._duties.finish(self._cosign_duty, COSIGN_SECONDS)

    def _is_confirmed(self, size: int) -> bool:
        with self._database.read_connection() as connection:
            last = confirmed.of_size(connection, self._shard, size)
        return (
            last is not None
            and self._demands.cosignatures(last.carried) >= self._demands.quorum
            and (last.is_stamped or not self._demands.is_stamped)
        )

    def _newest(self) -> Confirmed | None:
        """Give the newest published checkpoint; None where nothing was logged yet."""
        try:
            size = self._published.newest().size
        except UnknownError:
            return None
        with self._database.read_connection() as connection:
            return confirmed.of_size(connection, self._shard, size) if size else None

    def _due(self, newest: Confirmed) -> list[tuple[WitnessClient, WitnessStanding | None]]:
        """Name the witnesses to be asked about this checkpoint now, with what they said last."""
        now = self._clock()
        with self._database.read() as session:
            rows = session.scalars(select(WitnessStanding).where(WitnessStanding.origin == self._shard.origin))
            standings = {row.vkey: row for row in rows}
        asked = [(client, standings.get(client.witness.key.vkey)) for client in self._witnesses]
        return [(client, last) for client, last in asked if last is None or now >= _next_at(last, newest)]

    def _ask(self, client: WitnessClient, newest: Confirmed, last: WitnessStanding | None) -> str | None:
        """Ask one witness, and once more from where it stands if that is not where it was thought to be."""
        old = min(last.size, newest.size) if last else 0
        try:
            try:
                line = self._ask_from(client, newest, old)
            except WitnessBehindError as behind:
                old = behind.size
                line = self._ask_from(client, newest, old)
        except WitnessError as error:
            contradiction = self._contradiction(client, error)
            self._remember(client, old, str(error), contradiction)
            if last is None or last.failure != str(error):
                log.warning("witness failed", witness=client.witness.key.name, reason=str(error))
            if contradiction is not None:
                log.critical("witness contradicts the log", witness=client.witness.key.name, reason=contradiction)
                self._log.stop(LogForkedError(contradiction))
            return None
        self._remember(client, newest.size, None, None)
        return line

    def _ask_from(self, client: WitnessClient, newest: Confirmed, old: int) -> str:
        proof = self._published.consistency(old, newest.size) if 0 < old < newest.size else []
        return client.cosign(newest.note, newest.size, old, proof)

    def _contradiction(self, client: WitnessClient, error: WitnessError) -> str | None:
        """Find out whether a witness that objects can show why: a checkpoint of this log that the log cannot extend.

        Its word alone stops nothing: a witness may lie, but it cannot sign for the log.
        """
        is_ahead = isinstance(error, WitnessAheadError)
        if not is_ahead and not (isinstance(error, WitnessRefusedError) and error.is_fork):
            return None
        shown = client.latest(self._shard.key)
        if shown is None:
            return None
        try:
            require_extension(StoredTree(self._database, self._shard), shown)
        except LogForkedError as forked:
            return f"the witness {client.witness.key.name} shows a checkpoint signed by this log: {forked}"
        return None

    def _remember(self, client: WitnessClient, size: int, failure: str | None, contradiction: str | None) -> None:
        with self._database.write_connection() as connection:
            connection.execute(
                _STANDING,
                {
                    "vkey": client.witness.key.vkey,
                    "origin": self._shard.origin,
                    "size": size,
                    "asked_at": self._clock(),
                    "failure": failure,
                    "contradiction": contradiction,
                },
            )

    def _stamp(self, authority: TimestampClient) -> None:
        wanted = self._to_be_stamped()
        if wanted is None or not self._duties.take(self._stamp_duty, RETRY_SECONDS * 3):
            return
        try:
            stamp = authority.stamp(wanted.carried)
        except TimestampError as error:
            if self._stamp_failure != str(error):
                log.warning("time-stamp failed", reason=str(error))
            self._stamp_failure = str(error)
            self._duties.finish(self._stamp_duty, RETRY_SECONDS, str(error))
            return
        self._stamp_failure = None
        if abs(stamp.offset_seconds) > CLOCK_ALARM_SECONDS:
            log.warning("clock is off", seconds=round(stamp.offset_seconds, 3))
        with self._database.write_connection() as connection:
            is_kept = confirmed.keep_stamp(connection, wanted, stamp.token)
        self._duties.finish(self._stamp_duty, STAMP_SECONDS if is_kept else COSIGN_SECONDS)

    def _to_be_stamped(self) -> Confirmed | None:
        """Choose the newest checkpoint with a quorum; where there was none for a while, the newest as it is."""
        with self._database.read_connection() as connection:
            stamped = confirmed.last_stamped(connection, self._shard)
            since = confirmed.waits_since(connection, self._shard, stamped)
            if since is None:
                return None
            witnessed = confirmed.newest_with_quorum(connection, self._shard, self._demands)
        if witnessed is not None and witnessed.size > stamped:
            return witnessed
        if self._demands.quorum and self._clock() < since + PATIENCE:
            return None
        newest = self._newest()
        return newest if newest is not None and newest.size > stamped else None


class Rounds:
    """The confirmations of all shards: of those that have ended, until their last checkpoint is confirmed."""

    def __init__(self, confirmations: Sequence[Confirmations], on_close: Callable[[], None] = lambda: None) -> None:
        self._confirmations = confirmations
        self.close = on_close

    def go_round(self) -> None:
        for confirmations in self._confirmations:
            confirmations.go_round()


def _next_at(last: WitnessStanding, newest: Confirmed) -> datetime:
    """Tell when a witness is asked again."""
    if last.failure:
        return last.asked_at + timedelta(seconds=RETRY_SECONDS)
    return last.asked_at + (PERIOD if last.size == newest.size else timedelta(0))
