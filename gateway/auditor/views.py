"""`/v1/audit`: what an auditor's own programs may find, open, take out and keep under a name."""

import svcs
from flask import Blueprint, Response, request
from marshmallow import RAISE, Schema, ValidationError, fields

from gateway.auditor import decision_views, export, flag_views, log_views, recall_views, report_views, subject_views
from gateway.auditor.calls import answer, answer_file, asked_scope, given_parameters, listed, page_asked
from gateway.auditor.filters import act_filter, exchange_filter
from gateway.auditor.handing_out import evidence_file
from gateway.auditor.indexing import Indexer
from gateway.auditor.looking import Looks
from gateway.auditor.one_exchange import ExchangeReader
from gateway.auditor.saved import SavedSearches
from gateway.auditor.scope import Scope
from gateway.auditor.search import Search
from gateway.errors import Fault, InvalidInputError
from gateway.exchange.schemas import faults_of
from gateway.policy_api.callers import once
from ipx.errors import FormatError
from ipx.jws import parse_object


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
    decision_views.add_to(audit)
    flag_views.add_to(audit)
    log_views.add_to(audit)
    recall_views.add_to(audit)
    report_views.add_to(audit)
    subject_views.add_to(audit)
    return audit


def exchanges() -> Response:
    """Find exchanges, newest first, a page at a time, with the true number of all that match."""
    scope = asked_scope()
    given, limit, after = page_asked("exchanges", scope)
    wanted = exchange_filter(given)
    page = svcs.flask.get(Search).exchanges(scope, wanted, after=after, limit=limit)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "exchanges", wanted.parameters(), page.total)
    reaches = svcs.flask.get(Indexer).reaches()
    return listed("exchanges", scope, given, page, indexed_to=reaches)


def acts() -> Response:
    """Find administrative acts, sign-ins and refusals, as `exchanges`."""
    scope = asked_scope()
    given, limit, after = page_asked("acts", scope)
    wanted = act_filter(given)
    page = svcs.flask.get(Search).acts(scope, wanted, after=after, limit=limit)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "acts", wanted.parameters(), page.total)
    return listed("acts", scope, given, page)


def exchange(exchange_id: str) -> Response:
    """Show one exchange: steps, request, receipt, proof made anew, what else there was about the same things."""
    scope = asked_scope()
    found = svcs.flask.get(ExchangeReader).read(scope, exchange_id)
    svcs.flask.get(Looks).opened(scope, exchange_id)
    return answer(found.document())


def bundle(exchange_id: str) -> Response:
    """Give all that proves one exchange, as its parties get it; taking it out is itself logged."""
    scope = asked_scope()
    return evidence_file(scope, exchange_id, given_parameters("format").get("format", "zip"))


def export_exchanges() -> Response:
    """Stream every exchange that matches, however many; the export is logged before its first line leaves."""
    return answer_file(
        "exchanges",
        exchange_filter,
        lambda scope, wanted: (one.document() for one in svcs.flask.get(Search).every_exchange(scope, wanted)),
        export.EXCHANGES,
    )


def export_acts() -> Response:
    """Stream every act that matches, as `export_exchanges`."""
    return answer_file(
        "acts",
        act_filter,
        lambda scope, wanted: (one.document() for one in svcs.flask.get(Search).every_act(scope, wanted)),
        export.ACTS,
    )


def searches() -> Response:
    """List saved searches: one's own, and those shared by auditors of the same agency."""
    return answer({"items": [saved.document() for saved in svcs.flask.get(SavedSearches).list(asked_scope())]})


def save() -> Response:
    """Keep a search under a name."""
    scope = asked_scope()
    return once(scope, lambda: _kept(scope))


def _kept(scope: Scope) -> Response:
    try:
        said = SavedSchema().load(parse_object(request.get_data(cache=False)))
    except FormatError as error:
        raise InvalidInputError([Fault("", "malformed", str(error))], slug="invalid-request") from error
    except ValidationError as error:
        raise InvalidInputError(faults_of(error)) from error
    kept = svcs.flask.get(SavedSearches).save(
        scope, said["name"], said["kind"], said["query"], is_shared=said["shared"]
    )
    return answer(kept.document(), 201)


def forget(saved_id: str) -> Response:
    """Delete a saved search of one's own."""
    svcs.flask.get(SavedSearches).delete(asked_scope(), saved_id)
    return Response(status=204)
