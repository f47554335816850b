"""Answers for programs: JSON as it is sent and kept where no signature is over it, in a response that is ready."""

from collections.abc import Mapping
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

    def get_wsgi_headers(self, environ: Any) -> Headers:
        """Give the headers themselves; a status without a body needs Werkzeug's copy."""
        return super().get_wsgi_headers(environ) if self.status_code in NO_BODY else self.headers
