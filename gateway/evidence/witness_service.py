"""This gateway as a witness of its peers' logs (C2SP tlog-witness): it cosigns what extends what it cosigned before.

Checking and replacing the state is one transaction, committed before the answer leaves: else two requests that are
checked at the same time could roll a log back between them.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, select, text, update

from gateway.clock import Clock
from gateway.db.base import UtcDateTime
from gateway.db.engine import Database
from gateway.errors import UnknownError
from gateway.evidence.models import WitnessedLog
from gateway.evidence.witnesses import SIZE_TYPE, checkpoint_path
from ipx.errors import EvidenceError, NoteError
from ipx.merkle import EMPTY_ROOT, verify_consistency
from ipx.note import Checkpoint, NoteKey, NoteSigner, Opened, open_note, parse_hashes

TEXT: Final = "text/plain; charset=utf-8"
MAX_BODY_BYTES: Final = 64 * 1024

_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_CREATE = text(
    "INSERT INTO witnessed_log (origin, size, root, at) VALUES (:origin, 0, :root, :at) ON CONFLICT (origin) DO NOTHING"
).bindparams(bindparam("at", type_=UtcDateTime))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    body: str


@dataclass(frozen=True, slots=True)
class _Submission:
    signer: NoteSigner
    old: int
    proof: tuple[bytes, ...]
    opened: Opened
    checkpoint: Checkpoint


class _Refused(Exception):  # noqa: N818  (a way out of the checks, not an error of anybody's)
    def __init__(self, status: int, reason: str, content_type: str = TEXT) -> None:
        super().__init__(reason)
        self.answer = Answer(status, content_type, f"{reason}\n")


class WitnessService:
    """Keeps, for each log it was told to witness, the last checkpoint it cosigned."""

    def __init__(self, database: Database, signer: NoteSigner | None, logs: Collection[NoteKey], clock: Clock) -> None:
        """Take what a witness is made of.

        Args:
            database: keeps its state.
            signer: its own key, of the type `COSIGNATURE`, used for nothing else; None where it witnesses nothing.
            logs: keys of the logs; the names are their origins, and one log may have several.
            clock: dates cosignatures.
        """
        self._database = database
        self._signer = signer
        self.key = signer.key if signer else None
        self._keys: Mapping[str, frozenset[NoteKey]] = {
            origin: frozenset(key for key in logs if key.name == origin) for origin in {key.name for key in logs}
        }
        self._origins = {checkpoint_path(origin): origin for origin in self._keys}
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> Answer:
        """Cosign a checkpoint, or say by the protocol's status codes why not."""
        try:
            submission = self._read(body)
            with self._database.write_connection() as connection:
                return Answer(200, TEXT, self._cosign(connection, submission))
        except _Refused as refused:
            return refused.answer

    def latest(self, path: str) -> str:
        """Give the last cosigned checkpoint of a log, with the log's signatures and this witness's.

        Args:
            path: `<hex SHA-256 of the origin>/checkpoint`.

        Raises:
            UnknownError: this log is not witnessed here, or was never cosigned.
        """
        with self._database.read_connection() as connection:
            note = connection.execute(
                select(WitnessedLog.note).where(WitnessedLog.origin == self._origins.get(path, ""))
            ).scalar_one_or_none()
        if note is None:
            raise UnknownError("nothing of such a log was cosigned here")
        return note

    def _read(self, body: bytes) -> _Submission:
        if len(body) > MAX_BODY_BYTES:
            raise _Refused(400, "the body is too large")
        try:
            head, blank, note = body.decode().partition("\n\n")
        except UnicodeDecodeError as error:
            raise _Refused(400, "the body is not UTF-8") from error
        first, *lines = head.split("\n")
        old = _OLD.fullmatch(first)
        if old is None or not blank:
            raise _Refused(400, "the body does not begin with an old size, proof lines and an empty line")
        try:
            proof = parse_hashes(lines)
        except NoteError as error:
            raise _Refused(400, str(error)) from error
        origin = note.partition("\n")[0]
        signer = self._signer
        if origin not in self._keys or signer is None:
            raise _Refused(404, "this log is not witnessed here")
        try:
            opened = open_note(note, self._keys[origin])
        except NoteError as error:
            raise _Refused(403, str(error)) from error
        try:
            checkpoint = Checkpoint.parse(opened.text)
        except NoteError as error:
            raise _Refused(400, str(error)) from error
        if int(old[1]) > checkpoint.size:
            raise _Refused(400, "the old size is above the checkpoint's")
        if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
            raise _Refused(422, "an empty tree has another root")
        return _Submission(signer, int(old[1]), proof, opened, checkpoint)

    def _cosign(self, connection: Connection, submission: _Submission) -> str:
        new = submission.checkpoint
        last_size, last_root = self._locked(connection, new.origin)
        if submission.old != last_size or (new.size == last_size and new.root != last_root):
            raise _Refused(409, str(last_size), SIZE_TYPE)
        try:
            if submission.old:
                verify_consistency(submission.old, new.size, submission.proof, last_root, new.root)
        except EvidenceError as error:
            raise _Refused(422, str(error)) from error
        if not submission.old and submission.proof:
            raise _Refused(422, "nothing proves an extension of the empty tree")
        now = self._clock()
        line = submission.signer.line(submission.opened.text, now)
        signatures = "".join(f"{signature}\n" for signature in (*submission.opened.lines.values(), line))
        connection.execute(
            update(WitnessedLog)
            .where(WitnessedLog.origin == new.origin)
            .values(size=new.size, root=new.root, note=f"{submission.opened.text}\n{signatures}", at=now)
        )
        return f"{line}\n"

    def _locked(self, connection: Connection, origin: str) -> tuple[int, bytes]:
        """Read what was cosigned last, and keep other requests about this log out until the transaction ends."""
        connection.execute(_CREATE, {"origin": origin, "root": EMPTY_ROOT, "at": self._clock()})
        row = connection.execute(
            select(WitnessedLog.size, WitnessedLog.root).where(WitnessedLog.origin == origin).with_for_update()
        ).one()
        return row.size, bytes(row.root)
