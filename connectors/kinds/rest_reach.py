"""The `reach` part of a source file of kind `rest`, as values: addresses with places for values, limits, TLS."""

import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from connectors.errors import SourceFault, SourceFileError
from connectors.kinds.http_caller import Call, CallFailedError, HttpLimits
from connectors.kinds.rest_paging import Ask
from connectors.protocol import FailReason
from connectors.references import Resolver

PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
UNFIT_IN_PATH = re.compile(r"[/\\\x00-\x1f\x7f]|\.\.|^\.$")
_UNFIT = re.compile(r"[\x00-\x1f\x7f]")


class Action(Protocol):
    """One operation of a source as something that can be sent."""

    @property
    def places(self) -> frozenset[str]:
        """Names of the values that are put into it."""
        ...

    def call(self, base: str, values: Mapping[str, str], ask: Ask) -> Call:
        """Put values in their places.

        Raises:
            CallFailedError: `unsupported`, for a value that does not fit there.
        """
        ...


@dataclass(frozen=True, slots=True)
class Template:
    """`get` and `query` of one operation."""

    path: str
    query: Mapping[str, str]

    def call(self, base: str, values: Mapping[str, str], ask: Ask) -> Call:
        return Call(ask.url or self.filled(base, values, ask.query), ask.headers)

    @property
    def places(self) -> frozenset[str]:
        texts = (self.path, *self.query.values())
        return frozenset(name for text in texts for name in PLACE.findall(text))

    def filled(self, base: str, values: Mapping[str, str], more: Iterable[tuple[str, str]]) -> str:
        """Put values in their places, percent-encoded. A parameter whose value is not given is left out.

        Raises:
            CallFailedError: `unsupported`, for a value that could lead to another address than the one meant.
        """

        def in_path(match: re.Match[str]) -> str:
            value = values.get(match[1], "")
            if not value or UNFIT_IN_PATH.search(value):
                raise CallFailedError(FailReason.UNSUPPORTED, "a key that cannot be put into this address")
            return quote(value, safe="")

        path = PLACE.sub(in_path, self.path)
        pairs = []
        for name, text in self.query.items():
            if all(place in values for place in PLACE.findall(text)):
                value = PLACE.sub(lambda match: values[match[1]], text)
                if _UNFIT.search(value):
                    raise CallFailedError(FailReason.UNSUPPORTED, "a value that cannot be put into this address")
                pairs.append((name, value))
        query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in (*pairs, *more))
        return f"{base}{path}" + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class RestReach:
    base: str
    is_private: bool
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    fetch: Action | None
    search: Action | None
    changes: Action | None
    limits: HttpLimits
    tls: ssl.SSLContext

    @property
    def host(self) -> str:
        return urlsplit(self.base).hostname or ""

    def is_own(self, url: str) -> bool:
        """Whether an address that the source gave lies on the source itself: same scheme, host and port."""
        ours = urlsplit(self.base)
        try:
            theirs = urlsplit(url)
            place = (theirs.scheme, theirs.hostname, theirs.port, theirs.username)
        except ValueError:
            return False
        return place == (ours.scheme, ours.hostname, ours.port, None)


def template(document: Mapping[str, Any]) -> Action:
    return Template(document["get"], dict(document.get("query", {})))


def read_reach(
    reach: Mapping[str, Any], resolver: Resolver, action: Callable[[Mapping[str, Any]], Action] = template
) -> RestReach:
    """Read the `reach` part.

    Args:
        reach: that part.
        resolver: of references.
        action: reads one operation.

    Raises:
        SourceFileError: a reference without value, an address that must not be used, a certificate that cannot be read.
    """
    is_private = reach.get("private", False)
    base = _address(resolver.resolve(reach["base"], "/reach/base"), "/reach/base", is_private=is_private)
    auth = reach.get("auth", {})
    if "token" in auth:
        _address(resolver.resolve(auth["token"], "/reach/auth/token"), "/reach/auth/token", is_private=is_private)
    headers = tuple(
        (name, resolver.resolve(value, f"/reach/headers/{name}")) for name, value in reach.get("headers", {}).items()
    )
    return RestReach(
        base=base.rstrip("/"),
        is_private=is_private,
        headers=headers,
        fetch=action(reach["fetch"]) if "fetch" in reach else None,
        search=action(reach["search"]) if "search" in reach else None,
        changes=action(reach["changes"]) if "changes" in reach else None,
        limits=HttpLimits(**{name: value for name, value in reach.get("limits", {}).items() if name != "redirects"}),
        tls=tls_of(reach.get("tls", {}), resolver),
    )


def _address(text: str, pointer: str, *, is_private: bool) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise SourceFileError([SourceFault(pointer, "is no address")]) from error
    del port
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise SourceFileError([SourceFault(pointer, "must be https://host[:port][/path] and nothing more")])
    if parts.scheme == "http" and not is_private:
        raise SourceFileError([SourceFault(pointer, "http is taken only where /reach/private is true")])
    return text


def tls_of(document: Mapping[str, Any], resolver: Resolver) -> ssl.SSLContext:
    try:
        authority = document.get("authority")
        context = ssl.create_default_context(
            cafile=resolver.resolve(authority, "/reach/tls/authority") if authority else None
        )
        if "certificate" in document:
            context.load_cert_chain(
                resolver.resolve(document["certificate"], "/reach/tls/certificate"),
                resolver.resolve(document["key"], "/reach/tls/key") if "key" in document else None,
                password="",  # a key under a password fails here, it does not ask at the terminal
            )
    except (OSError, ssl.SSLError) as error:
        raise SourceFileError([SourceFault("/reach/tls", "a certificate or key file cannot be read")]) from error
    return context
