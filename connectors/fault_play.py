"""Playing a source's faults in a dry run: what the real API does on its bad days, without waiting for one.

The network is replaced by a few bytes; everything above it is what runs in service. Whatever the fault is, the outcome
must be a failure: never a record, never the statement that there is none.
"""

import gzip
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpcore

from connectors.deadline import Deadline
from connectors.errors import SourceFault, SourceFileError
from connectors.mapping_packs import Shelf, shipped
from connectors.protocol import Absent, Changes, Failed, Found, Page, RecordKey
from connectors.row_filter import EVERYTHING
from connectors.source_file import read_source
from connectors.sources import OpenSource, open_source
from connectors.tools import MappingTools

PLAY_SECONDS = 2.0
SOME_KEY = RecordKey("1")


@dataclass(frozen=True, slots=True)
class Played:
    """What a source made of one fault. `is_right`: it failed, as it must."""

    fault: str
    operation: str
    outcome: str
    is_right: bool


def _reply(status: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    own = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(own).encode("latin-1") + body


_JSON = "Content-Type: application/json"


def _gzip_bomb() -> bytes:
    return _reply("200 OK", gzip.compress(b" " * 40_000_000), _JSON, "Content-Encoding: gzip")


FAULTS: Mapping[str, bytes | Callable[[], bytes] | None] = {
    "429": _reply("429 Too Many Requests", b"{}", _JSON, "Retry-After: 60"),
    "403": _reply("403 Forbidden", b"{}", _JSON, "X-Rejection-Reason: IndividualQuotaPerHour"),
    "500": _reply("500 Internal Server Error", b"{}", _JSON),
    "error-in-200": _reply("200 OK", b'{"error": "this is no record"}', _JSON),
    "login-page": _reply("200 OK", b"<html><form>sign in</form></html>", "Content-Type: text/html"),
    "redirect": _reply("302 Found", b"", "Location: https://elsewhere.example/"),
    "no-headers": b"",
    "cut": _reply("200 OK", b'{"cut', _JSON, length=5000),
    "gzip-bomb": _gzip_bomb,  # takes a while to make
    "wrong-charset": _reply("200 OK", b'{"name": "D\xfcsseldorf"}', _JSON),
    "duplicate-key": _reply("200 OK", b'{"a": 1, "a": 2}', _JSON),
    "slow-drip": None,
}
"""By name, what comes over the wire; None: a byte now and then, until the time is over."""

_TOKEN = json.dumps({"access_token": "played", "expires_in": 3600, "token_type": "Bearer"}).encode()


class _PlayedStream(httpcore.NetworkStream):
    def __init__(self, fault: bytes | None) -> None:
        self._fault = fault
        self._asked = b""
        self._left: bytes | None = None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        if self._left == b"":  # the next request on the same connection
            self._left = None
        self._asked += buffer

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        if self._left is None:
            wants_token = self._asked.startswith(b"POST") and b"grant_type" in self._asked
            answer = _reply("200 OK", _TOKEN, _JSON) if wants_token else self._fault
            if answer is None:
                raise httpcore.ReadTimeout("the drip has outlasted the call")
            self._left, self._asked = answer, b""
        part, self._left = self._left[:max_bytes], self._left[max_bytes:]
        return part

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        del ssl_context, server_hostname, timeout
        return self

    def close(self) -> None:
        pass

    def get_extra_info(self, info: str) -> Any:
        del info


class _PlayedWire(httpcore.NetworkBackend):
    def __init__(self, fault: bytes | None) -> None:
        self._fault = fault

    def connect_tcp(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        return _PlayedStream(self._fault)


def play(
    text: str,
    names: list[str],
    *,
    secrets: Mapping[str, str],
    variables: Mapping[str, str],
    tools: MappingTools,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    shelf: Shelf = shipped,
) -> list[Played]:
    """Play faults to a source; nothing is sent anywhere.

    Args:
        text: the source file.
        names: of `FAULTS`, or `all`.
        secrets: as `open_source` takes them.
        variables: as `open_source` takes them.
        tools: as `open_source` takes them.
        clock: gives the present instant.
        shelf: where packs are looked up.

    Raises:
        SourceFileError: the file is wrong, of a kind that is no API, or a fault that does not exist.
    """
    file = read_source(text, shelf)
    if file.kind not in ("rest", "soap", "office"):
        raise SourceFileError([SourceFault("/source/kind", "faults are played to rest, soap and office sources only")])
    wanted = list(FAULTS) if "all" in names else names
    unknown = [name for name in wanted if name not in FAULTS]
    if unknown:
        raise SourceFileError([SourceFault("", f"no fault {unknown[0]}; there are: {', '.join(FAULTS)}, all")])
    played = []
    for name in wanted:
        fault = FAULTS[name]
        source = open_source(
            file,
            secrets=secrets,
            variables=variables,
            tools=tools,
            clock=clock,
            wire=_PlayedWire(fault() if callable(fault) else fault),
        )
        try:
            played.append(_played(name, source))
        finally:
            source.close()
    return played


def _played(name: str, source: OpenSource) -> Played:
    operations = source.connector.capabilities().operations
    deadline = Deadline.within(PLAY_SECONDS)
    operation = next(one for one in ("fetch", "search", "changes") if one in operations)
    answer: Found | Absent | Page | Changes | Failed
    match operation:
        case "fetch":
            answer = source.connector.fetch(SOME_KEY, deadline)
        case "search":
            answer = source.connector.search(EVERYTHING, None, deadline)
        case _:
            answer = source.connector.changes(None, deadline)
    if not isinstance(answer, Failed):
        return Played(name, operation, type(answer).__name__.lower(), is_right=False)
    wait = f", ask again in {answer.retry_after.total_seconds():.0f} s" if answer.retry_after else ""
    return Played(name, operation, f"{answer.reason}{wait}", is_right=True)


def render_played(played: list[Played]) -> str:
    """Write one line a fault."""
    width = max(len(one.fault) for one in played)
    lines = [
        f"{'ok ' if one.is_right else 'BAD'}  {one.fault.ljust(width)}  {one.operation} → {one.outcome}"
        for one in played
    ]
    return "\n".join(lines) + "\n"
