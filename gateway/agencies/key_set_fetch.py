"""One look at the address where a client publishes its keys: https, no redirect, one pinned address, bounded."""

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connectors.deadline import Deadline
from connectors.kinds.http_caller import Call, CallFailedError, HttpCaller, HttpLimits
from gateway.agencies.key_set_text import Unusable

BODY_BYTES: Final = 65_536
TOTAL_SECONDS: Final = 3.0

_OK: Final = 200
_MAX_AGE = re.compile(r'(?:^|[,\s])max-age="?(\d{1,9})"?(?=$|[,\s])', re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|[,\s])no-(?:store|cache)(?=$|[,\s=])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came.

    Args:
        max_age_seconds: how long its publisher lets it be kept; None where that is not said.
    """

    body: bytes
    max_age_seconds: int | None


Fetch = Callable[[str], Fetched | Unusable]


class KeySetFetcher:
    """Fetches key sets. Every look is a connection of its own: name resolved once, address judged, TLS by the name."""

    def __init__(self, *, private: bool = False, tls: ssl.SSLContext | None = None) -> None:
        """Take the configuration.

        Args:
            private: whether addresses of private networks and of this machine may be called.
            tls: trusted authorities; by default those of the system.
        """
        self._private = private
        self._tls = tls

    def __call__(self, uri: str) -> Fetched | Unusable:
        limits = HttpLimits(connect_seconds=TOTAL_SECONDS, read_seconds=TOTAL_SECONDS, body_bytes=BODY_BYTES, tries=1)
        caller = HttpCaller(limits, private=self._private, tls=self._tls)
        call = Call(uri, (("Accept", "application/jwk-set+json, application/json"),))
        try:
            answer = caller.send(call, Deadline.within(TOTAL_SECONDS))
        except CallFailedError as error:
            return Unusable(f"no answer ({error.reason}): {error}")
        finally:
            caller.close()
        if answer.status != _OK:
            return Unusable(f"the answer has status {answer.status}; redirects are not followed")
        return Fetched(answer.body, _max_age(answer.headers.get("cache-control", "")))


def _max_age(header: str) -> int | None:
    if _NOT_KEPT.search(header):
        return 0
    found = _MAX_AGE.search(header)
    return int(found[1]) if found else None
