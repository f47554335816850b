"""The one table that turns errors into problem documents (RFC 9457), and the pages that explain each kind."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Flask, Response, current_app, g, json, request
from markupsafe import escape
from sqlalchemy.exc import DataError
from uuid6 import uuid7
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

log = structlog.get_logger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its status, a title that never changes, and what the caller can do."""

    status: int
    title: str
    cure: str


PROBLEMS: Mapping[str, Kind] = {
    "invalid-request": Kind(
        400, "The request cannot be read", "Mend the member that `errors` names and send it again."
    ),
    "invalid-signature": Kind(
        400,
        "The signature of the request does not hold",
        "Sign with a key that is registered and live for this client.",
    ),
    "stale-request": Kind(
        400, "The request is too old or from the future", "Set the clock, then sign a new request with a new `jti`."
    ),
    "not-signed-in": Kind(401, "Nobody is signed in", "Sign in at /sign-in."),
    "unauthenticated": Kind(
        401, "No valid access token", "Get a token at /oauth/token and prove possession of its key (DPoP)."
    ),
    "insufficient-scope": Kind(
        403, "The token's scope does not suffice", "Ask for a token with the scope named in WWW-Authenticate."
    ),
    "denied": Kind(
        403,
        "The policy does not release this",
        "See `withheld` and the reason; another purpose, case or approval may change it.",
    ),
    "not-allowed": Kind(
        403,
        "Your roles or your agency do not allow this",
        "Ask an administrator for the role, or a colleague who has it.",
    ),
    "officer-excluded": Kind(
        403, "You may not decide on this request", "Another officer of the holder has to: nobody decides on their own."
    ),
    "own-change": Kind(403, "Nobody reviews their own change", "Another approver has to, who wrote no part of it."),
    "purpose-outside-token": Kind(
        403,
        "The request is outside the token's purpose",
        "Get a token for this purpose, or sign the request for the token's.",
    ),
    "not-found": Kind(404, "There is nothing at this address", "Check the address; /docs lists those that exist."),
    "no-information": Kind(
        404, "No information", "Either there is no such record or you may not learn whether there is."
    ),
    "method-not-allowed": Kind(405, "This address does not take that method", "Use one of the methods in `Allow`."),
    "not-acceptable": Kind(
        406, "It has no form that you accept", "Ask without an Accept header: every answer has a form in JSON."
    ),
    "in-flight": Kind(409, "The same request is being answered", "Wait as Retry-After says, then look at Location."),
    "illegal-transition": Kind(
        409, "It is not in a state that allows this", "Look at it again: it was decided, withdrawn, void or expired."
    ),
    "jti-reused": Kind(
        409, "Another request with this `jti` exists", "Make a new `jti` for each request; repeat only the same bytes."
    ),
    "not-yet-provable": Kind(
        409,
        "The evidence is not complete yet",
        "Witnesses or the time-stamp authority are still to confirm it: ask again as Retry-After says.",
    ),
    "older-revision": Kind(
        409, "A later version of this record was taken before", "Send the version that is true now; `as_of` says when."
    ),
    "contradictory-revision": Kind(
        409, "Another version with the same `as_of` was taken before", "Send what is true with a later `as_of`."
    ),
    "base-moved": Kind(
        409,
        "Other policies came into force meanwhile",
        "Take the change over to what is in force now (`rebase`), collect evidence and ask for review again.",
    ),
    "evidence-changed": Kind(
        409, "The evidence is not the one you saw", "Look at the change again; what was said before counts no longer."
    ),
    "already-exists": Kind(409, "It exists already", "Choose another name or change the one that exists."),
    "link-spent": Kind(
        410, "This link does not work any more", "It was used or has expired: ask an administrator for a new one."
    ),
    "answer-gone": Kind(
        410,
        "The answer is given out no more",
        "It was erased, or called back by the holder. The receipt stays readable; ask again with a new request.",
    ),
    "stale-version": Kind(
        412, "It was changed since you read it", "Read it again and send the version of its `ETag` in If-Match."
    ),
    "too-large": Kind(413, "The body is too large", "Send at most the size in `detail`."),
    "unsupported-media-type": Kind(415, "The body is not of the type taken here", "Send the media type in `detail`."),
    "invalid-field": Kind(422, "A member of the request cannot be taken", "Mend the members that `errors` names."),
    "precondition-required": Kind(
        428, "Say which version you have seen", "Send the `ETag` of what you read in If-Match."
    ),
    "quota-exhausted": Kind(
        429, "The quota is used up", "Wait as Retry-After says, or ask the operator of the gateway for a larger one."
    ),
    "too-many-requests": Kind(429, "Too many requests", "Wait as Retry-After says."),
    "no-container": Kind(
        501,
        "This gateway makes no signed containers",
        "Take the plain bundle; the operator sets IPX_CONTAINER_KEY and IPX_CONTAINER_CERTIFICATE for the other.",
    ),
    "internal": Kind(500, "A fault of this gateway", "Report the trace id to the operator; nothing was released."),
    "upstream-failed": Kind(
        502,
        "The identity provider could not be believed",
        "Sign in again, or in another way; the operator can see why.",
    ),
    "holder-failed": Kind(
        502, "The holder's system answered badly", "Ask again later with a new `jti`; the receipt proves the attempt."
    ),
    "log-unavailable": Kind(
        503, "The evidence log cannot be written", "Nothing was released; repeat as Retry-After says."
    ),
    "key-unavailable": Kind(
        503,
        "A signing key cannot be used",
        "Nothing leaves unsigned, nothing was released; the operator has been told.",
    ),
    "evidence-overdue": Kind(
        503,
        "Time-stamps of the evidence are overdue",
        "Nothing was asked of anybody; the operator has been told. Ask again later with a new `jti`.",
    ),
    "store-unavailable": Kind(
        503, "The database is not available", "Nothing was released; repeat as Retry-After says."
    ),
    "interrupted": Kind(503, "The exchange was interrupted here", "Nothing was released; ask again with a new `jti`."),
    "policy-unavailable": Kind(
        503, "The policy could not be decided", "Nothing was released; the operator has been told."
    ),
    "holder-timeout": Kind(504, "The holder's system did not answer in time", "Ask again later with a new `jti`."),
}

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
    if "trace_id" not in g:
        given = request.headers.get("X-Request-Id", "")
        g.trace_id = given if REQUEST_ID.fullmatch(given) else uuid7().hex
    return str(g.trace_id)


def install(app: Flask, origin: str) -> None:
    """Let every error of this application end in a problem document."""

    @app.before_request
    def _origin() -> None:
        g.origin = origin
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
        response.headers["X-Request-Id"] = trace_id()
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
