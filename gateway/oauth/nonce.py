"""Nonces that clients put into DPoP proofs (RFC 9449, section 8): made from the time, so that no store is needed."""

import base64
import hmac
from typing import Any

from gateway.clock import Clock

MINUTES_ACCEPTED = 3
"""The present minute and the two before it."""
_DAY_MINUTES = 24 * 60
_NONCE_LENGTH = 22
_KEPT = 2 * MINUTES_ACCEPTED


class Nonces:
    """Nonces that all workers agree on, because they share the secret; its key changes by itself every day."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        """Take the secret.

        Args:
            secret: 32 random bytes, the same in every worker, used for nothing else.
            clock: where the minute comes from.
        """
        self._secret = secret
        self._clock = clock
        self._known: dict[int, str] = {}
        """By minute, those of the last call: they are asked for several times with each call."""

    def current(self) -> str:
        """Give the nonce to be sent with this answer."""
        return self._of(self._minute())

    def accepts(self, nonce: Any) -> bool:
        """Whether a proof's `nonce` is of the last three minutes. Anything malformed is a wrong nonce, not an error."""
        if not isinstance(nonce, str):
            return False
        given = nonce.encode("utf-8", "surrogatepass")
        minute = self._minute()
        for past in range(minute, minute - MINUTES_ACCEPTED, -1):
            # Bytes are compared: hmac.compare_digest raises on text outside ASCII.
            if hmac.compare_digest(given, self._of(past).encode()):
                return True
        return False

    def _minute(self) -> int:
        return int(self._clock().timestamp()) // 60

    def _of(self, minute: int) -> str:
        known = self._known.get(minute)
        if known is None:
            known = self._made(minute)
            self._known = {past: nonce for past, nonce in self._known.items() if past > minute - _KEPT} | {
                minute: known
            }
        return known

    def _made(self, minute: int) -> str:
        day_key = hmac.digest(self._secret, b"day %d" % (minute // _DAY_MINUTES), "sha256")
        digest = hmac.digest(day_key, b"minute %d" % minute, "sha256")
        return base64.urlsafe_b64encode(digest)[:_NONCE_LENGTH].decode()
