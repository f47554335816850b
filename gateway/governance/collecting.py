"""Collecting evidence beside the request that asked for it, with a row that says how far it is.

One collection of a change runs at a time, whichever process began it. Its row is touched every few seconds; one that
was not for `LOST` belongs to a process that is gone, and whoever asks may begin again.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import BigInteger, Integer, String, update
from sqlalchemy.orm import Mapped, mapped_column

from gateway.clock import Clock
from gateway.db.base import Base, UtcDateTime
from gateway.db.engine import Database
from gateway.errors import GatewayError
from gateway.governance.change_rows import visible
from gateway.governance.changes import Changes
from gateway.governance.editors import Editor
from gateway.governance.errors import BaseMovedError, ChangedMeanwhileError, NotEntitledError, NotInStateError
from gateway.web import problem

BEAT_SECONDS: Final = 5.0
LOST: Final = timedelta(seconds=60)
"""Without a sign of life for so long, the process that collected is gone."""
TOLD_EVERY_SECONDS: Final = 0.5
"""Counts within one phase are written no more often."""
LOOKS_EVERY_SECONDS: Final = 0.2

_log = logging.getLogger(__name__)
_FAILURES: Final[dict[str, type[GatewayError]]] = {
    problem.ERRORS[kind]: kind for kind in (BaseMovedError, ChangedMeanwhileError, NotEntitledError, NotInStateError)
}

Start = Callable[[Callable[[], None], Callable[[], None]], None]
"""Has the first do its work, and calls the second every few seconds until it has."""


class CollectingFailedError(GatewayError):
    """Evidence could not be collected because of a fault here; nothing about the change is otherwise than before."""


problem.register(CollectingFailedError, "internal")


class EvidenceCollection(Base):
    """The latest collection of evidence of one change."""

    __tablename__ = "policy_evidence_collection"

    change_id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    token: Mapped[str] = mapped_column(String(36))
    """Names this collection; one that another took the place of finds another token here, and stops."""
    version: Mapped[int] = mapped_column(Integer)
    """The version of the change that it is about."""
    actor: Mapped[str] = mapped_column(String(191))
    phase: Mapped[str] = mapped_column(String(16))
    done: Mapped[int] = mapped_column(Integer)
    total: Mapped[int] = mapped_column(Integer)
    """0: not known in this phase."""
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    beat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str | None] = mapped_column(String(63))
    """Name of the problem that ended it; None: none so far."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the latest collection is. `state`: `running`, `done`, `failed`, or `lost` with its process."""

    change: int
    version: int
    state: str
    phase: str
    done: int
    total: int
    actor: str
    started_at: datetime
    ended_at: datetime | None
    failure: str | None

    @property
    def is_running(self) -> bool:
        return self.state == "running"

    def require_success(self) -> None:
        """Pass a collection that did not fail.

        Raises:
            BaseMovedError, ChangedMeanwhileError, NotEntitledError, NotInStateError: this ended it.
            CollectingFailedError: a fault here ended it, or its process is gone.
        """
        if self.state in {"failed", "lost"}:
            kind = _FAILURES.get(self.failure or "", CollectingFailedError)
            raise kind(f"collecting evidence of change {self.change} ended in phase {self.phase}")


class _ReplacedError(Exception):
    """Another collection took this one's place."""


def in_a_thread(work: Callable[[], None], beat: Callable[[], None]) -> None:
    """Have the work done by a thread of this process, and another one beat until it is."""
    worker = threading.Thread(target=work, name="evidence", daemon=True)

    def watch() -> None:
        while worker.is_alive():
            worker.join(BEAT_SECONDS)
            beat()

    worker.start()
    threading.Thread(target=watch, name="evidence-beat", daemon=True).start()


def at_once(work: Callable[[], None], _beat: Callable[[], None]) -> None:
    """Do the work before going on: for whoever has nothing else to do meanwhile."""
    work()


