"""What every call of `/v1/audit` has in common: whose exchanges it may see, its parameters, its pages."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import svcs
from flask import Response, request

from gateway.auditor.filters import AnyFilter
from gateway.auditor.handing_out import list_file, list_of
from gateway.auditor.scope import OWN, Scope, of_caller
from gateway.auditor.search import MOST_ROWS, PAGE_ROWS, Page
from gateway.errors import Fault, InvalidInputError
from gateway.oauth.guard import Guard
from gateway.web.cursors import Cursors

Filter = TypeVar("Filter", bound=AnyFilter)


def asked_scope() -> Scope:
    return of_caller(svcs.flask.get(Guard).authenticate(request, OWN))


def given_parameters(*names: str | None, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Take the parameters of the address, each at most once; with names, only these."""
    known = {name for name in names if name}
    faults = [Fault(f"/{name}", "repeated", "give it once") for name in request.args if _is_repeated(name)]
    faults += [Fault(f"/{name}", "unknown", "no such parameter here") for name in request.args if name in without]
    if known:
        faults += [Fault(f"/{name}", "unknown", "no such parameter") for name in request.args if name not in known]
    if faults:
        raise InvalidInputError(faults, slug="invalid-request")
    return dict(request.args)


def _is_repeated(name: str) -> bool:
    return len(request.args.getlist(name)) > 1


def page_asked(kind: str, scope: Scope) -> tuple[dict[str, str], int, int | None]:
    """Take the filter of a list, the size of its page, and where that begins."""
    given = given_parameters()
    limit, cursor = given.pop("limit", str(PAGE_ROWS)), given.pop("cursor", None)
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= MOST_ROWS):
        raise InvalidInputError([Fault("/limit", "limit", f"1 to {MOST_ROWS}")], slug="invalid-request")
    after = None if cursor is None else svcs.flask.get(Cursors).read(cursor, list_of(kind, scope, given))
    return given, int(limit), after


def listed(kind: str, scope: Scope, given: Mapping[str, str], page: Page[Any], **more: Any) -> Response:
    onward = None
    if page.after is not None:
        onward = svcs.flask.get(Cursors).write(page.after, list_of(kind, scope, given))
    body = {
        "items": [item.document() for item in page.items],
        "total": page.total,
        "next": onward,
        "complete": onward is None,
        **more,
    }
    response = answer(body)
    if onward is not None:
        query = urlencode({**given, "limit": request.args.get("limit", PAGE_ROWS), "cursor": onward})
        response.headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return response


def answer_file(
    kind: str,
    read: Callable[[Mapping[str, str]], Filter],
    rows: Callable[[Scope, Filter], Iterator[Mapping[str, Any]]],
    columns: Sequence[str],
) -> Response:
    """Stream all that the address asks for as a file; the export is logged before its first line leaves.

    Args:
        kind: of what.
        read: reads the filter.
        rows: finds what it matches, within a scope.
        columns: of the table, where one is asked for.
    """
    scope = asked_scope()
    given = given_parameters(None, without=("limit", "cursor"))
    form, mark = given.pop("format", "ndjson"), given.pop("mark", "") == "yes"
    wanted = read(given)
    return list_file(kind, scope, wanted.parameters(), rows(scope, wanted), columns, form, mark=mark)


def answer(body: Mapping[str, Any], status: int = 200) -> Response:
    response = Response(json.dumps(body, ensure_ascii=False), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
