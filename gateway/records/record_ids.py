"""Names of records: `urn:ipx:<agency>:<record type>:<local part>`.

The local part is the office's own number for types that are published registers. For all others it is opaque: a docket
or detention number is itself information. There it is the source's key, encrypted so that the gateway can open it
again and needs no index: the same key always gives the same name, and nobody else learns anything from it.
"""

import base64
import binascii
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from ipx.values import value

_AGENCY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{1,62}")
_RECORD_TYPE = re.compile(r"[a-z][a-z0-9_]{1,62}")
_LOCAL = re.compile(r"[A-Za-z0-9._~()/-]{1,200}")
_NAME = re.compile(f"urn:ipx:({_AGENCY.pattern}):({_RECORD_TYPE.pattern}):({_LOCAL.pattern})")
_ESCAPED = re.compile(r"~([0-9A-F]{2})")
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._()/-")

ID_KEY_BYTES = 64
"""AES-256-SIV (RFC 5297): two keys of 32 bytes, one for the tag and one for the cipher."""

_CONTEXT = [b"ipx-local/v1"]


class RecordIdError(ValueError):
    """A text that names no record, or a number that no name can hold. The message never repeats it."""


@value
class RecordId:
    agency: str
    record_type: str
    local: str

    def __str__(self) -> str:
        return f"urn:ipx:{self.agency}:{self.record_type}:{self.local}"


def parse_record_id(text: str) -> RecordId:
    """Read a record's name; there is one spelling of each.

    Raises:
        RecordIdError: not such a name.
    """
    name = _NAME.fullmatch(text)
    if name is None:
        raise RecordIdError("not urn:ipx:agency:record type:local part")
    return RecordId(*name.groups())


def record_id(agency: str, record_type: str, local: str) -> RecordId:
    """Put a name together.

    Raises:
        RecordIdError: a part does not fit.
    """
    if not _AGENCY.fullmatch(agency) or not _RECORD_TYPE.fullmatch(record_type) or not _LOCAL.fullmatch(local):
        raise RecordIdError("agency, record type or local part does not fit")
    return RecordId(agency, record_type, local)


def number_to_local(number: str) -> str:
    """Write an office's number as a local part.

    Other characters than `A-Z a-z 0-9 . _ ( ) / -` become `~` and two hexadecimal digits for each byte of UTF-8.

    Raises:
        RecordIdError: empty, or too long for a name.
    """
    local = "".join(chr(byte) if byte in _PLAIN else f"~{byte:02X}" for byte in number.encode())
    if not _LOCAL.fullmatch(local):
        raise RecordIdError("empty, or too long for a name")
    return local


def local_to_number(local: str) -> str | None:
    """The reverse of `number_to_local`; None for what it never writes."""
    try:
        octets = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), local).encode("latin-1")
        number = octets.decode()
        return number if number_to_local(number) == local else None
    except (UnicodeError, RecordIdError):
        return None


def new_id_key() -> bytes:
    """A key for the opaque names of one holder. Whoever has it reads the holder's own numbers out of every name."""
    return AESSIV.generate_key(ID_KEY_BYTES * 8)


def seal_local(key: bytes, source_key: str) -> str:
    """Turn a source's key into an opaque local part (AES-SIV, RFC 5297): deterministic, so a record keeps its name.

    Args:
        key: the holder's id key, 64 bytes.
        source_key: the key of the record in its source, 1 to about 130 bytes.

    Returns:
        Unpadded base64url. Its length tells the length of the key, nothing else.

    Raises:
        RecordIdError: the key is empty or too long for a name.
    """
    if not source_key:
        raise RecordIdError("empty")
    sealed = AESSIV(key).encrypt(source_key.encode(), _CONTEXT)
    local = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
    if not _LOCAL.fullmatch(local):
        raise RecordIdError("too long for a name")
    return local


def open_local(key: bytes, local: str) -> str | None:
    """Give the source's key back; None for a local part that this holder's key did not make."""
    try:
        sealed = base64.b64decode(local + "=" * (-len(local) % 4), altchars=b"-_", validate=True)
        if base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() != local:
            return None  # padding bits make a second spelling
        return AESSIV(key).decrypt(sealed, _CONTEXT).decode()
    except (binascii.Error, InvalidTag, UnicodeError, ValueError):
        return None
