"""How a list tells where it goes on: `Link: rel="next"` (RFC 8288), with the parameters of the page before."""

from urllib.parse import urlencode

from flask import Response, request


def link_next(response: Response, parameter: str, onward: str | None) -> Response:
    """Add the address of the next page, where there is one."""
    if onward is not None:
        query = urlencode({**request.args, parameter: onward})
        response.headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return response
