"""The evidence log: appends in natural batches, publishes, and gives each leaf the proof that it is there.

One batch is one transaction: its entries, tiles, head, signed checkpoint and what the waiting callers write with them.
Then the checkpoint store swaps, then the callers get their answer. Several processes may append to one log: the locked
head makes them take turns.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from gateway.clock import Clock
from gateway.db.company import Crowd
from gateway.db.engine import Database
from gateway.errors import StoreUnavailableError, UnknownError
from gateway.evidence.batches import Batches
from gateway.evidence.checkpoints import CheckpointStore, Publisher, StoredTree, size_of
from gateway.evidence.errors import LogForkedError, LogRotatedError, LogUnavailableError
from gateway.evidence.leaf import Leaf, Logged, Pending
from gateway.evidence.sequencer import UNAVAILABLE, Commit, Committed, Sequencer, Ticket, unavailable
from gateway.evidence.shard import Shard, first_shard, read_shards
from gateway.evidence.signers import require_ready
from gateway.evidence.tree import ColdTiles, Head, position_of, prove, read_head
from gateway.evidence.tree_audit import Progress, audit
from gateway.evidence.trial import Trial
from ipx.errors import ProofError
from ipx.merkle import EMPTY_ROOT, consistency_proof, inclusion_proof, leaf_hash, verify_inclusion
from ipx.note import NoteSigner

APPEND_SECONDS: Final = 25.0
PROBE_SECONDS: Final = 5.0
"""How long a success stands for the next one before `ready` tries by writing."""

_FIRST_WITH = text(
    "SELECT size, root, note FROM log_checkpoint WHERE shard = :shard AND size > :index ORDER BY size LIMIT 1"
)


class EvidenceLog:
    """The log of one gateway; one object for each process, used by all its threads."""

    def __init__(
        self,
        database: Database,
        checkpoints: CheckpointStore,
        signer: NoteSigner,
        clock: Clock,
        *,
        shard: Shard | None = None,
        append_seconds: float = APPEND_SECONDS,
        crowd: Crowd | None = None,
    ) -> None:
        """Take what the log stands on.

        Args:
            database: holds the log's tables.
            checkpoints: the separate store of what was published.
            signer: the log's key; its name is the log's origin line.
            clock: dates checkpoints.
            shard: the one that grows; the first where the log's key was never rotated.
            append_seconds: how long a caller waits to be taken up, and as long again for its batch to end.
            crowd: the calls that may come to a batch; None: nobody is waited for.
        """
        self.origin = signer.name
        self.key = signer.key
        self.shard = shard or first_shard(signer.key)
        self._signer = signer.signer
        self._database = database
        self._checkpoints = checkpoints
        self._append_seconds = append_seconds
        self._batches = Batches(database, self.shard, signer, clock)
        self._publisher = Publisher(database, checkpoints, self.shard)
        self._sequencer = Sequencer(self._commit, self._publish, crowd)
        self._serving = _Serving(self._sequencer)
        self._writable = Trial(self._try, PROBE_SECONDS)

    def open(self) -> None:
        """Create the log where there is none, else refuse to start on one that lost or changed published leaves.

        A head ahead of the store is what a crash between commit and publication leaves: it is published now.

        Raises:
            LogForkedError: the log is shorter than what was published, differs from it, or the store lost it.
            StoreUnavailableError: one of the two databases cannot be reached.
        """
        # The head first, the store second: the other way round, a process that starts between another one's first
        # commit and its publication would take the store for lost.
        head = StoredTree(self._database, self.shard).head()
        self._require_last()
        if self._checkpoints.get(self.origin) is None:
            if head.size:
                raise LogForkedError(
                    f"the log has {head.size} leaves, but the checkpoint store holds 0 checkpoints of {self.origin}: "
                    "the store was lost or replaced, or the log was renamed"
                )
            self._checkpoints.create(self.origin, self._batches.note(Head(0, EMPTY_ROOT)))
        self._check_ended()
        # Reads the head anew: others may have appended and published since the first look.
        self._publisher.check()
        self._batches.begin()
        self._publisher.run_once()

    def append(self, leaf: Leaf) -> Logged:
        """Log one entry; returns when it is committed and published.

        Raises:
            DuplicateStepError: the step is a leaf already; `logged` gives what the first call got.
            LogUnavailableError: nothing can be logged now; nothing may be released.
            LogForkedError: the log contradicts itself or what was published; this process has stopped for good.
        """
        with self._serving:
            return _prove(self._sequencer.submit(leaf, self._append_seconds), leaf_hash(leaf.entry))

    def append_together(self, leaves: Sequence[Leaf]) -> None:
        """Log many entries in one transaction, all or none: for what is written at once and waited for by nobody.

        Call `publish_soon` at the end.

        Raises:
            DuplicateStepError, LogUnavailableError, LogForkedError: as `append`; nothing was logged.
        """
        with self._serving:
            self._batches.commit_all(leaves)

    def append_within(self, connection: Connection, leaf: Leaf) -> Pending:
        """Log an administrative act in the caller's own transaction; call it last, for it keeps every other writer out.

        Call `publish_soon` after the commit. `then` runs at once.

        Raises:
            DuplicateStepError: the step is a leaf already.
            LogForkedError: the log contradicts itself.
        """
        with self._serving:
            return self._batches.append(connection, leaf)

    def publish_soon(self) -> None:
        """Have the log's own thread publish what was committed outside of it."""
        self._sequencer.wake()

    def logged(self, step_id: str) -> Logged:
        """Give what `append` gave for this step, byte for byte, publishing it first where a crash prevented that.

        Raises:
            UnknownError: there is no such leaf.
            LogUnavailableError: it cannot be published now.
            LogDamagedError: tiles do not prove it any more.
        """
        with self._serving:
            with self._database.read_connection() as connection:
                position = position_of(connection, step_id)
                if position is None:
                    raise UnknownError(f"no leaf {step_id}")
                shard = self.shard if position >= self.shard.first else _shard_of(connection, position)
                index = position - shard.first
                first = connection.execute(_FIRST_WITH, {"shard": shard.number, "index": index}).one()
                proof = prove(connection, shard, index, Head(first.size, bytes(first.root)))
            if shard is self.shard and self._publisher.size < first.size:
                try:
                    self._publisher.publish(first.note, first.size)
                except (StoreUnavailableError, DBAPIError) as error:
                    raise unavailable(step_id, error) from error
            return Logged(index, first.size, first.note, proof)

    def proof(self, index: int, size: int) -> list[bytes]:
        """Prove that leaf `index` is in the tree of the first `size` leaves.

        Raises:
            UnknownError: not 0 ≤ index < size ≤ head.
        """
        with self._database.read_connection() as connection:
            self._require_size(connection, size)
            try:
                return inclusion_proof(ColdTiles(connection, self.shard).node, index, size)
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
                return consistency_proof(ColdTiles(connection, self.shard).node, old, new)
            except ProofError as error:
                raise UnknownError(str(error)) from error

    def ready(self) -> None:
        """Make sure, before a holder is called, that the outcome can be logged.

        Cheap while appends succeed; else both databases are written without a change.

        Raises:
            LogUnavailableError: one of them cannot be written.
            SignerUnavailableError: the log's key cannot be used.
            LogForkedError: this process has stopped serving for good.
        """
        with self._serving:
            require_ready(self._signer)
            self._writable.require()

    def audit(self, progress: Progress | None = None) -> None:
        """Derive everything again from the entries; under a minute for 10⁶ leaves, in bounded memory.

        Args:
            progress: is told how far it is.

        Raises:
            LogDamagedError: entries, tiles, head, checkpoints or what was published do not fit together.
        """
        audit(self._database, self._checkpoints, self.shard, progress)

    def stop(self, reason: LogForkedError) -> None:
        """Append and prove nothing more in this process: somebody outside has shown that the log contradicts itself."""
        self._sequencer.stop(reason)

    def close(self) -> None:
        """Settle and publish what is queued, and end the log's thread."""
        self._sequencer.close()

    def _commit(self, batch: Sequence[Ticket]) -> Committed:
        try:
            return self._batches.commit(batch) if batch else []
        except UNAVAILABLE:
            self._writable.expire()
            raise

    def _publish(self, batches: Sequence[Committed]) -> None:
        """Publish the newest of some batches; where one has no leaves, what anybody committed."""
        try:
            if all(batches):
                newest = batches[-1][-1][1]
                self._publisher.publish(newest.note, newest.edge.size)
            else:
                self._publisher.run_once()
        except UNAVAILABLE:
            self._writable.expire()
            raise
        self._writable.succeeded()

    def _try(self) -> None:
        self._batches.probe()
        try:
            self._checkpoints.probe(self.origin)
        except (StoreUnavailableError, DBAPIError) as error:
            raise LogUnavailableError(f"the checkpoint store cannot be written: {error}") from error

    def _require_last(self) -> None:
        """Make sure that no later shard was published: this one would go on where it had ended.

        Raises:
            LogRotatedError: this database knows the later shard.
            LogForkedError: only the checkpoint store does.
        """
        later = self._checkpoints.get(self.shard.next_origin)
        if later is None or size_of(later) == 0:
            return
        with self._database.read_connection() as connection:
            last = read_shards(connection)[-1].number
        if last > self.shard.number:
            raise LogRotatedError(f"{self.origin} has ended: set IPX_LOG_KEY to the key of shard {last}")
        raise LogForkedError(
            f"{self.shard.next_origin} was published, and here {self.origin} has not ended: "
            "a backup from before the rotation was restored"
        )

    def _check_ended(self) -> None:
        """Check the shards before this one as well, and publish how the last of them ended if a crash prevented it."""
        with self._database.read_connection() as connection:
            ended = [shard for shard in read_shards(connection) if shard.number < self.shard.number]
        for shard in ended:
            publisher = Publisher(self._database, self._checkpoints, shard)
            publisher.check()
            publisher.run_once()

    def _require_size(self, connection: Connection, size: int) -> None:
        head = read_head(connection, self.shard)
        if head is None or size > head.size:
            raise UnknownError(f"the log has no size {size} yet")


class _Serving:
    """Refuses once this process has seen the log contradict itself, and from the moment it does."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer

    def __enter__(self) -> None:
        if (stopped := self._sequencer.stopped) is not None:
            raise LogForkedError(str(stopped)) from stopped

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, LogForkedError):
            self._sequencer.stop(error)


def _shard_of(connection: Connection, position: int) -> Shard:
    """Find the shard in which a leaf stands that is older than the current one."""
    return [shard for shard in read_shards(connection) if shard.first <= position][-1]


def _prove(commit: Commit, leaf: bytes) -> Logged:
    """Take the proof from the batch's own edge, and check it before it is handed out."""
    edge = commit.edge
    try:
        proof = tuple(inclusion_proof(edge.node, commit.index, edge.size))
        verify_inclusion(commit.index, edge.size, leaf, proof, commit.root)
    except (LookupError, ProofError) as error:
        raise LogForkedError(f"leaf {commit.index} cannot be proved in its own batch: {error}") from error
    return Logged(commit.index, edge.size, commit.note, proof)
