"""`/v1/exchanges`: asking for a record, and looking at an exchange again."""

import json

import svcs
from flask import Blueprint, Response, current_app, request

from gateway.evidence.errors import LogUnavailableError
from gateway.exchange.answers import document_of, status_of
from gateway.exchange.errors import (
    ExchangeErasedError,
    InFlightError,
    JtiReusedError,
    RequestSignatureError,
    RequestTooLargeError,
    StaleRequestError,
)
from gateway.exchange.journal import Finished, Journal
from gateway.exchange.padding import Padding
from gateway.exchange.requests import REQUEST_BYTES
from gateway.exchange.service import Broker
from gateway.exchange.steps import Step, Stopwatch
from gateway.oauth.guard import Guard
from gateway.settings import Settings
from gateway.web import problem

SCOPE = "exchange:request"
MEDIA_TYPE = "application/jose"

for _error, _slug in (
    (RequestSignatureError, "invalid-signature"),
    (StaleRequestError, "stale-request"),
    (RequestTooLargeError, "too-large"),
    (JtiReusedError, "jti-reused"),
    (InFlightError, "in-flight"),
    (ExchangeErasedError, "answer-gone"),
    (LogUnavailableError, "log-unavailable"),
):
    problem.register(_error, _slug)


def blueprint() -> Blueprint:
    exchanges = Blueprint("exchanges", __name__, url_prefix="/v1/exchanges")
    exchanges.add_url_rule("", view_func=ask, methods=["POST"])
    exchanges.add_url_rule("/<exchange_id>", view_func=look)
    exchanges.register_error_handler(InFlightError, _in_flight)
    return exchanges


def ask() -> Response:
    """Answer a signed request with a record, or with the problem that refuses it; both carry receipt and proof."""
    settings = svcs.flask.get(Settings)
    watch = Stopwatch(current_app.extensions.get("step_listener"), holder_seconds=settings.holder_seconds)
    caller = svcs.flask.get(Guard).authenticate(request, SCOPE, consume=False)
    watch.reached(Step.AUTHENTICATE)
    if request.mimetype != MEDIA_TYPE:
        return problem.answer("unsupported-media-type", detail=f"The body is a signed request: {MEDIA_TYPE}")
    if request.content_length is None or request.content_length > REQUEST_BYTES:
        return problem.answer("too-large", detail=f"A signed request has at most {REQUEST_BYTES} bytes")
    finished = svcs.flask.get(Broker).exchange(request.get_data(cache=False), caller, watch)
    svcs.flask.get(Padding).wait(finished, watch)
    watch.reached(Step.ANSWER)
    response = _answer(finished, status_of(finished))
    response.headers["Server-Timing"] = ", ".join(f"{stage};dur={spent}" for stage, spent in watch.spent_ms().items())
    if finished.is_replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def look(exchange_id: str) -> Response:
    """Give the answer of an exchange again, to the agency that asked and to the one that holds the record."""
    caller = svcs.flask.get(Guard).authenticate(request, SCOPE)
    return _answer(svcs.flask.get(Journal).look(exchange_id, caller.agency), 200)


def _answer(finished: Finished, status: int) -> Response:
    document = document_of(finished, svcs.flask.get(Settings).origin)
    content_type = "application/json" if finished.outcome == "released" else "application/problem+json"
    response = Response(json.dumps(document, ensure_ascii=False), status=status, content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Location"] = f"/v1/exchanges/{finished.exchange_id}"
    return response


def _in_flight(error: InFlightError) -> Response:
    return problem.answer("in-flight", headers={"Location": f"/v1/exchanges/{error.exchange_id}", "Retry-After": "1"})
