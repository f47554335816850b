"""The one table that turns errors into kinds of problems, their documents (RFC 9457), the pages that explain them."""

import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Flask, Response, current_app, g, json, request
from markupsafe import escape
from sqlalchemy.exc import DataError
from werkzeug.exceptions import HTTPException

from gateway.errors import (
    AlreadyExistsError,
    ChangedSinceSeenError,
    Fault,
    GatewayError,
    InvalidInputError,
    SettingsError,
    StoreUnavailableError,
    UnknownError,
)
from gateway.web.current import current_g
from gateway.web.problem_kinds import PROBLEMS

log = structlog.get_logger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


ERRORS: dict[type[GatewayError], str] = {
    SettingsError: "internal",
    UnknownError: "not-found",
    AlreadyExistsError: "already-exists",
    ChangedSinceSeenError: "stale-version",
    InvalidInputError: "invalid-field",
    StoreUnavailableError: "store-unavailable",
}
"""Concrete errors → slug. Slices add their own with `register`; a test proves that none is missing."""

_HTTP = {
    400: "invalid-request",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
}


def register(error: type[GatewayError], slug: str) -> None:
    """Give an error its row; called where a slice defines its errors."""
    if slug not in PROBLEMS:
        raise KeyError(slug)
    ERRORS[error] = slug


def document(slug: str, *, detail: str | None = None, errors: Iterable[Fault] = (), **members: Any) -> dict[str, Any]:
    """Build a problem document; `members` that are None are left out."""
    kind = PROBLEMS[slug]
    body: dict[str, Any] = {
        "type": page_of(slug, g.get("origin", "")),
        "title": kind.title,
        "status": kind.status,
        "detail": detail or kind.cure,
        "trace_id": trace_id(),
    }
    faults = [{"pointer": fault.pointer, "code": fault.code, "detail": fault.detail} for fault in errors]
    if faults:
        body["errors"] = faults
    body.update({name: value for name, value in members.items() if value is not None})
    return body


def page_of(slug: str, origin: str) -> str:
    """Address of the page that explains a kind of problem: its `type`."""
    return f"{origin}/problems/{slug}"


def answer(slug: str, *, headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """Build the whole HTTP answer of a problem."""
    body = document(slug, **members)
    response = Response(json.dumps(body), status=body["status"], content_type="application/problem+json")
    response.headers.update(headers or {})
    response.headers.setdefault("Cache-Control", "no-store")
    if response.status_code == 503:  # noqa: PLR2004
        response.headers.setdefault("Retry-After", "2")
    return response


def trace_id() -> str:
    """The caller's X-Request-Id where it is harmless, else one made here; the same for the whole request."""
    memory = current_g()
    known: str | None = memory.get("trace_id")
    if known is None:
        given = request.headers.get("X-Request-Id", "")
        known = memory.trace_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
    return known


def install(app: Flask, origin: str) -> None:
    """Let every error of this application end in a problem document."""

    @app.before_request
    def _origin() -> None:
        current_g().origin = origin
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(trace_id=trace_id())

    @app.errorhandler(GatewayError)
    def _known(error: GatewayError) -> Response:
        if isinstance(error, InvalidInputError):
            return _told(error.slug, error.faults)
        slug = ERRORS.get(type(error), "internal")
        if PROBLEMS[slug].status >= 500:  # noqa: PLR2004
            log.error("request failed", error=type(error).__name__, reason=str(error), trace_id=trace_id())
        return _told(slug)

    app.register_error_handler(DataError, _no_column_holds_it)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        response = _told(_HTTP.get(error.code or 500, "invalid-request" if (error.code or 500) < 500 else "internal"))  # noqa: PLR2004
        response.status_code = error.code or 500
        for name, value in error.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def _unknown(error: Exception) -> Response:
        log.error("unexpected fault", exc_info=error, error=type(error).__name__, trace_id=trace_id())
        return _told("internal")

    @app.after_request
    def _trace(response: Response) -> Response:
        response.headers.add("X-Request-Id", trace_id())
        return response


def _no_column_holds_it(_error: DataError) -> Response:
    return _told("invalid-request", [Fault("", "value", "a value that no column can hold, such as U+0000")])


Page = Callable[[str, int, Sequence[Fault]], Response]
"""Makes the page of a problem from its slug, status and faults."""


def show_problems_as_pages(app: Flask, is_wanted: Callable[[], bool], page: Page) -> None:
    """Tell problems to people as pages, and to programs as documents."""
    app.extensions["problem_page"] = (is_wanted, page)


def _told(slug: str, faults: Sequence[Fault] = ()) -> Response:
    is_wanted, page = current_app.extensions.get("problem_page", (lambda: False, None))
    if not is_wanted():
        return answer(slug, errors=faults)
    response: Response = page(slug, PROBLEMS[slug].status, faults)
    response.headers["Cache-Control"] = "no-store"
    return response


def pages() -> Blueprint:
    """One short page for each kind of problem, at the address that `type` names."""
    blueprint = Blueprint("problems", __name__, url_prefix="/problems")

    @blueprint.get("/<slug>")
    def page(slug: str) -> Response:
        kind = PROBLEMS.get(slug)
        if kind is None:
            return answer("not-found")
        host = escape(urlsplit(g.origin).netloc)
        html = (
            f'<!doctype html><html lang="en"><title>{escape(kind.title)}</title><main><h1>{escape(kind.title)}</h1>'
            f"<p>HTTP {kind.status} · <code>{escape(slug)}</code> · {host}</p><p>{escape(kind.cure)}</p></main></html>"
        )
        return Response(html, content_type="text/html; charset=utf-8")

    return blueprint
