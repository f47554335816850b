"""What an exchange carried, encrypted at rest under a key of its own: destroying the key erases all of it at once.

That key is wrapped by one of its retention class: destroying this erases all exchanges of the class at once.
"""

import os
from dataclasses import field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.evidence.class_keys import ClassKey, ClassKeys
from gateway.evidence.errors import PayloadError
from gateway.keywrap import KeyWrap
from ipx.values import value

KEY_BYTES: Final = 32
_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_COPIED_BYTES: Final = 16 << 10
"""Up to so many, a copy costs less than the care to avoid it."""


@value
class PayloadCipher:
    """Encrypts and opens the named objects of one exchange (AES-256-GCM; NIST SP 800-38D).

    An object at rest is `01 || nonce (12) || ciphertext || tag (16)`. Its exchange and its name are authenticated: an
    object moved to another row does not open.
    """

    exchange_id: str
    wrapped_key: bytes
    class_key: str | None
    """To be stored in the exchange's row, both."""
    _aead: AESGCM = field(repr=False)
    """Under the exchange's key: made once, for to make it costs as much as to encrypt with it."""

    def encrypt(self, name: str, data: bytes) -> bytes | bytearray:
        nonce = os.urandom(_NONCE_BYTES)
        head, context = _VERSION + nonce, self._context(name)
        if len(data) <= _COPIED_BYTES:
            return head + self._aead.encrypt(nonce, data, context)
        sealed = bytearray(len(head) + len(data) + _TAG_BYTES)
        sealed[: len(head)] = head
        with memoryview(sealed) as whole:  # encrypted in its place: an answer may have 15 MiB
            self._aead.encrypt_into(nonce, data, context, whole[len(head) :])
        return sealed

    def decrypt(self, name: str, sealed: bytes | bytearray) -> bytes:
        """Open what `encrypt` made under this name.

        Raises:
            PayloadError: it was made for another exchange, under another name, or was changed since.
        """
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], memoryview(sealed)[1 + _NONCE_BYTES :]
        try:
            if sealed[:1] != _VERSION:
                raise PayloadError(f"the object {name} of exchange {self.exchange_id} is of an unknown version")
            return self._aead.decrypt(nonce, ciphertext, self._context(name))
        except (InvalidTag, ValueError) as error:
            raise PayloadError(f"the object {name} of exchange {self.exchange_id} does not open") from error

    def _context(self, name: str) -> bytes:
        # The id is a UUID of fixed length, so the two cannot run into each other.
        return f"{self.exchange_id}{name}".encode()


class Payloads:
    def __init__(self, wrap: KeyWrap, class_keys: ClassKeys) -> None:
        self._wrap = wrap
        self._class_keys = class_keys

    def new(self, exchange_id: str, class_key: ClassKey) -> PayloadCipher:
        """Make the key of a new exchange, wrapped by that of its retention class."""
        key = os.urandom(KEY_BYTES)
        return PayloadCipher(exchange_id, class_key.wrap.wrap(key, _context(exchange_id)), class_key.id, AESGCM(key))

    def apart(self, object_id: str) -> PayloadCipher:
        """Make the key of what belongs to no retention class, wrapped by the key-encryption key itself."""
        key = os.urandom(KEY_BYTES)
        return PayloadCipher(object_id, self._wrap.wrap(key, _context(object_id)), None, AESGCM(key))

    def of(self, exchange_id: str, wrapped_key: bytes, class_key: str | None) -> PayloadCipher:
        """Take the key of an exchange from its row.

        Args:
            exchange_id: whose.
            wrapped_key: as stored.
            class_key: what wraps it; None for rows of before there were keys of classes, wrapped under the
                key-encryption key itself.

        Raises:
            ErasedError: the class's key was destroyed.
            gateway.keywrap.KeyWrapError: it belongs to another exchange, or was changed.
        """
        wrap = self._wrap if class_key is None else self._class_keys.get(class_key).wrap
        key = wrap.unwrap(wrapped_key, _context(exchange_id))
        return PayloadCipher(exchange_id, wrapped_key, class_key, AESGCM(key))


def _context(exchange_id: str) -> str:
    return f"payload-key:{exchange_id}"
