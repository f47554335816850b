"""What Flask's proxies stand for: they look it up at every use, these once for whoever uses it several times."""

from collections.abc import Callable
from typing import Any, Final

from flask import Request, g, request

current_request: Final[Callable[[], Request]] = request._get_current_object  # type: ignore[attr-defined]  # noqa: SLF001
current_g: Final[Callable[[], Any]] = g._get_current_object  # noqa: SLF001
