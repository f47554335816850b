"""Signed notes, checkpoints, cosignatures and proof texts (C2SP signed-note, tlog-checkpoint, -cosignature, -proof).

```
gw.example/log                                    ┐
88240                                             │ text: a checkpoint
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=      ┘

— gw.example/log Az3grlgtzPICa5OS8npVmf1Myq/5…    base64(key id ‖ signature)
— witness.example/w1 jWbPPwAAAABkGFDLEZMHwSRaJ…   base64(key id ‖ time ‖ signature)
```

Signatures by strangers are ignored; a signature that fails under a known key rejects the whole note.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ipx.encoding import b64
from ipx.errors import NoteError
from ipx.jws import CLOCK_SKEW_SECONDS
from ipx.merkle import HASH_BYTES
from ipx.notekey import COSIGNATURE, SIGNATURE, SIGNATURE_TYPES, NoteKey, NoteSigner, decoded, is_name
from ipx.values import value

__all__ = [
    "COSIGNATURE",
    "SIGNATURE",
    "Checkpoint",
    "Cosigned",
    "InclusionProof",
    "LogPolicy",
    "NoteKey",
    "NoteSigner",
    "Opened",
    "open_checkpoint",
    "open_note",
    "parse_hashes",
    "parse_proof",
    "sign",
]

MAX_SIGNATURES: Final = 100
MAX_PROOF_HASHES: Final = 63

_KEY_ID_BYTES: Final = 4
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_SIGNATURE_LINE: Final = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})", re.ASCII)
_PROOF_HEADER: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Opened:
    """A note signed by at least one known key; each with the time it states, if its kind states one."""

    text: str
    valid: Mapping[NoteKey, datetime | None]
    lines: Mapping[NoteKey, str]
    """The signature line of each; where one key signed more than once, the one with the earliest time."""


@value
class Checkpoint:
    """The head of a log: whose, how many entries, and the root over them."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Further lines that other logs may sign; ours has none, and nothing here relies on them."""

    def text(self) -> str:
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), b64(self.root), *self.extensions))

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read a note's text.

        Raises:
            NoteError: not three or more lines with a size without leading zeros and a root of 32 bytes.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):  # noqa: PLR2004 - three lines and what follows the last newline
            raise NoteError("A checkpoint does not have the lines origin, size and root.")
        origin, size, encoded, *extensions = lines
        if not _SIZE.fullmatch(size):
            raise NoteError("A checkpoint's size is not a plain decimal number.")
        root = decoded(encoded, "A checkpoint's root")
        if len(root) != HASH_BYTES:
            raise NoteError("A checkpoint's root is not of 32 bytes.")
        return cls(origin, int(size), root, tuple(extensions))


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """What a checkpoint must carry: one of the log's keys, and cosignatures of `quorum` distinct witness keys.

    Raises:
        NoteError: on construction: no log key, a witness without times, one key counted twice, a quorum out of reach.
    """

    origin: str
    keys: frozenset[NoteKey]
    witnesses: frozenset[NoteKey] = frozenset()
    quorum: int = 0
    final: "Checkpoint | None" = None
    """How the log ended, where it has: from then on nobody can lengthen it, not even with its key."""

    def __post_init__(self) -> None:
        if not self.keys or any(SIGNATURE_TYPES[key.type].is_timed for key in self.keys):
            raise NoteError("A log is known by no key, or by a witness's kind of key.")
        if not all(SIGNATURE_TYPES[key.type].is_timed for key in self.witnesses):
            raise NoteError("A witness is known by a kind of key that states no time.")
        material = [key.public for key in (*self.keys, *self.witnesses)]
        if len(set(material)) != len(material):
            raise NoteError("One key stands for two witnesses, or for a log and a witness.")
        if not 0 <= self.quorum <= len(self.witnesses):
            raise NoteError(f"A quorum of {self.quorum} is out of reach with {len(self.witnesses)} witnesses.")


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint that satisfies a policy; the times its known witnesses state, earliest first."""

    checkpoint: Checkpoint
    cosigned_at: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """The parts of a tlog-proof. `extra` is carried, never believed."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint_note: str
    extra: bytes | None = None

    def text(self) -> str:
        """Write the one spelling that `parse_proof` takes."""
        extra = [] if self.extra is None else [f"extra {b64(self.extra)}"]
        lines = [_PROOF_HEADER, *extra, f"index {self.index}", *map(b64, self.hashes), "", self.checkpoint_note]
        return "\n".join(lines)


def sign(text: str, *signers: NoteSigner, at: datetime | None = None) -> str:
    """Sign a text as a note.

    Args:
        text: ends in a newline, holds no other control character.
        signers: in the order of their lines.
        at: the time witnesses among them state.

    Raises:
        NoteError: a text that cannot be a note, or a cosignature without a time.
    """
    if not text.endswith("\n") or text == "\n" or _CONTROL.search(text):
        raise NoteError("A note's text must end in a newline and hold no other control character.")
    return f"{text}\n" + "".join(f"{signer.line(text, at)}\n" for signer in signers)