class Collecting:
    """Starts collections, and tells how far they are."""

    def __init__(self, database: Database, changes: Changes, clock: Clock, start: Start = in_a_thread) -> None:
        self._database = database
        self._changes = changes
        self._clock = clock
        self._start = start

    def begin(self, editor: Editor, change_id: int, *, version: int) -> Progress:
        """Begin to collect evidence, unless that runs already for this version: then it goes on.

        Args:
            editor: in whose name.
            change_id: which change.
            version: the one the editor saw.

        Raises:
            UnknownError, NotEntitledError, ChangedMeanwhileError, NotInStateError, BaseMovedError: it cannot be
                collected, as `Changes.run_evidence` says.
        """
        self._changes.require_collectable(editor, change_id, version=version)
        token = str(uuid4())
        with self._database.write() as session:
            visible(session, editor, change_id, is_held=True)  # so that two who begin at once begin one
            row = session.get(EvidenceCollection, change_id)
            is_new = row is None or row.version != version or not self._progress(row).is_running
            if is_new:
                now = self._clock()
                session.merge(
                    EvidenceCollection(
                        change_id=change_id,
                        token=token,
                        version=version,
                        actor=editor.actor,
                        phase="waiting",
                        done=0,
                        total=0,
                        started_at=now,
                        beat_at=now,
                        ended_at=None,
                        failure=None,
                    )
                )
        if is_new:
            self._start(lambda: self._run(editor, change_id, version, token), lambda: self._beat(change_id, token))
        return self._now(change_id)

    def progress(self, editor: Editor, change_id: int) -> Progress | None:
        """Tell how far the latest collection of a change is; None: there was none.

        Raises:
            UnknownError: there is no such change for this editor.
        """
        self._changes.require_visible(editor, change_id)
        with self._database.read() as session:
            row = session.get(EvidenceCollection, change_id)
            return self._progress(row) if row is not None else None

    def wait(self, change_id: int, seconds: float, tell: Callable[[Progress], None] | None = None) -> Progress:
        """Wait until a collection that was begun has ended, at most so long, and tell of each step seen meanwhile."""
        until = time.monotonic() + seconds
        while True:
            found = self._now(change_id)
            if tell is not None:
                tell(found)
            if not found.is_running or time.monotonic() >= until:
                return found
            time.sleep(LOOKS_EVERY_SECONDS)

    def _now(self, change_id: int) -> Progress:
        with self._database.read() as session:
            return self._progress(session.get_one(EvidenceCollection, change_id))

    def _progress(self, row: EvidenceCollection) -> Progress:
        if row.ended_at is not None:
            state = "failed" if row.failure else "done"
        else:
            state = "lost" if row.beat_at < self._clock() - LOST else "running"
        return Progress(
            row.change_id,
            row.version,
            state,
            row.phase,
            row.done,
            row.total,
            row.actor,
            row.started_at,
            row.ended_at,
            row.failure,
        )

    def _run(self, editor: Editor, change_id: int, version: int, token: str) -> None:
        told = ("", 0.0)

        def tell(phase: str, done: int, total: int) -> None:
            nonlocal told
            now = time.monotonic()
            if phase == told[0] and now - told[1] < TOLD_EVERY_SECONDS:
                return
            told = (phase, now)
            if not self._write(change_id, token, {"phase": phase, "done": done, "total": total}):
                raise _ReplacedError

        failure = None
        try:
            self._changes.run_evidence(editor, change_id, version=version, tell=tell)
        except _ReplacedError:
            return
        except GatewayError as error:
            failure = problem.ERRORS.get(type(error), "internal")
        except Exception:  # noqa: BLE001  (it is told, and the thread ends here)
            _log.exception("collecting evidence of change %d broke", change_id)
            failure = "internal"
        try:
            self._write(change_id, token, {"ended_at": self._clock(), "failure": failure})
        except GatewayError:  # the row then says nothing new, and counts as lost
            _log.exception("the end of collecting evidence of change %d could not be written", change_id)

    def _beat(self, change_id: int, token: str) -> None:
        try:
            self._write(change_id, token, {})
        except GatewayError:
            _log.warning("no sign of life of collecting evidence of change %d could be written", change_id)

    def _write(self, change_id: int, token: str, values: dict[str, object]) -> bool:
        """Write where it is, with a sign of life; False: another one took its place."""
        mine = (EvidenceCollection.change_id == change_id, EvidenceCollection.token == token)
        with self._database.write() as session:
            written = session.execute(
                update(EvidenceCollection)
                .where(*mine, EvidenceCollection.ended_at.is_(None))
                .values(beat_at=self._clock(), **values)
                .returning(EvidenceCollection.change_id)
            )
            return written.first() is not None
