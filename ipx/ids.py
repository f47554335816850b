"""Identifiers that sort by the time they were made."""

import uuid6


def uuid7() -> str:
    """Make a UUID version 7 (RFC 9562, section 5.7) in its canonical text form."""
    return str(uuid6.uuid7())
