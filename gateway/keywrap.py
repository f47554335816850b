"""Private keys at rest: wrapped with AES-256-GCM under one key-encryption key that never touches the database."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import GatewayError

KEK_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12


class KeyWrapError(GatewayError):
    """A wrapped key does not open: another key-encryption key, another context, or changed bytes."""


class KeyWrap:
    """Wraps secrets for storage (NIST SP 800-38D; 96-bit random nonce, 128-bit tag).

    A wrapped secret is `01 || nonce (12) || ciphertext || tag (16)`. The context (what the secret is and whose, such as
    `token-signing-key:<kid>`) is authenticated but not stored: a row copied over another does not open.
    """

    def __init__(self, kek: bytes) -> None:
        """Take the key-encryption key.

        Raises:
            ValueError: the key is not of 32 bytes.
        """
        if len(kek) != KEK_BYTES:
            raise ValueError(f"the key-encryption key has {len(kek)} bytes, {KEK_BYTES} are needed")
        self._aead = AESGCM(kek)

    def wrap(self, data: bytes, context: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._aead.encrypt(nonce, data, context.encode())

    def unwrap(self, data: bytes, context: str) -> bytes:
        """Open what `wrap` made with the same context.

        Raises:
            KeyWrapError: it was not made with this key and this context, or was changed since.
        """
        if data[:1] != _VERSION:
            raise KeyWrapError(f"unknown wrapping of the secret {context}")
        nonce, sealed = data[1 : 1 + _NONCE_BYTES], data[1 + _NONCE_BYTES :]
        try:
            return self._aead.decrypt(nonce, sealed, context.encode())
        except (InvalidTag, ValueError) as error:
            raise KeyWrapError(f"the secret {context} does not open with this key-encryption key") from error
