"""Keys for purposes of their own, derived from the root key."""

import hmac

from gateway.settings import Settings


def derived_key(settings: Settings, label: bytes) -> bytes:
    """Derive a key of its own purpose from the root key (HMAC as in HKDF-Expand, RFC 5869)."""
    return hmac.digest(settings.key_encryption_key, b"ipx/" + label + b"\x01", "sha256")
