"""What is left of a caller's limits: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers)."""

from collections.abc import Iterable
from dataclasses import dataclass

from flask import Response


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: so many calls (`quota`) in a window; how many are left until it begins anew."""

    name: str
    quota: int
    window_seconds: int
    left: int
    resets_in_seconds: int


def tell(response: Response, limits: Iterable[Limit]) -> Response:
    """Add both headers, as lists of structured fields (RFC 9651); nothing where no limit applies."""
    told = list(limits)
    if told:
        response.headers["RateLimit-Policy"] = ", ".join(
            f'"{one.name}";q={one.quota};w={one.window_seconds}' for one in told
        )
        response.headers["RateLimit"] = ", ".join(
            f'"{one.name}";r={max(0, one.left)};t={one.resets_in_seconds}' for one in told
        )
    return response