def open_note(raw: str | bytes, keys: Collection[NoteKey]) -> Opened:
    """Take a note apart and check every signature by a known key.

    Raises:
        NoteError: malformed, signed by none of the keys, or wrongly signed by one of them.
    """
    text, lines = _split(raw)
    known: dict[tuple[str, bytes], NoteKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.id), key) != key:
            raise NoteError(f"Two known keys of {key.name} share one id.")
    valid: dict[NoteKey, datetime | None] = {}
    good: dict[NoteKey, str] = {}
    for line in lines:
        match = _SIGNATURE_LINE.fullmatch(line)
        signature = decoded(match[2], "A signature line") if match and is_name(match[1]) else b""
        if match is None or len(signature) <= _KEY_ID_BYTES:
            raise NoteError("A note holds a line that is no signature line.")
        signed_by = known.get((match[1], signature[:_KEY_ID_BYTES]))
        if signed_by is not None:
            at = signed_by.check(signature[_KEY_ID_BYTES:], text)
            earlier = valid.get(signed_by)
            if earlier is None or (at is not None and at < earlier):
                valid[signed_by], good[signed_by] = at, line
    if not valid:
        raise NoteError("A note is signed by nobody known.")
    return Opened(text, valid, good)


def open_checkpoint(raw: str | bytes, policy: LogPolicy, *, now: datetime) -> Cosigned:
    """Check a signed checkpoint against what is demanded of this log.

    Raises:
        NoteError: malformed, of another log, not signed by the log, beyond its end, short of witnesses, or cosigned in
            the future.
    """
    opened = open_note(raw, policy.keys | policy.witnesses)
    if not policy.keys & opened.valid.keys():
        raise NoteError("The checkpoint is not signed by the log.")
    checkpoint = Checkpoint.parse(opened.text)
    if checkpoint.origin != policy.origin:
        raise NoteError(f"The checkpoint is of the log {checkpoint.origin[:128]!r}, not of {policy.origin!r}.")
    if policy.final is not None and (
        checkpoint.size > policy.final.size or (checkpoint.size == policy.final.size and checkpoint != policy.final)
    ):
        raise NoteError(f"The log ended with {policy.final.size} entries, and this checkpoint is not of its time.")
    times = tuple(sorted(at for at in opened.valid.values() if at is not None))
    if times and (times[-1] - now).total_seconds() > CLOCK_SKEW_SECONDS:
        raise NoteError("The checkpoint is cosigned in the future: a witness's clock or this machine's is wrong.")
    if len(times) < policy.quorum:
        raise NoteError(f"The checkpoint is cosigned by {len(times)} known witnesses; {policy.quorum} are demanded.")
    return Cosigned(checkpoint, times)


def parse_proof(text: str) -> InclusionProof:
    """Read a tlog-proof. The checkpoint in it stays a text, to be opened by `open_checkpoint`.

    Raises:
        NoteError: another form, or more than 63 hashes.
    """
    head, blank, checkpoint_note = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines.pop(0) != _PROOF_HEADER:
        raise NoteError("A proof does not begin as a tlog-proof of version 1.")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = decoded(lines.pop(0).removeprefix("extra "), "The extra data of a proof")
    index = lines.pop(0).removeprefix("index ") if lines and lines[0].startswith("index ") else ""
    if not _SIZE.fullmatch(index):
        raise NoteError("A proof does not name the entry's index as a plain decimal number.")
    return InclusionProof(int(index), parse_hashes(lines), checkpoint_note, extra)


def parse_hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    """Read the hashes of an inclusion or consistency proof, one base64 text each.

    Raises:
        NoteError: one is not a hash of 32 bytes, or there are more than 63.
    """
    if len(lines) > MAX_PROOF_HASHES:
        raise NoteError(f"A proof has more than {MAX_PROOF_HASHES} hashes.")
    hashes = tuple(decoded(line, "A proof") for line in lines)
    if any(len(value) != HASH_BYTES for value in hashes):
        raise NoteError("A proof holds a hash that is not of 32 bytes.")
    return hashes


def _split(raw: str | bytes) -> tuple[str, list[str]]:
    try:
        whole = raw.decode() if isinstance(raw, bytes) else raw
        whole.encode()  # a lone surrogate in a str is no UTF-8 either
    except UnicodeError as error:
        raise NoteError("A note is not UTF-8.") from error
    if _CONTROL.search(whole):
        raise NoteError("A note holds a control character.")
    text, _, signatures = whole.rpartition("\n\n")
    if not text or not signatures.endswith("\n"):
        raise NoteError("A note does not have a text, an empty line and signature lines.")
    lines = signatures.split("\n")[:-1]
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"A note has more than {MAX_SIGNATURES} signatures.")
    return f"{text}\n", lines
