"""Kind `office`: a patent office's public service, whose requests the office's kept client library writes.

The library never gets to the network: what it would send is taken from it and goes the way of every API call, with its
deadline, limits, judged addresses, tokens, throttle and verdicts. The service's own rules stand here; the source file
may replace each of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import httpcore

from connectors.errors import SourceFault, SourceFileError
from connectors.formats.document import Limits
from connectors.kinds import rest
from connectors.kinds.http_caller import Call, CallFailedError
from connectors.kinds.rest_paging import Ask
from connectors.kinds.rest_reach import PLACE, UNFIT_IN_PATH, Action
from connectors.mapping import RecordMapping
from connectors.protocol import FailReason
from connectors.references import Resolver


@dataclass(frozen=True, slots=True)
class Request:
    """What a library would send. Its credentials are not among it."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Service(Protocol):
    """One office's library."""

    OPERATIONS: Mapping[str, frozenset[str]]
    """By operation, the arguments it takes."""
    SEARCHES: frozenset[str]
    """Operations whose arguments are expressions of a query language, not numbers that go into an address."""

    def preset(self, reach: Mapping[str, Any]) -> dict[str, Any]:
        """Give the service's own `reach`, for the credentials and the address that a source file names."""
        ...

    def request(self, base: str, operation: str, arguments: Mapping[str, str]) -> Request:
        """Let the library write one request.

        Raises:
            ValueError: it refuses an argument.
        """
        ...


@dataclass(frozen=True, slots=True)
class OfficeAction:
    """One operation of a service with its arguments."""

    service: Service = field(repr=False)
    operation: str
    arguments: Mapping[str, str]

    @property
    def places(self) -> frozenset[str]:
        return frozenset(name for text in self.arguments.values() for name in PLACE.findall(text))

    def call(self, base: str, values: Mapping[str, str], ask: Ask) -> Call:
        given = {
            name: PLACE.sub(lambda match: values[match[1]], text)
            for name, text in self.arguments.items()
            if all(place in values for place in PLACE.findall(text))
        }
        is_number = self.operation not in self.service.SEARCHES
        if is_number and any(UNFIT_IN_PATH.search(value) for value in given.values()):
            raise CallFailedError(FailReason.UNSUPPORTED, "a key that cannot be put into this address")
        try:
            request = self.service.request(base, self.operation, given)
        except (ValueError, TypeError) as error:
            raise CallFailedError(
                FailReason.UNSUPPORTED, f"the library refuses the arguments: {type(error).__name__}"
            ) from error
        if not request.url.startswith(f"{base}/"):
            raise CallFailedError(FailReason.MISCONFIGURED, "the library would call another address")
        headers = [pair for pair in request.headers if pair[0].lower() not in {name.lower() for name, _ in ask.headers}]
        return Call(
            _with_query(request.url, ask.query),
            (*headers, *ask.headers),
            "POST" if request.method == "POST" else "GET",
            request.body,
        )


def open_connector(
    mapping_of: Callable[[Limits], RecordMapping],
    reach: Mapping[str, Any],
    resolver: Resolver,
    clock: Callable[[], datetime],
    wire: httpcore.NetworkBackend | None = None,
) -> tuple[rest.RestConnector, RecordMapping]:
    """Open a service. Nothing is called yet.

    Raises:
        SourceFileError: an operation or argument that the library does not have, or a rule that cannot be used.
    """
    service: Service = import_module(f"connectors.kinds.office_{reach['service'].partition('-')[0]}").SERVICE
    whole = {**service.preset(reach), **reach}

    def action(document: Mapping[str, Any]) -> Action:
        name, arguments = document["operation"], dict(document.get("arguments", {}))
        if name not in service.OPERATIONS:
            known = ", ".join(sorted(service.OPERATIONS))
            raise SourceFileError([SourceFault("/reach", f"no operation {name}; there are: {known}")])
        unknown = sorted(arguments.keys() - service.OPERATIONS[name])
        if unknown:
            raise SourceFileError([SourceFault("/reach", f"{name} takes no argument {unknown[0]}")])
        return OfficeAction(service, name, arguments)

    return rest.open_connector(mapping_of, whole, resolver, clock, wire, action)


def _with_query(url: str, query: tuple[tuple[str, str], ...]) -> str:
    """Put parameters into an address, in place of those of the same name."""
    if not query:
        return url
    parts = urlsplit(url)
    ours = {name for name, _ in query}
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in ours]
    text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in (*kept, *query))
    return urlunsplit((*parts[:3], text, ""))
