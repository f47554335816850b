"""Writing leaves: one transaction for a batch, and each of its items alone where the batch fails."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, InternalError, OperationalError

from gateway.clock import Clock
from gateway.db.base import UtcDateTime
from gateway.db.engine import Database
from gateway.db.group_commit import Joint
from gateway.db.postgres import is_passing
from gateway.db.prepared import Prepared, in_one_go
from gateway.errors import StoreUnavailableError
from gateway.evidence.edge import Edge
from gateway.evidence.errors import DuplicateStepError, LogUnavailableError
from gateway.evidence.leaf import Leaf, Pending
from gateway.evidence.sequencer import Commit, Ticket
from gateway.evidence.shard import Shard, keep_first
from gateway.evidence.tree import EdgeReader, Head, create_head, lock_head, position_of, store
from ipx.note import Checkpoint, NoteSigner, sign

_KEEP_CHECKPOINT = Prepared(
    text(
        "INSERT INTO log_checkpoint (shard, size, root, note, at) VALUES (:shard, :size, :root, :note, :at) "
        "ON CONFLICT (shard, size) DO NOTHING"
    ).bindparams(bindparam("at", type_=UtcDateTime))
)


class Batches:
    """The writing half of a log. Every method raises `LogForkedError` where the log contradicts itself."""

    def __init__(self, database: Database, shard: Shard, signer: NoteSigner, clock: Clock) -> None:
        self._database = database
        self._shard = shard
        self._signer = signer
        self._clock = clock
        self._edges = EdgeReader(shard)

    def begin(self) -> None:
        """Make the head where there is none, with the checkpoint of the empty tree, and check the right edge."""
        with _WRITING, self._database.write_connection() as connection:
            if self._shard.number == 1:
                keep_first(connection, self._shard)
                create_head(connection, self._shard)
            head = lock_head(connection, self._shard)
            self._edges.read(connection, head)
            if head.size == 0:
                self._keep_checkpoint(connection, head)

    def commit(self, batch: Sequence[Ticket]) -> list[tuple[Ticket, Commit]]:
        """Commit a batch; tickets that cannot be are settled here with their error.

        Returns:
            what was committed, in the order of the log.

        Raises:
            LogUnavailableError: nothing of the batch was.
        """
        try:
            return self._commit_together(batch)
        except LogUnavailableError as error:
            if not is_passing(error):
                raise
        except (IntegrityError, _CallersError):
            pass
        return self._commit_one_by_one(batch)

    def commit_all(self, leaves: Sequence[Leaf]) -> None:
        """Commit leaves together or not at all.

        Raises:
            DuplicateStepError: one of the steps is a leaf already.
            LogUnavailableError: they cannot be written now.
        """
        try:
            self._commit_together([Ticket(leaf) for leaf in leaves])
        except _CallersError as error:
            raise error.error from error
        except IntegrityError:
            with self._database.read_connection() as connection:
                for leaf in leaves:
                    _refuse_duplicate(connection, leaf)
            raise

    def append(self, connection: Connection, leaf: Leaf) -> Pending:
        """Append one leaf in a transaction of the caller's.

        Raises:
            DuplicateStepError: the step is a leaf already.
        """
        head = lock_head(connection, self._shard)
        _refuse_duplicate(connection, leaf)
        edge = self._edges.read(connection, head)
        self._store(connection, edge, head, [leaf])
        if leaf.then is not None:
            leaf.then(connection)
        return Pending(self._shard.first + head.size)

    def probe(self) -> None:
        """Write without a change.

        Raises:
            LogUnavailableError: that is not possible.
        """
        with _WRITING, self._database.write_connection() as connection:
            lock_head(connection, self._shard)

    def note(self, head: Head) -> str:
        return sign(Checkpoint(self._signer.name, head.size, head.root).text(), self._signer)

    def _commit_together(self, batch: Sequence[Ticket], *, is_alone: bool = False) -> list[tuple[Ticket, Commit]]:
        with _WRITING, self._database.write_often() as connection:
            head = lock_head(connection, self._shard)
            if is_alone:
                _refuse_duplicate(connection, batch[0].leaf)
            edge = self._edges.read(connection, head)
            grown, note = self._store(connection, edge, head, [ticket.leaf for ticket in batch])
            parts = [ticket.leaf.then for ticket in batch if ticket.leaf.then is not None]
            _write_callers_parts(connection, parts, is_alone=is_alone)
        self._edges.keep(edge)
        return [(ticket, Commit(index, edge, grown.root, note)) for index, ticket in enumerate(batch, head.size)]

    def _commit_one_by_one(self, batch: Sequence[Ticket]) -> list[tuple[Ticket, Commit]]:
        """Find out whose fault it was: neighbours must not fail with it."""
        done = []
        outage: LogUnavailableError | None = None
        for ticket in batch:
            try:
                if outage is not None:
                    raise outage
                done += self._commit_together([ticket], is_alone=True)
            except _CallersError as error:
                ticket.outcome.fail(error.error)
            except DuplicateStepError as error:
                ticket.outcome.fail(error)
            except LogUnavailableError as error:
                ticket.outcome.fail(error)
                if not is_passing(error):
                    outage = error
        return done

    def _store(self, connection: Connection, edge: Edge, head: Head, leaves: Sequence[Leaf]) -> tuple[Head, str]:
        with in_one_go(connection):
            new = [(leaf.step_id, leaf.entry) for leaf in leaves]
            grown, require_moved = store(connection, self._shard, edge, head, new)
            note = self._keep_checkpoint(connection, grown)
        require_moved()
        return grown, note

    def _keep_checkpoint(self, connection: Connection, head: Head) -> str:
        note = self.note(head)
        _KEEP_CHECKPOINT.queue(
            connection,
            {"shard": self._shard.number, "size": head.size, "root": head.root, "note": note, "at": self._clock()},
        )
        return note


class _Writing:
    """Tells that the log cannot be written; that a step is a leaf already is told as it is."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, StoreUnavailableError | DBAPIError) and not isinstance(error, IntegrityError):
            raise LogUnavailableError(f"the log cannot be written: {error}") from error


_WRITING: Final = _Writing()


class _CallersError(Exception):
    """What a caller's own part of the transaction raised: his to get, and nobody else's."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _write_callers_parts(
    connection: Connection, parts: Sequence[Callable[[Connection], None]], *, is_alone: bool
) -> None:
    """Write what callers add to their leaves: joint parts of one kind together, the others one after the other.

    A joint part that has a batch to itself is written by its common statements too, which take fewer turns; where that
    fails it is alone, and says why.
    """
    try:
        for kind, same in _by_kind(parts).items():
            if issubclass(kind, Joint) and not is_alone:
                kind.together(connection, same)
            else:
                for part in same:
                    part(connection)
    except (OperationalError, InternalError, InterfaceError):
        raise  # a full disk, a lost connection: no fault of a caller's
    except Exception as error:
        raise _CallersError(error) from error


def _by_kind(parts: Sequence[Callable[[Connection], None]]) -> dict[type, list[Any]]:
    kinds: dict[type, list[Any]] = {}
    for part in parts:
        kinds.setdefault(type(part), []).append(part)
    return kinds


def _refuse_duplicate(connection: Connection, leaf: Leaf) -> None:
    existing = position_of(connection, leaf.step_id)
    if existing is not None:
        raise DuplicateStepError(leaf.step_id, existing)
