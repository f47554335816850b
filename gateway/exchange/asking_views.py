"""`POST /v1/exchanges`: a signed request, answered. What that needs of the application is looked up once."""

import svcs
from flask import Flask, Request, Response, after_this_request
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wsgi import get_content_length

from gateway import meters
from gateway.agencies.quotas import UNITS, Quotas
from gateway.db.company import Crowd
from gateway.errors import StoreUnavailableError
from gateway.exchange.answers import document_of, status_of
from gateway.exchange.finished import Finished
from gateway.exchange.large_records import LargeRecords
from gateway.exchange.outcomes import NO_PROBLEM
from gateway.exchange.padding import Padding
from gateway.exchange.requests import REQUEST_BYTES
from gateway.exchange.service import Broker
from gateway.exchange.steps import STAGE_OF, Listener, Step, Stopwatch
from gateway.exchange.xml_answer import wants_xml, xml_answer
from gateway.oauth.guard import Caller, Guard
from gateway.settings import Settings
from gateway.tracing import Trace, Tracing
from gateway.web import problem
from gateway.web.current import current_request
from gateway.web.documents import Document, json_bytes
from gateway.web.rate_limits import Limit, tell
from ipx.st96 import NotExpressibleError

SCOPE = "exchange:request"
MEDIA_TYPE = "application/jose"
PENDING_SECONDS = 60
"""When to look again at what waits for officers, who take hours."""


class Asking:
    """The view of one application."""

    def __init__(self, app: Flask) -> None:
        services = svcs.Container(svcs.flask.get_registry(app))
        self._guard, self._broker, self._quotas = services.get(Guard, Broker, Quotas)
        self._crowd, self._large_records, self._padding = services.get(Crowd, LargeRecords, Padding)
        self._settings = services.get(Settings)
        self._extensions = app.extensions

    def ask(self) -> Response:
        """Answer a signed request with a record, or with the problem that refuses it; both carry receipt and proof."""
        tracing: Tracing | None = self._extensions["tracing"]
        listener: Listener | None = self._extensions["step_listener"]
        if tracing is None:
            return self._asked(Stopwatch(listener, holder_seconds=self._settings.holder_seconds))
        trace = tracing.begin()
        watch = Stopwatch(_both(trace, listener), holder_seconds=self._settings.holder_seconds)
        try:
            return self._asked(watch)
        finally:
            trace.end(watch.exchange_id, watch.outcome)

    def _asked(self, watch: Stopwatch) -> Response:
        with self._crowd.passing():
            return self._answered(current_request(), watch)

    def _answered(self, call: Request, watch: Stopwatch) -> Response:
        caller = self._guard.authenticate(call, SCOPE, consume=False)
        after_this_request(lambda response: self._limits(response, caller))
        watch.reached(Step.AUTHENTICATE)
        if call.mimetype != MEDIA_TYPE:
            return problem.answer("unsupported-media-type", detail=f"The body is a signed request: {MEDIA_TYPE}")
        length = get_content_length(call.environ)
        if length is None or length > REQUEST_BYTES:
            return problem.answer("too-large", detail=f"A signed request has at most {REQUEST_BYTES} bytes")
        with self._large_records.exchange():
            finished = self._broker.exchange(_body(call, length), caller, watch)
            watch.exchange_id, watch.outcome = finished.exchange_id, finished.outcome
            self._padding.wait(finished, watch)
            watch.reached(Step.ANSWER)
            spent_ms = watch.spent_ms()
            meters.timed(spent_ms)
            response = self._preferred(finished, call) or answer(finished, status_of(finished), self._settings.origin)
        if finished.pending is not None and "respond-async" in call.headers.get("Prefer", ""):
            response.headers["Preference-Applied"] = "respond-async"
        response.headers.add("Server-Timing", ", ".join([f"{stage};dur={spent}" for stage, spent in spent_ms.items()]))
        if finished.is_replayed:
            meters.REPEATS.inc()
            response.headers["Idempotency-Replayed"] = "true"
        return response

    def _preferred(self, finished: Finished, call: Request) -> Response | None:
        """A release as XML for whom prefers that; else JSON, since what was released is told one way or the other."""
        if finished.outcome != "released" or not wants_xml(call):
            return None
        try:
            return xml_answer(finished, self._settings.st96_schemas)
        except NotExpressibleError:
            return None

    def _limits(self, response: Response, caller: Caller) -> Response:
        """Say what is left of the quotas of whoever asked; nothing where none is set, or where it cannot be read."""
        try:
            found = self._quotas.remaining(caller.register, caller.agency, caller.client_id)
        except StoreUnavailableError:
            return response
        if not found:
            return response
        subjects = {caller.agency: "agency", caller.client_id: "client"}
        return tell(
            response,
            [
                Limit(f"{subjects[one.subject]}-{one.unit}", one.limit, UNITS[one.unit], one.left, one.resets_in)
                for one in found
            ],
        )


def answer(finished: Finished, status: int, origin: str) -> Response:
    """Tell an exchange as JSON: a release as it is, everything else as a problem document at the gateway's `origin`."""
    headers = [("Cache-Control", "no-store"), ("Location", f"/v1/exchanges/{finished.exchange_id}")]
    if finished.pending is not None:
        headers.append(("Retry-After", str(PENDING_SECONDS)))
    return Document(
        json_bytes(document_of(finished, origin)),
        status=status,
        content_type="application/json" if finished.outcome in NO_PROBLEM else "application/problem+json",
        headers=headers,
    )


def _body(call: Request, length: int) -> bytes:
    """Read what was announced: it is little, so that nothing needs to be counted on the way."""
    body = call.input_stream.read(length)
    if len(body) < length:
        raise ClientDisconnected
    return body


def _both(trace: Trace, listener: Listener | None) -> Listener:
    def tell(step: Step) -> None:
        trace.reached(STAGE_OF[step], step.value)
        if listener is not None:
            listener(step)

    return tell
