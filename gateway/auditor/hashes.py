"""Keyed hashes by which exchanges are found: the register of searches holds no number of a right in the clear."""

import hmac


class RightHashes:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, right: str) -> bytes:
        """Hash the key of a right, `XA|trademark|4012345`, as records name it in `right_keys`."""
        return hmac.digest(self._key, right.strip().encode(), "sha256")
