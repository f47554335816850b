"""One HTTP call: bounded in time and bytes while it streams, never redirected, told apart by why it failed.

Not httpx, which logs whole addresses and follows the environment's proxies; its engine, httpcore, does neither.
"""

import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

import httpcore

from connectors.deadline import Deadline
from connectors.errors import ConnectorError
from connectors.kinds.http_wire import ForbiddenAddressError, Wire, ending_by
from connectors.protocol import FailReason

_GZIP_OR_ZLIB = 47  # zlib: 32 + 15, the header says which of the two it is
CONNECTIONS = 16


class CallFailedError(ConnectorError):
    """A call that brought nothing to be used. The message is for operators and holds no address and no secret."""

    def __init__(self, reason: FailReason, said: str, retry_after: timedelta | None = None) -> None:
        super().__init__(said)
        self.reason = reason
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class HttpLimits:
    connect_seconds: float = 3
    read_seconds: float = 10
    total_seconds: float = 20
    body_bytes: int = 8_000_000
    tries: int = 3
    rows: int = 1000
    pages: int = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """`url` may hold a key and is never printed."""

    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    method: Literal["GET", "POST"] = "GET"
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """By name in lower case; a header that came several times stands joined by commas."""
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class HttpCaller:
    def __init__(
        self,
        limits: HttpLimits,
        *,
        private: bool,
        tls: ssl.SSLContext | None = None,
        wire: httpcore.NetworkBackend | None = None,
    ) -> None:
        """Open a pool.

        Args:
            limits: of every call.
            private: whether addresses of private networks may be called.
            tls: trusted authorities, and this side's certificate where the peer asks for one.
            wire: for dry runs that play a fault.
        """
        self._limits = limits
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls or ssl.create_default_context(),
            max_connections=CONNECTIONS,
            keepalive_expiry=15,
            network_backend=wire or Wire(private=private),
        )

    def send(self, call: Call, deadline: Deadline) -> Answer:
        """Send, and read the whole answer.

        Raises:
            CallFailedError: `timeout`, `unreachable`, or `bad_answer` for a body beyond the limits.
        """
        bounded = deadline.at_most(self._limits.total_seconds)
        timeouts = {
            "connect": self._limits.connect_seconds,
            "read": self._limits.read_seconds,
            "write": self._limits.read_seconds,
            "pool": max(0.001, bounded.remaining_seconds),
        }
        headers = [("Accept-Encoding", "gzip"), ("User-Agent", "ipx-gateway"), *call.headers]
        try:
            with (
                ending_by(bounded),
                self._pool.stream(
                    call.method,
                    call.url,
                    headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in headers],
                    content=call.body or None,
                    extensions={"timeout": timeouts},
                ) as response,
            ):
                headers_in = _headers(response)
                coding = headers_in.get("content-encoding", "").strip().lower()
                return Answer(response.status, headers_in, self._body(response, coding, bounded))
        except ForbiddenAddressError as error:
            raise CallFailedError(FailReason.MISCONFIGURED, str(error)) from error
        except httpcore.TimeoutException as error:
            raise CallFailedError(FailReason.TIMEOUT, type(error).__name__) from error
        except httpcore.LocalProtocolError as error:
            # Its message repeats the header that cannot be sent (a line feed after a key), which may be a secret.
            raise CallFailedError(FailReason.MISCONFIGURED, "a header that cannot be sent") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise CallFailedError(FailReason.UNREACHABLE, f"{type(error).__name__}: {error}") from error
        except UnicodeEncodeError as error:
            raise CallFailedError(FailReason.UNSUPPORTED, "a header cannot carry that value") from error

    def close(self) -> None:
        self._pool.close()

    def _body(self, response: httpcore.Response, coding: str, deadline: Deadline) -> bytes:
        if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise CallFailedError(FailReason.BAD_ANSWER, "a content encoding that was not asked for")
        inflate = zlib.decompressobj(_GZIP_OR_ZLIB) if coding not in ("", "identity") else None
        whole = bytearray()
        most = self._limits.body_bytes
        for chunk in response.iter_stream():
            if deadline.is_past:
                raise CallFailedError(FailReason.TIMEOUT, "the answer came too slowly")
            try:
                # At most one byte more than allowed is ever unpacked, however small the bomb is packed.
                whole += inflate.decompress(chunk, most + 1 - len(whole)) if inflate else chunk
            except zlib.error as error:
                raise CallFailedError(FailReason.BAD_ANSWER, "the body is no gzip") from error
            if len(whole) > most:
                raise CallFailedError(FailReason.BAD_ANSWER, f"the body has more than {most} bytes")
        if inflate is not None and not inflate.eof and whole:
            raise CallFailedError(FailReason.UNREACHABLE, "the packed body was cut off")
        return bytes(whole)


def _headers(response: httpcore.Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
