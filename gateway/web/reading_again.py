"""Whoever reads something again is told that it is the same: `ETag` and 304 (RFC 9110) on every GET of the API."""

from typing import Final

from flask import Flask, Response

from gateway.web.current import current_request

READ: Final = ("/v1/", "/log")
"""Where addresses begin whose answers are compared; what is streamed has no end to compare."""


def install(app: Flask) -> None:
    """Give each answer of these addresses a tag of its bytes, unless its view gave it one of its version."""

    @app.after_request
    def _tag(response: Response) -> Response:
        request = current_request()
        if request.method == "GET" and request.path.startswith(READ) and _is_whole(response):
            response.add_etag()
            response.make_conditional(request)
        return response


def _is_whole(response: Response) -> bool:
    return response.status_code == 200 and not response.is_streamed and not response.direct_passthrough  # noqa: PLR2004
