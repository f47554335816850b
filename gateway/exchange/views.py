"""`/v1/exchanges`: asking for a record, looking at an exchange again, its bundle, one's own side of all of them."""

from urllib.parse import urlencode

import svcs
from flask import Blueprint, Response, current_app, g, request

from gateway import meters
from gateway.agencies.quotas import UNITS, QuotaExhaustedError, Quotas
from gateway.db.company import Crowd
from gateway.errors import Fault, InvalidInputError, StoreUnavailableError
from gateway.evidence.bundles import Bundles
from gateway.evidence.containers import Containers
from gateway.evidence.errors import ErasedError, LogUnavailableError, NotYetProvableError
from gateway.exchange.answers import document_of, status_of
from gateway.exchange.errors import (
    IllegalTransitionError,
    InFlightError,
    JtiReusedError,
    RequestSignatureError,
    RequestTooLargeError,
    StaleRequestError,
)
from gateway.exchange.finished import Finished, FinishedExchanges
from gateway.exchange.large_records import LargeRecords
from gateway.exchange.mutual_log import PAGE_ROWS, MutualLog
from gateway.exchange.outcomes import NO_PROBLEM
from gateway.exchange.padding import Padding
from gateway.exchange.readers import SIDES, Reader, reader_of
from gateway.exchange.requests import REQUEST_BYTES
from gateway.exchange.service import Broker
from gateway.exchange.settling import Settling
from gateway.exchange.steps import STAGE_OF, Listener, Step, Stopwatch
from gateway.exchange.xml_answer import wants_xml, xml_answer
from gateway.oauth.guard import Caller, Guard
from gateway.settings import Settings
from gateway.tracing import Trace, Tracing
from gateway.web import problem
from gateway.web.cursors import Cursors
from gateway.web.documents import Document, json_bytes
from gateway.web.rate_limits import Limit, tell
from ipx import asice
from ipx.st96 import NotExpressibleError

SCOPE = "exchange:request"
MEDIA_TYPE = "application/jose"
PAGE_LINES = 50
PENDING_SECONDS = 60
"""When to look again at what waits for officers, who take hours."""

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
    exchanges.add_url_rule("", view_func=ask, methods=["POST"])
    exchanges.add_url_rule("", view_func=own_side)
    exchanges.add_url_rule("/<exchange_id>", view_func=look)
    exchanges.add_url_rule("/<exchange_id>", view_func=withdraw, methods=["DELETE"])
    exchanges.add_url_rule("/<exchange_id>/bundle", view_func=bundle)
    exchanges.after_request(_limits)
    exchanges.register_error_handler(InFlightError, _in_flight)
    exchanges.register_error_handler(QuotaExhaustedError, _exhausted)
    exchanges.register_error_handler(ErasedError, _erased)
    exchanges.register_error_handler(NotYetProvableError, _not_yet)
    return exchanges


def ask() -> Response:
    """Answer a signed request with a record, or with the problem that refuses it; both carry receipt and proof."""
    settings = svcs.flask.get(Settings)
    tracing: Tracing | None = current_app.extensions.get("tracing")
    listener: Listener | None = current_app.extensions.get("step_listener")
    if tracing is None:
        return _asked(Stopwatch(listener, holder_seconds=settings.holder_seconds))
    trace = tracing.begin()
    watch = Stopwatch(_both(trace, listener), holder_seconds=settings.holder_seconds)
    try:
        return _asked(watch)
    finally:
        trace.end(watch.exchange_id, watch.outcome)


def _both(trace: Trace, listener: Listener | None) -> Listener:
    def tell(step: Step) -> None:
        trace.reached(STAGE_OF[step], step.value)
        if listener is not None:
            listener(step)

    return tell


def _asked(watch: Stopwatch) -> Response:
    with svcs.flask.get(Crowd).passing():
        return _answered(watch)


