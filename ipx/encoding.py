"""base64url and base64 as they stand in signed text: one spelling each, any other is refused.

RFC 4648 lets a decoder ignore the spare bits of the last character, so that one signature has several spellings;
RFC 7515 (section 2) forbids padding and white space. Both are caught by encoding again and comparing.
"""

import binascii
import hashlib

from ipx.errors import FormatError

_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
"""What is no base64url becomes a character of no alphabet, which a decoder may skip but no encoder writes."""
_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def b64url(data: bytes) -> str:
    """Encode as unpadded base64url (RFC 7515, section 2)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL_SAFE, b"=").decode("ascii")


def b64url_bytes(text: str) -> bytes:
    """Decode canonical unpadded base64url.

    Raises:
        FormatError: another alphabet, padding, white space, or spare bits that are not zero.
    """
    try:
        padded = text.encode("ascii").translate(_TO_STANDARD) + b"=" * (-len(text) % 4)
        data = binascii.a2b_base64(padded)
    except ValueError as error:
        raise FormatError("Text that should be base64url is not.") from error
    if binascii.b2a_base64(data, newline=False) != padded:
        raise FormatError("Text that should be base64url is not in its one canonical spelling.")
    return data


def b64(data: bytes) -> str:
    """Encode as padded base64 (RFC 4648, section 4), as notes and proofs carry it."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def b64_bytes(text: str) -> bytes:
    """Decode canonical padded base64.

    Raises:
        FormatError: as `b64url_bytes`.
    """
    try:
        data = binascii.a2b_base64(text)
    except ValueError as error:
        raise FormatError("Text that should be base64 is not.") from error
    if b64(data) != text:
        raise FormatError("Text that should be base64 is not in its one canonical spelling.")
    return data


def ascii_text(data: bytes) -> str:
    """Read a document that must be ASCII, as every signed token is.

    Raises:
        FormatError: it is not.
    """
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise FormatError("It is not ASCII.") from error


def hashed(document: str) -> str:
    """Name an ASCII document by its SHA-256, base64url."""
    return b64url(hashlib.sha256(document.encode("ascii")).digest())
