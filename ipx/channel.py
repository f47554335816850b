"""One HTTP conversation with one gateway: bounded in time and size, repeated where repeating is safe."""

import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import BinaryIO
from urllib.parse import urlsplit

import httpx

from ipx.errors import FormatError
from ipx.jws import Json, parse_object
from ipx.problems import AddressError, MalformedAnswerError, ProblemError, UnreachableError, error_of, read_problem
from ipx.waiting import Deadline, Patience, Time, back_off_seconds

_BUSY = frozenset({429, 503})
_NOT_YET = ("/in-flight", "/not-yet-provable")
_FROM_A_PROXY = frozenset({502, 504})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_OK = 200
# Identity: a compressed body could unpack to more than the limit within one read.
_ACCEPT = {"Accept": "application/json, application/problem+json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, ready to be sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer, read to its end."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: str

    def json(self) -> dict[str, Json]:
        """Parse the body strictly (UTF-8, no duplicate member, no NaN).

        Raises:
            MalformedAnswerError: it is anything but a JSON object.
        """
        try:
            return parse_object(self.body)
        except FormatError as error:
            message = f"{self.url} answered HTTP {self.status} without readable JSON: {error}"
            raise MalformedAnswerError(message) from error

    def members(self) -> dict[str, Json]:
        """The same, empty where the body is no JSON object: for looking, not for believing."""
        try:
            return self.json()
        except MalformedAnswerError:
            return {}

    def problem(self, now: datetime) -> ProblemError:
        """Turn an answer that is no success into the exception that says what to do."""
        return error_of(read_problem(self.members(), self.status, self.retry_after_seconds(now)))

    def retry_after_seconds(self, now: datetime) -> float | None:
        """Read Retry-After in either form (RFC 9110, section 10.2.3); None where it is absent or unreadable."""
        text = self.headers.get("Retry-After", "").strip()
        if re.fullmatch(r"\d{1,9}", text):
            return float(text)
        try:
            return max(0.0, (parsedate_to_datetime(text) - now).total_seconds()) if text else None
        except (ValueError, TypeError):
            return None

    @property
    def asks_for_patience(self) -> bool:
        """True where the same call may be sent again and may then succeed.

        Never where the answer carries a receipt: a failed exchange is an outcome and stays one.
        """
        document = self.members()
        if "receipt" in document:
            return False
        if self.status in _FROM_A_PROXY:
            return "type" not in document
        return self.status in _BUSY or str(document.get("type", "")).endswith(_NOT_YET)


@cache
def _authorities(*_places: str | None) -> ssl.SSLContext:
    """Read the authorities that are trusted, once for all clients of a process: it takes thirty milliseconds."""
    return httpx.create_ssl_context()


class Channel:
    """Sends calls to one origin and nowhere else: no redirect is followed, no body past the limit is read.

    Each byte is waited for a bounded time, and a body only until the deadline. A gateway that drips its *headers* byte
    by byte could still hold an attempt past the deadline: httpx offers no bound over all of them together.
    """

    def __init__(self, origin: str, *, patience: Patience, time: Time, http: httpx.Client | None = None) -> None:
        self.origin = _require_origin(origin)
        self.time = time
        self._patience = patience
        self._http = http or httpx.Client(
            follow_redirects=False, verify=_authorities(*map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")))
        )

    def close(self) -> None:
        self._http.close()

    def deadline(self) -> Deadline:
        return Deadline(self._patience.total_seconds, self.time)

    def send(self, make: Callable[[], Call], deadline: Deadline, into: BinaryIO | None = None) -> Reply:
        """Send until an answer comes that settles the matter, pausing as Retry-After says.

        Args:
            make: builds the call anew for each attempt, because a proof of possession serves once.
            deadline: of all attempts.
            into: where the body of a success goes, however large and however long it takes, instead of into the
                answer; written from its beginning.

        Returns:
            The answer; a last «come back later» too, where coming back would end past the deadline.

        Raises:
            UnreachableError: no attempt was answered.
        """
        tries = self._patience.tries
        for attempt in range(tries):
            call = make()
            reply: Reply | None = None
            fault = "no time left"
            try:
                reply = self._once(call, deadline, into)
            except httpx.RequestError as error:
                fault = f"{type(error).__name__}: {error}"
            pause = back_off_seconds(attempt)
            if reply is not None:
                if not reply.asks_for_patience:
                    return reply
                asked = reply.retry_after_seconds(self.time.now())
                pause = pause if asked is None else asked
            if attempt + 1 < tries and deadline.sleep(pause):
                continue
            if reply is not None:
                return reply
            raise UnreachableError(f"no answer from {call.url} after {attempt + 1} attempts ({fault})")
        raise AssertionError("a call has at least one attempt")

    def get_json(self, url: str, deadline: Deadline) -> dict[str, Json]:
        """Fetch a public JSON document."""
        reply = self.get(url, deadline)
        return reply.json()

    def get(self, url: str, deadline: Deadline) -> Reply:
        """Fetch a public document.

        Raises:
            ProblemError: the answer is not 200.
        """
        reply = self.send(lambda: Call("GET", url, {}), deadline)
        if reply.status != _OK:
            raise reply.problem(self.time.now())
        return reply

    def _once(self, call: Call, deadline: Deadline, into: BinaryIO | None) -> Reply:
        left = deadline.seconds_left
        if left <= 0:
            raise httpx.ReadTimeout("the time for this call is over")
        timeout = httpx.Timeout(
            min(self._patience.read_seconds, left), connect=min(self._patience.connect_seconds, left)
        )
        request = self._http.build_request(
            call.method, call.url, headers={**_ACCEPT, **call.headers}, content=call.content, timeout=timeout
        )
        response = self._http.send(request, stream=True)
        try:
            if into is not None and response.status_code == _OK:
                into.seek(0)
                into.truncate()
                for chunk in response.iter_raw(65_536):
                    into.write(chunk)
                return Reply(response.status_code, response.headers, b"", call.url)
            body = bytearray()
            for chunk in response.iter_raw(65_536):
                body += chunk
                if len(body) > self._patience.body_bytes:
                    raise MalformedAnswerError(f"{call.url} answered with more than {self._patience.body_bytes} bytes")
                if deadline.seconds_left <= 0:
                    raise httpx.ReadTimeout("the time for this call was over before the answer was complete")
        finally:
            response.close()
        return Reply(response.status_code, response.headers, bytes(body), call.url)


def _require_origin(text: str) -> str:
    """Take `https://host[:port]`, or http on loopback, without a trailing slash.

    Raises:
        AddressError: anything else; tokens and requests never travel in the clear.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressError(f"{text!r} is no address: {error}") from error
    origin = text.removesuffix("/")
    bare = parts.path in {"", "/"} and not parts.query and not parts.fragment and "@" not in parts.netloc
    known = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    if not (bare and known and host and (port is None or port > 0)):
        raise AddressError(f"{text!r} is not the address of a gateway")
    return origin
