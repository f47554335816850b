"""The evidence log: appends in natural batches, publishes, and gives each leaf the proof that it is there.

One batch is one transaction: its entries, tiles, head, signed checkpoint and what the waiting callers write with them.
Then the checkpoint store swaps, then the callers get their answer. Several processes may append to one log: the locked
head makes them take turns.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, bindparam, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from gateway.clock import Clock
from gateway.db.base import UtcDateTime
from gateway.db.engine import Database
from gateway.errors import StoreUnavailableError, UnknownError
from gateway.evidence.checkpoints import CheckpointStore, Publisher, StoredTree
from gateway.evidence.errors import DuplicateStepError, LogForkedError, LogUnavailableError
from gateway.evidence.leaf import Leaf, Logged, Pending
from gateway.evidence.models import LogCheckpoint
from gateway.evidence.sequencer import Commit, Sequencer, Ticket
from gateway.evidence.tree import ColdTiles, EdgeReader, Head, create_head, index_of, lock_head, read_head, store
from gateway.evidence.tree_audit import audit
from ipx.errors import ProofError
from ipx.merkle import EMPTY_ROOT, consistency_proof, inclusion_proof, leaf_hash, verify_inclusion
from ipx.note import Checkpoint, NoteSigner, sign

APPEND_SECONDS: Final = 25.0
PROBE_SECONDS: Final = 5.0
"""How long a success stands for the next one before `ready` tries by writing."""

_KEEP_CHECKPOINT = text(
    "INSERT INTO log_checkpoint (size, root, note, at) VALUES (:size, :root, :note, :at) ON CONFLICT (size) DO NOTHING"
).bindparams(bindparam("at", type_=UtcDateTime))


class EvidenceLog:
    """The log of one gateway; one object for each process, used by all its threads."""

    def __init__(
        self,
        database: Database,
        checkpoints: CheckpointStore,
        signer: NoteSigner,
        clock: Clock,
        *,
        append_seconds: float = APPEND_SECONDS,
    ) -> None:
        """Take what the log stands on.

        Args:
            database: holds the log's tables.
            checkpoints: the separate store of what was published.
            signer: the log's key; its name is the log's origin line.
            clock: dates checkpoints.
            append_seconds: how long a caller waits to be taken up, and as long again for its batch to end.
        """
        self.origin = signer.name
        self.key = signer.key
        self._database = database
        self._checkpoints = checkpoints
        self._signer = signer
        self._clock = clock
        self._append_seconds = append_seconds
        self._edges = EdgeReader()
        self._publisher = Publisher(database, checkpoints, signer.key)
        self._sequencer = Sequencer(self._settle)
        self._succeeded_at = float("-inf")

    def open(self) -> None:
        """Create the log where there is none, else refuse to start on one that lost or changed published leaves.

        A head ahead of the store is what a crash between commit and publication leaves: it is published now.

        Raises:
            LogForkedError: the log is shorter than what was published, differs from it, or the store lost it.
            StoreUnavailableError: one of the two databases cannot be reached.
        """
        # The head first, the store second: the other way round, a process that starts between another one's first
        # commit and its publication would take the store for lost.
        head = StoredTree(self._database).head()
        if self._checkpoints.get(self.origin) is None:
            if head.size:
                raise LogForkedError(
                    f"the log has {head.size} leaves, but the checkpoint store holds 0 checkpoints of {self.origin}: "
                    "the store was lost or replaced, or the log was renamed"
                )
            self._checkpoints.create(self.origin, self._note(Head(0, EMPTY_ROOT)))
        # Reads the head anew: others may have appended and published since the first look.
        self._publisher.check()
        with self._database.write_connection() as connection:
            create_head(connection)
            head = lock_head(connection)
            self._edges.read(connection, head)
            if head.size == 0:
                self._keep_checkpoint(connection, head)
        self._publisher.run_once()

    def append(self, leaf: Leaf) -> Logged:
        """Log one entry; returns when it is committed and published.

        Raises:
            DuplicateStepError: the step is a leaf already; `logged` gives what the first call got.
            LogUnavailableError: nothing can be logged now; nothing may be released.
            LogForkedError: the log contradicts itself or what was published; this process has stopped for good.
        """
        return _prove(self._sequencer.submit(leaf, self._append_seconds), leaf_hash(leaf.entry))

    def append_within(self, connection: Connection, leaf: Leaf) -> Pending:
        """Log an administrative act in the caller's own transaction; call it last, for it keeps every other writer out.

        Call `publish_soon` after the commit. `then` runs at once.

        Raises:
            DuplicateStepError: the step is a leaf already.
            LogForkedError: the log contradicts itself.
        """
        self._refuse_if_stopped()
        try:
            head = lock_head(connection)
            _refuse_duplicate(connection, leaf)
            edge = self._edges.read(connection, head)
            grown = store(connection, edge, head, [(leaf.step_id, leaf.entry)])
        except LogForkedError as error:
            self._sequencer.stop(error)
            raise
        if leaf.then is not None:
            leaf.then(connection)
        self._keep_checkpoint(connection, grown)
        return Pending(head.size)

    def publish_soon(self) -> None:
        """Have the log's own thread publish what was committed outside of it."""
        self._sequencer.wake()

    def logged(self, step_id: str) -> Logged:
        """Give what `append` gave for this step, byte for byte, publishing it first where a crash prevented that.

        Raises:
            UnknownError: there is no such leaf.
            LogUnavailableError: it cannot be published now.
        """
        self._refuse_if_stopped()
        with self._database.read_connection() as connection:
            index = index_of(connection, step_id)
            if index is None:
                raise UnknownError(f"no leaf {step_id}")
            first = connection.execute(
                select(LogCheckpoint.size, LogCheckpoint.note)
                .where(LogCheckpoint.size > index)
                .order_by(LogCheckpoint.size)
                .limit(1)
            ).one()
            proof = tuple(inclusion_proof(ColdTiles(connection).node, index, first.size))
        if self._publisher.size < first.size:
            try:
                self._publisher.publish(first.note, first.size)
            except StoreUnavailableError as error:
                raise LogUnavailableError(f"{step_id} is committed but cannot be published: {error}") from error
        return Logged(index, first.size, first.note, proof)

    def proof(self, index: int, size: int) -> list[bytes]:
        """Prove that leaf `index` is in the tree of the first `size` leaves.

        Raises:
            UnknownError: not 0 ≤ index < size ≤ head.
        """
        with self._database.read_connection() as connection:
            self._require_size(connection, size)
            try:
                return inclusion_proof(ColdTiles(connection).node, index, size)
            except ProofError as error:
                raise UnknownError(str(error)) from error

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Prove that the tree of `new` leaves begins with the tree of `old` leaves.

        Raises:
            UnknownError: not 0 < old ≤ new ≤ head.
        """
        with self._database.read_connection() as connection:
            self._require_size(connection, new)
            try:
                return consistency_proof(ColdTiles(connection).node, old, new)
            except ProofError as error:
                raise UnknownError(str(error)) from error

    def ready(self) -> None:
        """Make sure, before a holder is called, that the outcome can be logged.

        Cheap while appends succeed; else both databases are written without a change.

        Raises:
            LogUnavailableError: one of them cannot be written.
            LogForkedError: this process has stopped serving for good.
        """
        self._refuse_if_stopped()
        if time.monotonic() - self._succeeded_at < PROBE_SECONDS:
            return
        with self._transaction() as connection:
            lock_head(connection)
        try:
            self._checkpoints.probe(self.origin)
        except (StoreUnavailableError, DBAPIError) as error:
            raise LogUnavailableError(f"the checkpoint store cannot be written: {error}") from error
        self._succeeded_at = time.monotonic()

    def audit(self) -> None:
        """Derive everything again from the entries; about 5 s for 10⁶ leaves.

        Raises:
            LogDamagedError: entries, tiles, head, checkpoints or what was published do not fit together.
        """
        audit(self._database, self._checkpoints, self.key)

    def close(self) -> None:
        """Settle and publish what is queued, and end the log's thread."""
        self._sequencer.close()

    def _settle(self, batch: Sequence[Ticket]) -> None:
        """Commit, publish, and answer each ticket."""
        try:
            done = self._commit(batch) if batch else []
            if done:
                self._publisher.publish(done[-1][1].note, done[-1][1].edge.size)
            else:
                self._publisher.run_once()
        except (LogUnavailableError, StoreUnavailableError, DBAPIError) as error:
            self._succeeded_at = float("-inf")
            for ticket in batch:
                if not ticket.future.done():
                    ticket.future.set_exception(_unavailable(ticket, error))
            return
        self._succeeded_at = time.monotonic()
        for ticket, commit in done:
            ticket.future.set_result(commit)

    def _commit(self, batch: Sequence[Ticket]) -> list[tuple[Ticket, Commit]]:
        try:
            return self._commit_together(batch)
        except LogForkedError:
            raise
        except LogUnavailableError as error:
            if not _is_passing(error):
                raise
        except (IntegrityError, _CallersError):
            pass
        # Whose fault it was shows where each item stands alone; its neighbours must not fail with it.
        done = []
        for ticket in batch:
            try:
                done += self._commit_together([ticket], is_alone=True)
            except LogForkedError:
                raise
            except _CallersError as error:
                ticket.future.set_exception(error.error)
            except (DuplicateStepError, LogUnavailableError) as error:
                ticket.future.set_exception(error)
        return done

    def _commit_together(self, batch: Sequence[Ticket], *, is_alone: bool = False) -> list[tuple[Ticket, Commit]]:
        with self._transaction() as connection:
            head = lock_head(connection)
            if is_alone:
                _refuse_duplicate(connection, batch[0].leaf)
            edge = self._edges.read(connection, head)
            grown = store(connection, edge, head, [(ticket.leaf.step_id, ticket.leaf.entry) for ticket in batch])
            for ticket in batch:
                _write_callers_part(ticket.leaf, connection)
            note = self._keep_checkpoint(connection, grown)
        self._edges.keep(edge)
        return [(ticket, Commit(index, edge, grown.root, note)) for index, ticket in enumerate(batch, head.size)]

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._database.write_connection() as connection:
                yield connection
        except (IntegrityError, _CallersError):
            raise
        except (StoreUnavailableError, DBAPIError) as error:
            raise LogUnavailableError(f"the log cannot be written: {error}") from error

    def _refuse_if_stopped(self) -> None:
        if self._sequencer.stopped is not None:
            raise LogForkedError(str(self._sequencer.stopped)) from self._sequencer.stopped

    def _require_size(self, connection: Connection, size: int) -> None:
        head = read_head(connection)
        if head is None or size > head.size:
            raise UnknownError(f"the log has no size {size} yet")

    def _note(self, head: Head) -> str:
        return sign(Checkpoint(self.origin, head.size, head.root).text(), self._signer)

    def _keep_checkpoint(self, connection: Connection, head: Head) -> str:
        note = self._note(head)
        connection.execute(_KEEP_CHECKPOINT, {"size": head.size, "root": head.root, "note": note, "at": self._clock()})
        return note