def _answered(watch: Stopwatch) -> Response:
    guard, large_records, broker, padding = svcs.flask.get(Guard, LargeRecords, Broker, Padding)
    caller = guard.authenticate(request, SCOPE, consume=False)
    g.limited = caller
    watch.reached(Step.AUTHENTICATE)
    if request.mimetype != MEDIA_TYPE:
        return problem.answer("unsupported-media-type", detail=f"The body is a signed request: {MEDIA_TYPE}")
    if request.content_length is None or request.content_length > REQUEST_BYTES:
        return problem.answer("too-large", detail=f"A signed request has at most {REQUEST_BYTES} bytes")
    with large_records.exchange():
        finished = broker.exchange(request.get_data(cache=False), caller, watch)
        watch.exchange_id, watch.outcome = finished.exchange_id, finished.outcome
        padding.wait(finished, watch)
        watch.reached(Step.ANSWER)
        spent_ms = watch.spent_ms()
        meters.timed(spent_ms)
        response = _preferred(finished) or _answer(finished, status_of(finished))
    if finished.pending is not None and "respond-async" in request.headers.get("Prefer", ""):
        response.headers["Preference-Applied"] = "respond-async"
    response.headers["Server-Timing"] = ", ".join(f"{stage};dur={spent}" for stage, spent in spent_ms.items())
    if finished.is_replayed:
        meters.REPEATS.inc()
        response.headers["Idempotency-Replayed"] = "true"
    return response


def look(exchange_id: str) -> Response:
    """Give the answer of an exchange again, to the agency that asked and to the one that holds the record."""
    _party(exchange_id)
    finished = svcs.flask.get(FinishedExchanges).read(exchange_id)
    if finished.outcome == "released" and wants_xml(request):
        try:
            return xml_answer(finished, svcs.flask.get(Settings).st96_schemas)
        except NotExpressibleError as error:
            return problem.answer("not-acceptable", detail=str(error), exchange=exchange_id)
    return _answer(finished, 200 if finished.pending is None else 202)


def withdraw(exchange_id: str) -> Response:
    """Take a pending request back, for the agency that made it."""
    reader = reader_of(svcs.flask.get(Guard).authenticate(request, SCOPE))
    return _answer(svcs.flask.get(Settling).withdraw(exchange_id, reader), 202)


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


def _answer(finished: Finished, status: int) -> Response:
    document = document_of(finished, svcs.flask.get(Settings).origin)
    content_type = "application/json" if finished.outcome in NO_PROBLEM else "application/problem+json"
    response = Document(json_bytes(document), status=status, content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Location"] = f"/v1/exchanges/{finished.exchange_id}"
    if finished.pending is not None:
        response.headers["Retry-After"] = str(PENDING_SECONDS)
    return response


def _preferred(finished: Finished) -> Response | None:
    """A release as XML for whom prefers that; else JSON, since what was released is told one way or the other."""
    if finished.outcome != "released" or not wants_xml(request):
        return None
    try:
        return xml_answer(finished, svcs.flask.get(Settings).st96_schemas)
    except NotExpressibleError:
        return None


def _in_flight(error: InFlightError) -> Response:
    return problem.answer("in-flight", headers={"Location": f"/v1/exchanges/{error.exchange_id}", "Retry-After": "1"})


def _limits(response: Response) -> Response:
    """Say what is left of the quotas of whoever asked; nothing where none is set, or where it cannot be read."""
    caller: Caller | None = g.get("limited")
    if caller is None:
        return response
    try:
        found = svcs.flask.get(Quotas).remaining(caller.register, caller.agency, caller.client_id)
    except StoreUnavailableError:
        return response
    subjects = {caller.agency: "agency", caller.client_id: "client"}
    return tell(
        response,
        [
            Limit(f"{subjects[one.subject]}-{one.unit}", one.limit, UNITS[one.unit], one.left, one.resets_in)
            for one in found
        ],
    )


def _exhausted(error: QuotaExhaustedError) -> Response:
    return problem.answer("quota-exhausted", detail=str(error), headers={"Retry-After": str(error.resets_in)})


def _erased(error: ErasedError) -> Response:
    exchange = (request.view_args or {}).get("exchange_id")
    return problem.answer("answer-gone", exchange=exchange, receipt=error.receipt)


def _not_yet(error: NotYetProvableError) -> Response:
    wait = error.wait_seconds
    detail = f"Provable in about {wait} s: witnesses or the time-stamp authority are still to confirm it."
    return problem.answer("not-yet-provable", detail=detail, headers={"Retry-After": str(wait)})
