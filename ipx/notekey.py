"""The keys of signed notes: their one-line text form, their signature types, signing and checking one line.

A signature type (C2SP signed-note) says what bytes are signed: a log's plain signature covers the text, a witness's
cosignature (C2SP tlog-cosignature) the text and a time.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from ipx.encoding import b64, b64_bytes, b64url, b64url_bytes
from ipx.errors import FormatError, NoteError, SignatureError
from ipx.jws import LAST_INSTANT
from ipx.keys import PublicKey, Signer, public_key

SIGNATURE: Final = 0x01
COSIGNATURE: Final = 0x04

_KEY_ID_BYTES: Final = 4
_TIME_BYTES: Final = 8
_ED25519_BYTES: Final = 32
_NAME: Final = re.compile(r"[^\s+]+")


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A key that signs notes: a name, a signature type, 32 bytes of Ed25519."""

    name: str
    type: int
    public: bytes
    id: bytes = field(init=False)
    public_key: PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise NoteError("A note key has no name, or one with spaces or a plus sign.")
        if self.type not in SIGNATURE_TYPES:
            raise NoteError(f"A note key is of the signature type {self.type:#04x}, which this version cannot check.")
        try:
            key = public_key({"kty": "OKP", "crv": "Ed25519", "x": b64url(self.public)})
        except FormatError as error:
            raise NoteError(f"The note key of {self.name} is no sound Ed25519 key.") from error
        digest = hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()
        object.__setattr__(self, "id", digest[:_KEY_ID_BYTES])
        object.__setattr__(self, "public_key", key)

    @classmethod
    def parse(cls, vkey: str) -> "NoteKey":
        """Read `name+id+base64(type ‖ key)`.

        Raises:
            NoteError: another form, or an id that does not belong to the key.
        """
        parts = vkey.split("+", 2)
        if len(parts) != 3:  # noqa: PLR2004 - name, id, key
            raise NoteError("A note key is not of the form name+id+key.")
        name, key_id, encoded = parts
        material = decoded(encoded, "A note key")
        if len(material) != 1 + _ED25519_BYTES:
            raise NoteError("A note key is not of 32 bytes after its type.")
        key = cls(name, material[0], material[1:])
        if key_id != key.id.hex():
            raise NoteError(f"The note key of {name} carries an id that is not its own.")
        return key

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64(bytes([self.type]) + self.public)}"

    def check(self, signature: bytes, text: str) -> datetime | None:
        """Check a signature line's bytes after the key id.

        Returns:
            the time a cosignature states; None for a plain signature.

        Raises:
            NoteError: it does not fit the text.
        """
        kind = SIGNATURE_TYPES[self.type]
        at = None
        if kind.is_timed:
            at = _time(signature[:_TIME_BYTES])
            signature = signature[_TIME_BYTES:]
        try:
            self.public_key.verify(signature, kind.message(text, at))
        except SignatureError as error:
            raise NoteError(
                f"The signature of {self.name} does not fit the note: text or signature was changed."
            ) from error
        return at


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """Signs notes under a name. A witness signs with type `COSIGNATURE`, a log with `SIGNATURE`."""

    name: str
    signer: Signer
    type: int = SIGNATURE
    key: NoteKey = field(init=False)
    """The public half."""

    def __post_init__(self) -> None:
        if self.signer.alg != "Ed25519":
            raise NoteError("Notes are signed with Ed25519 keys.")
        object.__setattr__(self, "key", NoteKey(self.name, self.type, b64url_bytes(self.signer.public_jwk["x"])))

    def line(self, text: str, at: datetime | None) -> str:
        """Write one signature line, without its newline."""
        kind = SIGNATURE_TYPES[self.type]
        if not kind.is_timed:
            at = None
        elif at is None:
            raise NoteError("A cosignature states a time, and none was given.")
        stamp = b"" if at is None else int(at.timestamp()).to_bytes(_TIME_BYTES, "big")
        return f"\u2014 {self.name} {b64(self.key.id + stamp + self.signer.sign(kind.message(text, at)))}"


@dataclass(frozen=True, slots=True)
class SignatureType:
    """How one signature type of C2SP signed-note turns a text into the bytes signed."""

    is_timed: bool
    message: Callable[[str, datetime | None], bytes]


def _plain(text: str, _at: datetime | None) -> bytes:
    return text.encode()


def _cosigned(text: str, at: datetime | None) -> bytes:
    seconds = 0 if at is None else int(at.timestamp())
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


SIGNATURE_TYPES: Final[Mapping[int, SignatureType]] = {
    SIGNATURE: SignatureType(is_timed=False, message=_plain),
    COSIGNATURE: SignatureType(is_timed=True, message=_cosigned),
}


def _time(stamp: bytes) -> datetime:
    seconds = int.from_bytes(stamp, "big")
    if seconds > LAST_INSTANT:
        raise NoteError("A cosignature states no possible time.")
    return datetime.fromtimestamp(seconds, UTC)


def is_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name))


def decoded(text: str, what: str) -> bytes:
    try:
        return b64_bytes(text)
    except FormatError as error:
        raise NoteError(f"{what} is not base64 in its one spelling.") from error
