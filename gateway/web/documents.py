"""Answers for programs: JSON as it is sent and kept where no signature is over it, in a response that is ready."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from flask import Response
from werkzeug.datastructures import Headers

STRICT: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
NO_BODY: Final = frozenset({204, 304})


def json_bytes(value: Any) -> bytes:
    """Write compact JSON in UTF-8.

    Raises:
        TypeError: it holds what is no JSON, dates and data classes among them: those are written by whoever knows them.
    """
    return orjson.dumps(value, default=_mapping, option=STRICT)


def _mapping(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


class Document(Response):
    """A whole answer whose addresses are ASCII: nothing in its headers is looked for or corrected when it is sent."""

    def __init__(
        self, body: bytes, *, status: int = 200, content_type: str, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Take the whole body, and headers that are each given once."""
        length = str(len(body))
        own = Headers([("Content-Type", content_type), ("Content-Length", length), *headers])
        super().__init__(status=status, headers=own)
        self.response = [body]

    def get_wsgi_headers(self, environ: Any) -> Headers:
        """Give the headers themselves; a status without a body needs Werkzeug's copy."""
        return super().get_wsgi_headers(environ) if self.status_code in NO_BODY else self.headers

    def get_app_iter(self, environ: Any) -> Iterable[bytes]:
        """Give the body as it is, where it is sent and nobody is to be told of its end."""
        body = self.response
        if isinstance(body, list) and not self._on_close and self.status_code not in NO_BODY:
            return () if environ["REQUEST_METHOD"] == "HEAD" else body
        return super().get_app_iter(environ)
