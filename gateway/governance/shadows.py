"""Candidates in shadow: asked beside the book in force, after the answer was decided; nothing is released by them.

Questions go to a thread of their own through a short queue. What does not fit is counted as skipped, never guessed, and
no exchange waits for it. A worker knows of a new shadow within a second.
"""

import hashlib
import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import select

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.governance.books import PolicyBooks
from gateway.governance.models import ChangeRequest, ShadowDifference, ShadowTally
from gateway.governance.service import Policies, text_of
from ipx.values import value
from policies.engine import BookError, Denial, Question, Release, RowFilter
from policies.remembered import RememberedBook
from policies.replay import Difference, difference
from policies.snapshots import Snapshot

log = structlog.get_logger(__name__)

QUEUE: Final = 1024
LOOK_SECONDS: Final = 0.5
FLUSH_SECONDS: Final = 0.5
Decided = Release | Denial
Differing = dict[tuple[int, str], tuple[Difference, str, int]]
"""By change and hash: what differs, at which holder, how often."""


@dataclass(frozen=True, slots=True)
class Candidate:
    change_id: int
    tier: str
    owner: str
    book: RememberedBook

    def bears_on(self, question: Question) -> bool:
        match self.tier:
            case "holder":
                return self.owner == question.holder.code
            case "egress":
                return self.owner == question.asking.code
            case _:
                return True


@value
class _Beside:
    """Questions that were decided; of a query also its choice of rows, `question` without and `decided` with record."""

    question: Question
    decided: Sequence[tuple[Question, Decided]]
    rows: RowFilter | None = None


class Shadows:
    def __init__(self, database: Database, policies: Policies, books: PolicyBooks, clock: Clock) -> None:
        self._database = database
        self._policies = policies
        self._books = books
        self._clock = clock
        self._candidates: tuple[Candidate, ...] = ()
        self._known: tuple[int, frozenset[tuple[int, int]]] = (0, frozenset())
        self._looked = 0.0
        self._waiting: queue.Queue[_Beside] = queue.Queue(QUEUE)
        self._skipped: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def beside(self, question: Question, decision: Decided) -> None:
        """Have candidates decide the same question some time soon; costs the exchange nothing where there are none."""
        self._hand_over(_Beside(question, [(question, decision)]))

    def beside_query(self, question: Question, rows: RowFilter, decided: Sequence[tuple[Question, Decided]]) -> None:
        """Have candidates decide each row of a query that was read.

        A candidate that would have read other rows is counted as skipped once: of those nobody knows anything.
        """
        self._hand_over(_Beside(question, decided, rows))

    def _hand_over(self, one: _Beside) -> None:
        self._look()
        concerned = [candidate for candidate in self._candidates if candidate.bears_on(one.question)]
        if not concerned:
            return
        try:
            self._waiting.put_nowait(one)
        except queue.Full:
            self._skipped.update(candidate.change_id for candidate in concerned)
            return
        self._start()

    def settle(self) -> None:
        """Wait until everything asked so far has been decided and written."""
        if self._thread is not None:
            self._waiting.join()

    def _look(self) -> None:
        """Find out which changes are in shadow, at most twice a second and by one thread."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS or not self._lock.acquire(blocking=False):
            return
        try:
            self._looked = now
            with self._database.read_connection() as connection:
                found = connection.execute(
                    select(ChangeRequest.id, ChangeRequest.version).where(ChangeRequest.state == "shadow")
                ).all()
            wanted = frozenset((row.id, row.version) for row in found)
            in_force = self._books.current().activation if wanted else 0
            if (in_force, wanted) != self._known:
                self._candidates = tuple(
                    candidate for change_id, _ in sorted(wanted) if (candidate := self._compile(change_id)) is not None
                )
                self._known = (in_force, wanted)
        finally:
            self._lock.release()

    def _compile(self, change_id: int) -> Candidate | None:
        with self._database.read() as session:
            row = session.get_one(ChangeRequest, change_id)
            revisions = self._policies.revisions_of(session, row.manifest.values())
        texts = [text_of(one) for one in revisions.values()]
        try:
            book = self._books.candidate(row.tier, row.owner, texts)
            return Candidate(change_id, row.tier, row.owner, RememberedBook(book))
        except BookError as error:
            log.warning("a change in shadow makes no book", change=change_id, policy=str(error.ref))
            return None

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            deadline = time.monotonic() + FLUSH_SECONDS
            while len(batch) < QUEUE and (left := deadline - time.monotonic()) > 0:
                try:
                    batch.append(self._waiting.get(timeout=left))
                except queue.Empty:
                    break
            try:
                self._write(*self._decide(batch))
            except Exception:
                log.exception("shadow decisions lost", questions=len(batch))
            for _ in batch:
                self._waiting.task_done()

    def _decide(self, batch: Sequence[_Beside]) -> tuple[Counter[int], Differing]:
        compared: Counter[int] = Counter()
        found: Differing = {}
        for one in batch:
            for candidate in self._candidates:
                if candidate.bears_on(one.question):
                    self._compare(candidate, one, compared, found)
        return compared, found

    def _compare(self, candidate: Candidate, one: _Beside, compared: Counter[int], found: Differing) -> None:
        if one.rows is not None:
            early = candidate.book.decide_early(one.question)
            self._skipped[candidate.change_id] += isinstance(early, RowFilter) and early.where != one.rows.where
        for question, decision in one.decided:
            other = self._other(candidate, question)
            if other is None:
                self._skipped[candidate.change_id] += 1
                continue
            compared[candidate.change_id] += 1
            differing = difference(Snapshot("", question), decision, other)
            if differing is not None:
                key = (candidate.change_id, _key(differing, question.holder.code))
                seen = found[key][2] if key in found else 0
                found[key] = (differing, question.holder.code, seen + 1)

    def _other(self, candidate: Candidate, question: Question) -> Decided | None:
        """Give the candidate's answer; None where it would have called a holder that was not called."""
        if question.record is not None:
            return candidate.book.decide(question)
        early = candidate.book.decide_early(question)
        return early if isinstance(early, Denial) else None

    def _write(self, compared: Counter[int], found: Differing) -> None:
        skipped, self._skipped = self._skipped, Counter()
        differing: Counter[int] = Counter()
        for (change_id, _), (_, _, seen) in found.items():
            differing[change_id] += seen
        now = self._clock()
        with self._database.write() as session:
            for (change_id, key), (one, holder, seen) in sorted(found.items()):
                row = session.get(ShadowDifference, (change_id, key), with_for_update=True)
                if row is not None:
                    row.seen += seen
                    row.last_at = now
                    continue
                session.add(
                    ShadowDifference(
                        change_id=change_id,
                        key=key,
                        requester=one.requester,
                        holder=holder,
                        record_type=one.record_type,
                        purpose=one.purpose,
                        change=one.change,
                        gained=list(one.gained),
                        lost=list(one.lost),
                        seen=seen,
                        first_at=now,
                        last_at=now,
                    )
                )
                session.flush()
            for change_id in sorted({*compared, *skipped}):
                tally = session.get_one(ShadowTally, change_id, with_for_update=True)
                tally.compared += compared[change_id]
                tally.differing += differing[change_id]
                tally.skipped += skipped[change_id]


def _key(one: Difference, holder: str) -> str:
    content: list[Any] = [one.requester, holder, one.record_type, one.purpose, one.change, one.gained, one.lost]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