class _CallersError(Exception):
    """What a caller's own part of the transaction raised: his to get, and nobody else's."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _write_callers_part(leaf: Leaf, connection: Connection) -> None:
    if leaf.then is None:
        return
    try:
        leaf.then(connection)
    except Exception as error:
        raise _CallersError(error) from error


def _prove(commit: Commit, leaf: bytes) -> Logged:
    """Take the proof from the batch's own edge, and check it before it is handed out."""
    edge = commit.edge
    try:
        proof = tuple(inclusion_proof(edge.node, commit.index, edge.size))
        verify_inclusion(commit.index, edge.size, leaf, proof, commit.root)
    except (LookupError, ProofError) as error:
        raise LogForkedError(f"leaf {commit.index} cannot be proved in its own batch: {error}") from error
    return Logged(commit.index, edge.size, commit.note, proof)


def _refuse_duplicate(connection: Connection, leaf: Leaf) -> None:
    existing = index_of(connection, leaf.step_id)
    if existing is not None:
        raise DuplicateStepError(leaf.step_id, existing)


def _unavailable(ticket: Ticket, error: Exception) -> LogUnavailableError:
    unavailable = LogUnavailableError(f"{ticket.leaf.step_id} cannot be logged and published now: {error}")
    unavailable.__cause__ = error
    return unavailable


def _is_passing(error: Exception) -> bool:
    """Tell whether PostgreSQL gave up one of two transactions that waited for each other (SQLSTATE class 40)."""
    cause: BaseException | None = error
    while cause is not None:
        if str(getattr(cause, "sqlstate", "")).startswith("40"):
            return True
        cause = cause.__cause__
    return False
