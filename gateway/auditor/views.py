"""`/v1/audit`: what an auditor's own programs may find, open, take out and keep under a name."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import svcs
from flask import Blueprint, Response, request
from marshmallow import RAISE, Schema, ValidationError, fields

from gateway.auditor import export
from gateway.auditor.filters import act_filter, exchange_filter
from gateway.auditor.handing_out import evidence_file, list_file, list_of
from gateway.auditor.indexing import Indexer
from gateway.auditor.looking import Looks
from gateway.auditor.one_exchange import ExchangeReader
from gateway.auditor.saved import SavedSearches
from gateway.auditor.scope import OWN, Scope, of_caller
from gateway.auditor.search import MOST_ROWS, PAGE_ROWS, Page, Search
from gateway.errors import Fault, InvalidInputError
from gateway.exchange.schemas import faults_of
from gateway.oauth.guard import Guard
from gateway.web.cursors import Cursors
from ipx.errors import FormatError
from ipx.jws import parse_object

_PAGING: Final = ("limit", "cursor")
_FILE: Final = ("format", "mark")


class SavedSchema(Schema):
    """A search to be saved."""

    class Meta:  # noqa: D106  (marshmallow's own place for options)
        unknown = RAISE

    name = fields.String(required=True)
    kind = fields.String(load_default="exchanges")
    query = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    shared = fields.Boolean(load_default=False)


def blueprint() -> Blueprint:
    audit = Blueprint("audit", __name__, url_prefix="/v1/audit")
    audit.add_url_rule("/exchanges", view_func=exchanges)
    audit.add_url_rule("/exchanges/export", view_func=export_exchanges)
    audit.add_url_rule("/exchanges/<exchange_id>", view_func=exchange)
    audit.add_url_rule("/exchanges/<exchange_id>/bundle", view_func=bundle)
    audit.add_url_rule("/acts", view_func=acts)
    audit.add_url_rule("/acts/export", view_func=export_acts)
    audit.add_url_rule("/searches", view_func=searches)
    audit.add_url_rule("/searches", view_func=save, methods=["POST"])
    audit.add_url_rule("/searches/<saved_id>", view_func=forget, methods=["DELETE"])
    return audit


def exchanges() -> Response:
    """Find exchanges, newest first, a page at a time, with the true number of all that match."""
    scope = _scope()
    given, limit, after = _page_asked("exchanges", scope)
    wanted = exchange_filter(given)
    page = svcs.flask.get(Search).exchanges(scope, wanted, after=after, limit=limit)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "exchanges", wanted.parameters(), page.total)
    reaches = svcs.flask.get(Indexer).reaches()
    return _listed("exchanges", scope, given, page, indexed_to=reaches)


def acts() -> Response:
    """Find administrative acts, sign-ins and refusals, as `exchanges`."""
    scope = _scope()
    given, limit, after = _page_asked("acts", scope)
    wanted = act_filter(given)
    page = svcs.flask.get(Search).acts(scope, wanted, after=after, limit=limit)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "acts", wanted.parameters(), page.total)
    return _listed("acts", scope, given, page)


def exchange(exchange_id: str) -> Response:
    """Show one exchange: steps, request, receipt, proof made anew, what else there was about the same things."""
    scope = _scope()
    found = svcs.flask.get(ExchangeReader).read(scope, exchange_id)
    svcs.flask.get(Looks).opened(scope, exchange_id)
    return _answer(found.document())


def bundle(exchange_id: str) -> Response:
    """Give all that proves one exchange, as its parties get it; taking it out is itself logged."""
    scope = _scope()
    return evidence_file(scope, exchange_id, _given("format").get("format", "zip"))


def export_exchanges() -> Response:
    """Stream every exchange that matches, however many; the export is logged before its first line leaves."""
    scope = _scope()
    given = _given(None, without=_PAGING)
    wanted = exchange_filter({name: value for name, value in given.items() if name not in _FILE})
    found = svcs.flask.get(Search).every_exchange(scope, wanted)
    return _file("exchanges", scope, given, wanted.parameters(), (one.document() for one in found), export.EXCHANGES)


def export_acts() -> Response:
    """Stream every act that matches, as `export_exchanges`."""
    scope = _scope()
    given = _given(None, without=_PAGING)
    wanted = act_filter({name: value for name, value in given.items() if name not in _FILE})
    found = svcs.flask.get(Search).every_act(scope, wanted)
    return _file("acts", scope, given, wanted.parameters(), (one.document() for one in found), export.ACTS)


def searches() -> Response:
    """List saved searches: one's own, and those shared by auditors of the same agency."""
    return _answer({"items": [saved.document() for saved in svcs.flask.get(SavedSearches).list(_scope())]})


def save() -> Response:
    """Keep a search under a name."""
    scope = _scope()
    try:
        said = SavedSchema().load(parse_object(request.get_data(cache=False)))
    except FormatError as error:
        raise InvalidInputError([Fault("", "malformed", str(error))], slug="invalid-request") from error
    except ValidationError as error:
        raise InvalidInputError(faults_of(error)) from error
    kept = svcs.flask.get(SavedSearches).save(
        scope, said["name"], said["kind"], said["query"], is_shared=said["shared"]
    )
    return _answer(kept.document(), 201)


def forget(saved_id: str) -> Response:
    """Delete a saved search of one's own."""
    svcs.flask.get(SavedSearches).delete(_scope(), saved_id)
    return Response(status=204)


def _scope() -> Scope:
    return of_caller(svcs.flask.get(Guard).authenticate(request, OWN))


def _given(*names: str | None, without: tuple[str, ...] = ()) -> dict[str, str]:
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


def _page_asked(kind: str, scope: Scope) -> tuple[dict[str, str], int, int | None]:
    """Take the filter of a list, the size of its page, and where that begins."""
    given = _given()
    limit, cursor = given.pop("limit", str(PAGE_ROWS)), given.pop("cursor", None)
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= MOST_ROWS):
        raise InvalidInputError([Fault("/limit", "limit", f"1 to {MOST_ROWS}")], slug="invalid-request")
    after = None if cursor is None else svcs.flask.get(Cursors).read(cursor, list_of(kind, scope, given))
    return given, int(limit), after


def _listed(kind: str, scope: Scope, given: Mapping[str, str], page: Page[Any], **more: Any) -> Response:
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
    response = _answer(body)
    if onward is not None:
        query = urlencode({**given, "limit": request.args.get("limit", PAGE_ROWS), "cursor": onward})
        response.headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return response


def _file(
    kind: str,
    scope: Scope,
    given: Mapping[str, str],
    wanted: Mapping[str, str],
    rows: Iterator[Mapping[str, Any]],
    columns: tuple[str, ...],
) -> Response:
    form, mark = given.get("format", "ndjson"), given.get("mark") == "yes"
    return list_file(kind, scope, wanted, rows, columns, form, mark=mark)


def _answer(body: Mapping[str, Any], status: int = 200) -> Response:
    response = Response(json.dumps(body, ensure_ascii=False), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
