"""`/v1/exchanges`: asking for a record, looking at an exchange again, its bundle, one's own side of all of them."""

from typing import cast
from urllib.parse import urlencode

import svcs
from flask import Blueprint, Flask, Response, request
from flask.blueprints import BlueprintSetupState

from gateway.agencies.quotas import QuotaExhaustedError
from gateway.errors import Fault, InvalidInputError
from gateway.evidence.bundles import Bundles
from gateway.evidence.containers import Containers
from gateway.evidence.errors import ErasedError, LogUnavailableError, NotYetProvableError
from gateway.exchange.asking_views import SCOPE, Asking, answer
from gateway.exchange.errors import (
    IllegalTransitionError,
    InFlightError,
    JtiReusedError,
    RequestSignatureError,
    RequestTooLargeError,
    StaleRequestError,
)
from gateway.exchange.finished import FinishedExchanges
from gateway.exchange.mutual_log import PAGE_ROWS, MutualLog
from gateway.exchange.readers import SIDES, Reader, reader_of
from gateway.exchange.settling import Settling
from gateway.exchange.xml_answer import wants_xml, xml_answer
from gateway.oauth.guard import Guard
from gateway.settings import Settings
from gateway.web import problem
from gateway.web.cursors import Cursors
from gateway.web.documents import Document, json_bytes
from ipx import asice
from ipx.st96 import NotExpressibleError

PAGE_LINES = 50

for _error, _slug in (
    (RequestSignatureError, "invalid-signature"),
    (StaleRequestError, "stale-request"),
    (RequestTooLargeError, "too-large"),
    (JtiReusedError, "jti-reused"),
    (InFlightError, "in-flight"),
    (IllegalTransitionError, "illegal-transition"),
    (LogUnavailableError, "log-unavailable"),
    (QuotaExhaustedError, "quota-exhausted"),
):
    problem.register(_error, _slug)


def blueprint() -> Blueprint:
    exchanges = Blueprint("exchanges", __name__, url_prefix="/v1/exchanges")
    exchanges.record_once(_asking)
    exchanges.add_url_rule("", view_func=own_side)
    exchanges.add_url_rule("/<exchange_id>", view_func=look)
    exchanges.add_url_rule("/<exchange_id>", view_func=withdraw, methods=["DELETE"])
    exchanges.add_url_rule("/<exchange_id>/bundle", view_func=bundle)
    exchanges.register_error_handler(InFlightError, _in_flight)
    exchanges.register_error_handler(QuotaExhaustedError, _exhausted)
    exchanges.register_error_handler(ErasedError, _erased)
    exchanges.register_error_handler(NotYetProvableError, _not_yet)
    return exchanges


def _asking(state: BlueprintSetupState) -> None:
    state.add_url_rule("", view_func=Asking(cast("Flask", state.app)).ask, methods=["POST"])


def look(exchange_id: str) -> Response:
    """Give the answer of an exchange again, to the agency that asked and to the one that holds the record."""
    _party(exchange_id)
    finished = svcs.flask.get(FinishedExchanges).read(exchange_id)
    if finished.outcome == "released" and wants_xml(request):
        try:
            return xml_answer(finished, svcs.flask.get(Settings).st96_schemas)
        except NotExpressibleError as error:
            return problem.answer("not-acceptable", detail=str(error), exchange=exchange_id)
    return answer(finished, 200 if finished.pending is None else 202, svcs.flask.get(Settings).origin)


def withdraw(exchange_id: str) -> Response:
    """Take a pending request back, for the agency that made it."""
    reader = reader_of(svcs.flask.get(Guard).authenticate(request, SCOPE))
    settling, settings = svcs.flask.get(Settling, Settings)
    return answer(settling.withdraw(exchange_id, reader), 202, settings.origin)


def bundle(exchange_id: str) -> Response:
    """Give all that proves an exchange, in one file, to the same two agencies; as an ASiC-E container if they wish."""
    _party(exchange_id)
    form = _query("format").get("format", "zip")
    bundles = svcs.flask.get(Bundles)
    match form:
        case "zip":
            response = Response(bundles.build(exchange_id), content_type="application/zip")
        case "asice":
            made = svcs.flask.get(Containers).make(bundles.members(exchange_id))
            response = Response(made, content_type=asice.MEDIA_TYPE)
        case _:
            raise InvalidInputError([Fault("/format", "format", "zip or asice")], slug="invalid-request")
    response.headers["Content-Disposition"] = f'attachment; filename="{exchange_id}.{form}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def own_side() -> Response:
    """List the exchanges of one's own agency on one side, in the order of the log, a page at a time."""
    reader = reader_of(svcs.flask.get(Guard).authenticate(request, SCOPE))
    given = _query("role", "case_ref", "limit", "cursor")
    side = next((side for side in SIDES if side == given.get("role")), None)
    limit = given.get("limit", str(PAGE_LINES))
    faults = []
    if side is None:
        faults.append(Fault("/role", "role", f"one of {', '.join(SIDES)}"))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= PAGE_ROWS):
        faults.append(Fault("/limit", "limit", f"1 to {PAGE_ROWS}"))
    if side is None or faults:
        raise InvalidInputError(faults, slug="invalid-request")
    cursors, listed = svcs.flask.get(Cursors), _listed(reader, side, given.get("case_ref"))
    after = cursors.read(given["cursor"], listed) if "cursor" in given else -1
    page = svcs.flask.get(MutualLog).page(reader, side, case_ref=given.get("case_ref"), after=after, limit=int(limit))
    onward = None if page.is_last else cursors.write(page.end, listed)
    document = {"items": [line.document() for line in page.lines], "next": onward, "complete": page.is_last}
    response = Document(json_bytes(document), content_type="application/json")
    if onward is not None:
        response.headers["Link"] = f'<{request.path}?{urlencode(given | {"cursor": onward})}>; rel="next"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _party(exchange_id: str) -> None:
    caller = svcs.flask.get(Guard).authenticate(request, SCOPE)
    svcs.flask.get(FinishedExchanges).require_party(exchange_id, reader_of(caller))


def _query(*names: str) -> dict[str, str]:
    """Read the parameters of the address: only these, each at most once."""
    faults = [Fault(f"/{name}", "unknown", "no such parameter") for name in request.args if name not in names]
    faults += [Fault(f"/{name}", "repeated", "give it once") for name in names if len(request.args.getlist(name)) > 1]
    if faults:
        raise InvalidInputError(faults, slug="invalid-request")
    return dict(request.args)


def _listed(reader: Reader, side: str, case_ref: str | None) -> dict[str, str | None]:
    return {
        "list": "exchanges",
        "agency": reader.agency,
        "client": reader.own_client,
        "role": side,
        "case_ref": case_ref,
    }


def _in_flight(error: InFlightError) -> Response:
    return problem.answer("in-flight", headers={"Location": f"/v1/exchanges/{error.exchange_id}", "Retry-After": "1"})


def _exhausted(error: QuotaExhaustedError) -> Response:
    return problem.answer("quota-exhausted", detail=str(error), headers={"Retry-After": str(error.resets_in)})


def _erased(error: ErasedError) -> Response:
    exchange = (request.view_args or {}).get("exchange_id")
    return problem.answer("answer-gone", exchange=exchange, receipt=error.receipt)


def _not_yet(error: NotYetProvableError) -> Response:
    wait = error.wait_seconds
    detail = f"Provable in about {wait} s: witnesses or the time-stamp authority are still to confirm it."
    return problem.answer("not-yet-provable", detail=detail, headers={"Retry-After": str(wait)})
