"""Wrappings that a document travels in: taken off before it is parsed. The bytes as carried stay what they are."""

import base64
import binascii
import re

from connectors.quarantine import Reason, UnreadableError

_SIGNED_MARK = re.compile(rb"-----BEGIN ENCODED SMD-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END ENCODED SMD-----\s*\Z")


def signed_mark(raw: bytes) -> bytes:
    """Take the XML out of a file of signed mark data (RFC 7848, section 3).

    Some lines for people, then the document in Base64 between two marks.

    Raises:
        UnreadableError: no such file.
    """
    found = _SIGNED_MARK.search(raw)
    if found is None:
        raise UnreadableError(Reason.NOT_PARSEABLE, "no encoded signed mark data in it")
    try:
        return base64.b64decode(b"".join(found[1].split()), validate=True)
    except binascii.Error as error:
        raise UnreadableError(Reason.NOT_PARSEABLE, "the signed mark data is no Base64") from error


ARMORS = {"smd": signed_mark}
"""By the name a source file gives them (`read.armor`)."""
