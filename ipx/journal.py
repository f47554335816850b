"""What a client keeps of its own: every receipt it was given, and the last checkpoint it saw. Lines are only added.

    receipts.jsonl   {"exchange", "client", "receipt", "index", "entry", "salt", "seen_at", "was_given"}, one line each
    checkpoint       the newest signed checkpoint of the log that was checked

The folder is this client's side of the mutual log: whoever holds it can show what the gateway once said.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from ipx.errors import FormatError
from ipx.jws import Json, dump_json, parse_object, text
from ipx.listing import Listed, Place, read_place
from ipx.problems import ClientError

RECEIPTS = "receipts.jsonl"
CHECKPOINT = "checkpoint"


class JournalError(ClientError):
    """The folder that keeps receipts cannot be read or written."""

    next_step = "Check --store: the folder must be yours to write, and its files as they were written."


@dataclass(frozen=True, slots=True)
class Kept:
    """One receipt as it was given."""

    exchange: str
    client: str
    """That asked."""
    receipt: str
    place: Place
    seen_at: str
    was_given: bool
    """With an answer to this store's own client; False where it was taken over from the gateway's list."""

    def line(self) -> bytes:
        members: dict[str, Json] = {
            "exchange": self.exchange,
            "client": self.client,
            "receipt": self.receipt,
            **asdict(self.place),
            "seen_at": self.seen_at,
            "was_given": self.was_given,
        }
        return dump_json(members) + b"\n"


class Journal:
    """A folder of receipts. Several processes may write to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, kept: Iterable[Kept]) -> None:
        """Write lines, flushed to the disk before this returns.

        Raises:
            JournalError: that is not possible.
        """
        data = b"".join(item.line() for item in kept)
        if not data:
            return
        with self._file() as descriptor:
            size = os.lseek(descriptor, 0, os.SEEK_END)
            # A crash may have left half a line: what was never whole was never acknowledged.
            torn = size - _whole_bytes(descriptor, size)
            if torn:
                os.ftruncate(descriptor, size - torn)
            os.write(descriptor, data)
            os.fsync(descriptor)

    def read(self) -> list[Kept]:
        """Read all lines, oldest first.

        Raises:
            JournalError: one of them is none.
        """
        path = self._folder / RECEIPTS
        try:
            data = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise JournalError(f"{path} cannot be read: {error.strerror}") from error
        lines = data.split(b"\n")[:-1]
        found = []
        for number, line in enumerate(lines, 1):
            try:
                found.append(_kept(parse_object(line)))
            except FormatError as error:
                raise JournalError(f"line {number} of {path} was changed: {error}") from error
        return found

    def checkpoint(self) -> str | None:
        """Give the newest checkpoint that was checked, as it was signed."""
        path = self._folder / CHECKPOINT
        try:
            return path.read_text("utf-8") if path.exists() else None
        except (OSError, UnicodeDecodeError) as error:
            raise JournalError(f"{path} cannot be read") from error

    def keep_checkpoint(self, note: str, *, name: str = CHECKPOINT) -> Path:
        """Keep a checkpoint in place of the one before, in one step."""
        path = self._folder / name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{name}.{os.getpid()}")
            temporary.write_text(note, "utf-8")
            temporary.replace(path)
        except OSError as error:
            raise JournalError(f"{path} cannot be written: {error.strerror}") from error
        return path

    @contextmanager
    def _file(self) -> Iterator[int]:
        path = self._folder / RECEIPTS
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield descriptor
            finally:
                os.close(descriptor)
        except OSError as error:
            raise JournalError(f"{path} cannot be written: {error.strerror}") from error


def kept_of_answer(raw: bytes, client: str, now: datetime) -> Kept:
    """Take from an answer document what has to be kept of it.

    Raises:
        FormatError: it is no answer.
    """
    answer = parse_object(raw)
    place = read_place(answer.get("log"))
    if place is None:
        raise FormatError("The answer does not say where it is logged.")
    exchange = text(answer, "id" if "id" in answer else "exchange")
    return Kept(exchange, client, text(answer, "receipt"), place, _instant(now), was_given=True)


def kept_of_line(listed: Listed, place: Place, now: datetime) -> Kept:
    """Take over a line of the gateway's list."""
    return Kept(listed.exchange, listed.client, listed.receipt, place, _instant(now), was_given=False)


def _kept(members: dict[str, Json]) -> Kept:
    place = read_place(members)
    if place is None:
        raise FormatError("It does not say where the receipt is logged.")
    return Kept(
        text(members, "exchange"),
        text(members, "client"),
        text(members, "receipt"),
        place,
        text(members, "seen_at"),
        was_given=members.get("was_given") is True,
    )


def _whole_bytes(descriptor: int, size: int) -> int:
    """Find where the last whole line ends."""
    end = size
    while end:
        begin = max(0, end - 65_536)
        at = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if at >= 0:
            return begin + at + 1
        end = begin
    return 0


def _instant(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%SZ}"
