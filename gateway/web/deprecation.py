"""Addresses that will go: each answer says since when they are deprecated, until when they serve, and what follows.

`Deprecation` is RFC 9745, `Sunset` RFC 8594. The table is empty while nothing of `/v1` is to go; docs/versioning.md
says how long a row stands at least.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from flask import Flask, Response, request


@dataclass(frozen=True, slots=True)
class Deprecated:
    """One address that will go.

    Args:
        since: from when on it is deprecated.
        sunset: when it stops to answer.
        guide: the page or address that says what to use instead.
    """

    since: datetime
    sunset: datetime
    guide: str


DEPRECATED: Final[Mapping[str, Deprecated]] = {}
"""By the name of the view, such as `exchanges.look`."""


def install(app: Flask, deprecated: Mapping[str, Deprecated] = DEPRECATED) -> None:
    """Tell every caller of a deprecated address."""

    @app.after_request
    def _tell(response: Response) -> Response:
        if deprecated and (known := deprecated.get(request.endpoint or "")) is not None:
            response.headers["Deprecation"] = f"@{int(known.since.timestamp())}"
            response.headers["Sunset"] = format_datetime(known.sunset.astimezone(UTC), usegmt=True)
            response.headers.add("Link", f'<{known.guide}>; rel="deprecation"; type="text/html"')
        return response
