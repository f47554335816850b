"""Rotating the log's key: the tree that grows ends, and one with a name and a key of its own begins."""

from collections.abc import Callable

from sqlalchemy import Connection, insert, update
from sqlalchemy.orm import Session

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.evidence.acts import ActTrail
from gateway.evidence.checkpoints import CheckpointStore, Publisher, size_of
from gateway.evidence.errors import KeyFileError, LogForkedError, LogUnavailableError
from gateway.evidence.leaf import Leaf
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import LogHead, LogShard
from gateway.evidence.shard import Shard, first_entry, read_shards
from gateway.evidence.tree import Head, lock_head
from ipx.keys import Signer
from ipx.merkle import EMPTY_ROOT
from ipx.note import Checkpoint, NoteSigner, sign


class Rotation:
    """Moves a log on to its next shard, while other processes may still be appending to this one.

    From the commit on they get `LogRotatedError`, until they are started again with the new key.
    """

    def __init__(
        self,
        database: Database,
        checkpoints: CheckpointStore,
        log: EvidenceLog,
        acts: Callable[[EvidenceLog], ActTrail],
        clock: Clock,
    ) -> None:
        """Take what is rotated.

        Args:
            database: holds the log's tables.
            checkpoints: the store of what was published; it gets a row for the new shard.
            log: the shard that grows.
            acts: makes the audit trail over a log: the act is a leaf of the new shard.
            clock: dates the rotation.
        """
        self._database = database
        self._checkpoints = checkpoints
        self._log = log
        self._acts = acts
        self._clock = clock

    def rotate(self, signer: Signer, actor: str) -> Shard:
        """End the shard that grows and begin the next.

        Args:
            signer: the new log key.
            actor: who rotates.

        Returns:
            the new shard.

        Raises:
            KeyFileError: the key is not for Ed25519, or signs a shard already.
            LogRotatedError: somebody else has just rotated.
            LogUnavailableError: the log is empty.
            LogForkedError: the new shard was published before: this database is an old copy.
        """
        if signer.alg != "Ed25519":
            raise KeyFileError("a log is signed with an Ed25519 key")
        note_signer = NoteSigner(self._log.shard.next_origin, signer)
        with self._database.write() as session:
            log = self._begin(session, note_signer, actor)
        log.close()  # a thread of its own has published the act
        for shard in (self._log.shard, log.shard):
            Publisher(self._database, self._checkpoints, shard).run_once()
        return log.shard

    def _begin_in_store(self, signer: NoteSigner) -> None:
        """Let the store know the new shard before the database does: a start that finds leaves and no row refuses.

        The locked head keeps a second rotation from doing the same with another key.
        """
        empty = sign(Checkpoint(signer.name, 0, EMPTY_ROOT).text(), signer)
        known = self._checkpoints.get(signer.name)
        if known is None:
            self._checkpoints.create(signer.name, empty)
        elif size_of(known):
            raise LogForkedError(f"{signer.name} was published already: this database is from before its rotation")
        else:  # a rotation that was given up, with another key
            self._checkpoints.swap(signer.name, known, empty)

    def _begin(self, session: Session, signer: NoteSigner, actor: str) -> EvidenceLog:
        connection = session.connection()
        old = self._log.shard
        head = lock_head(connection, old)
        if not head.size:
            raise LogUnavailableError(f"{old.origin} has no entry yet: there is nothing to end")
        if any(shard.key.public == signer.key.public for shard in read_shards(connection)):
            raise KeyFileError("each shard of the log has a key of its own, and this one was used before")
        shard = Shard(old.number + 1, signer.name, signer.key, old.first + head.size)
        self._begin_in_store(signer)
        _store(connection, old, head, shard)
        log = EvidenceLog(self._database, self._checkpoints, signer, self._clock, shard=shard)
        final = Checkpoint(old.origin, head.size, head.root)
        log.append_within(connection, Leaf(f"shard:{shard.number}", first_entry(final, self._clock())))
        detail = {"ended": old.origin, "size": head.size, "root": head.root.hex(), "vkey": signer.key.vkey}
        self._acts(log).record(session, actor, "log.rotated", shard.origin, detail)
        return log


def _store(connection: Connection, old: Shard, head: Head, new: Shard) -> None:
    connection.execute(update(LogShard).where(LogShard.number == old.number).values(size=head.size, root=head.root))
    connection.execute(
        insert(LogShard).values(number=new.number, origin=new.origin, vkey=new.key.vkey, first=new.first)
    )
    connection.execute(update(LogHead).values(shard=new.number, size=0, root=EMPTY_ROOT))
