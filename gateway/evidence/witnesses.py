"""Asking witnesses to cosign a checkpoint (C2SP tlog-witness): one client for each witness."""

import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

import httpx

from gateway.clock import Clock
from gateway.evidence.errors import (
    WitnessAheadError,
    WitnessBehindError,
    WitnessDownError,
    WitnessError,
    WitnessRefusedError,
)
from gateway.evidence.outsiders import Witness
from ipx.encoding import b64
from ipx.errors import NoteError
from ipx.jws import CLOCK_SKEW_SECONDS
from ipx.note import Checkpoint, NoteKey, open_note

TIMEOUT_SECONDS: Final = 1.0
MAX_ANSWER_BYTES: Final = 64 * 1024
SIZE_TYPE: Final = "text/x.tlog.size"

_SIZE: Final = re.compile(r"(0|[1-9][0-9]{0,18})\n", re.ASCII)


def checkpoint_path(origin: str) -> str:
    """Where below its address a witness shows what it cosigned last of a log."""
    return f"{sha256(origin.encode()).hexdigest()}/checkpoint"


class WitnessClient:
    """Speaks to one witness; believes nothing that it cannot check."""

    def __init__(self, witness: Witness, http: httpx.Client, clock: Clock) -> None:
        self.witness = witness
        self._http = http
        self._clock = clock

    def cosign(self, note: str, size: int, old: int, proof: Sequence[bytes]) -> str:
        """Have a checkpoint cosigned.

        Args:
            note: signed by the log.
            size: the note's.
            old: size of the last checkpoint that this witness cosigned, as far as is known.
            proof: that the tree of `size` begins with that of `old`; empty where old is 0 or size.

        Returns:
            the witness's signature line, checked.

        Raises:
            WitnessBehindError: it cosigned another size last, at most this one; ask again from there.
            WitnessAheadError: it cosigned a larger size: somebody published more than is known here.
            WitnessRefusedError: it refuses, or gave something that is no cosignature of this moment.
            WitnessDownError: it does not answer.
        """
        lines = [f"old {old}", *map(b64, proof), "", note]
        answer = self._call("POST", "add-checkpoint", "\n".join(lines).encode())
        match answer.status_code:
            case httpx.codes.OK:
                return self._checked(note, answer.text)
            case httpx.codes.CONFLICT:
                last = self._size(answer)
                if last > size:
                    raise WitnessAheadError(f"{self._name} has cosigned {last} leaves, this is {size}", last)
                if last == old:
                    raise WitnessRefusedError(f"{self._name} has cosigned another tree of {last} leaves", is_fork=True)
                raise WitnessBehindError(f"{self._name} has cosigned {last} leaves, not {old}", last)
            case httpx.codes.UNPROCESSABLE_ENTITY:
                reason = f"{self._name} says that the log of {size} leaves does not begin with the {old} it cosigned"
                raise WitnessRefusedError(reason, is_fork=True)
            case status:
                raise WitnessRefusedError(f"{self._name} answers {status}")

    def latest(self, key: NoteKey) -> Checkpoint | None:
        """Give what the witness cosigned last of a log, if it can show it with the log's own signature.

        Args:
            key: of the log; its name is the log's origin.
        """
        try:
            return self.shown(key)
        except (WitnessError, NoteError):
            return None

    def shown(self, key: NoteKey) -> Checkpoint | None:
        """Like `latest`, and say why nothing can be shown; None: it has cosigned nothing of this log.

        Raises:
            WitnessDownError: it does not answer.
            WitnessRefusedError: it answers with an error.
            ipx.errors.NoteError: what it shows is not of this log's key.
        """
        answer = self._call("GET", checkpoint_path(key.name))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.status_code != httpx.codes.OK:
            raise WitnessRefusedError(f"{self._name} answers {answer.status_code}")
        checkpoint = Checkpoint.parse(open_note(answer.content, [key]).text)
        return checkpoint if checkpoint.origin == key.name else None

    @property
    def _name(self) -> str:
        return f"the witness {self.witness.key.name}"

    def _call(self, method: str, path: str, body: bytes | None = None) -> httpx.Response:
        url = f"{self.witness.url.rstrip('/')}/{path}"
        try:
            answer = self._http.request(method, url, content=body, timeout=TIMEOUT_SECONDS)
        except httpx.HTTPError as error:
            raise WitnessDownError(f"{self._name} does not answer: {type(error).__name__} {error}") from error
        if len(answer.content) > MAX_ANSWER_BYTES:
            raise WitnessRefusedError(f"{self._name} answers with {len(answer.content)} bytes")
        return answer

    def _size(self, answer: httpx.Response) -> int:
        match = _SIZE.fullmatch(answer.text)
        if match is None or answer.headers.get("Content-Type") != SIZE_TYPE:
            raise WitnessRefusedError(f"{self._name} answers 409 without a size")
        return int(match[1])

    def _checked(self, note: str, lines: str) -> str:
        key = self.witness.key
        try:
            opened = open_note(note.partition("\n\n")[0] + "\n\n" + lines, [key])
        except NoteError as error:
            raise WitnessRefusedError(f"{self._name} gave no cosignature of this checkpoint: {error}") from error
        at = opened.valid[key]
        if at is None or abs((at - self._clock()).total_seconds()) > CLOCK_SKEW_SECONDS:
            raise WitnessRefusedError(f"{self._name} cosigned for {_told(at)}: its clock or this machine's is wrong")
        return opened.lines[key]


def _told(at: datetime | None) -> str:
    return at.isoformat() if at else "no time"
