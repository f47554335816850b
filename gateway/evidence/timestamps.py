"""Asking a time-stamp authority (RFC 3161) to confirm when a checkpoint existed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import httpx
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from gateway.clock import Clock
from gateway.evidence.errors import TimestampError
from gateway.evidence.outsiders import Authority
from ipx.errors import EvidenceError
from ipx.jws import CLOCK_SKEW_SECONDS
from ipx.timestamp import verify_timestamp

TIMEOUT_SECONDS: Final = 10.0
MAX_REPLY_BYTES: Final = 64 * 1024

QUERY: Final = "application/timestamp-query"
REPLY: Final = "application/timestamp-reply"


@dataclass(frozen=True, slots=True)
class Stamp:
    """An authority's reply, checked as a verifier will check it."""

    token: bytes
    """`TimeStampResp` (DER)."""
    at: datetime
    """The time it states."""
    offset_seconds: float
    """How far this machine's clock is ahead of the authority's; the time the query took counts half."""


class TimestampClient:
    """Gets stamps from one authority; one that would not convince an auditor later is refused now."""

    def __init__(self, authority: Authority, http: httpx.Client, clock: Clock) -> None:
        self._authority = authority
        self._http = http
        self._clock = clock

    def stamp(self, stamped: str | bytes) -> Stamp:
        """Have a signed checkpoint's text stamped, or the value of a signature.

        Raises:
            TimestampError: no reply, a reply to something else, by somebody else, under another policy, or of a time
                that is not the present.
        """
        message = stamped.encode() if isinstance(stamped, str) else stamped
        query = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).build()
        before = self._clock()
        token = self._ask(query.as_bytes())
        after = self._clock()
        try:
            at = verify_timestamp(
                token, message, self._authority.roots, nonce=query.nonce, policy=self._authority.policy
            )
        except EvidenceError as error:
            raise TimestampError(f"{self._authority.url} gave a stamp that proves nothing: {_causes(error)}") from error
        offset = (before - at + (after - before) / 2).total_seconds()
        if abs(offset) > CLOCK_SKEW_SECONDS:
            raise TimestampError(
                f"{self._authority.url} stamps {at.isoformat()} while this machine's clock says {after.isoformat()}: "
                "set the clock, or every verifier will refuse the evidence"
            )
        return Stamp(token, at, offset)

    def _ask(self, query: bytes) -> bytes:
        url = self._authority.url
        try:
            answer = self._http.post(url, content=query, headers={"Content-Type": QUERY}, timeout=TIMEOUT_SECONDS)
        except httpx.HTTPError as error:
            raise TimestampError(f"{url} does not answer: {type(error).__name__} {error}") from error
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        if answer.status_code != httpx.codes.OK or kind != REPLY:
            raise TimestampError(f"{url} answers {answer.status_code} {kind or 'without a type'}")
        if len(answer.content) > MAX_REPLY_BYTES:
            raise TimestampError(f"{url} answers with {len(answer.content)} bytes")
        return answer.content


def _causes(error: BaseException) -> str:
    return f"{error} ({error.__cause__})" if error.__cause__ else str(error)
