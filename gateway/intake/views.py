"""`/v1/records`: where a holder hands over records it signed itself, and learns the names to sign them under."""

import json

import svcs
from flask import Blueprint, Response, request

from connectors.signed_mapping import MEDIA_TYPE
from gateway.errors import Fault, InvalidInputError
from gateway.intake.errors import ContradictoryRevisionError, OlderRevisionError, PushedSignatureError
from gateway.intake.pushed import PushedRecords
from gateway.oauth.guard import Guard
from gateway.web import problem
from ipx.errors import FormatError
from ipx.jws import parse_object

SCOPE = "records:push"
NAMES_AT_ONCE = 1000

for _error, _slug in (
    (PushedSignatureError, "invalid-signature"),
    (OlderRevisionError, "older-revision"),
    (ContradictoryRevisionError, "contradictory-revision"),
):
    problem.register(_error, _slug)


def blueprint() -> Blueprint:
    records = Blueprint("records", __name__, url_prefix="/v1/records")
    records.add_url_rule("", view_func=push, methods=["POST"])
    records.add_url_rule("/names", view_func=names, methods=["POST"])
    return records


def push() -> Response:
    """Take one record: 201 where it is new, 200 where these very bytes are here already."""
    caller = svcs.flask.get(Guard).authenticate(request, SCOPE)
    if request.mimetype != MEDIA_TYPE:
        return problem.answer("unsupported-media-type", detail=f"The body is a signed record: {MEDIA_TYPE}")
    try:
        token = request.get_data(cache=False).decode("ascii")
    except UnicodeDecodeError as error:
        fault = Fault("", "malformed", "an SD-JWT is ASCII")
        raise InvalidInputError([fault], slug="invalid-request") from error
    taken = svcs.flask.get(PushedRecords).take(caller.agency, token)
    body = {
        "record": taken.record,
        "source": taken.source,
        "as_of": taken.as_of.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "sha256": taken.sha256,
    }
    return _answer(body, 201 if taken.is_new else 200)


def names() -> Response:
    """Give the record names for a holder's own numbers."""
    caller = svcs.flask.get(Guard).authenticate(request, SCOPE)
    try:
        asked = parse_object(request.get_data(cache=False))
    except FormatError as error:
        raise InvalidInputError([Fault("", "malformed", str(error))], slug="invalid-request") from error
    match asked:
        case {"record_type": str(record_type), "numbers": [*numbers]} if 0 < len(numbers) <= NAMES_AT_ONCE and all(
            isinstance(number, str) for number in numbers
        ):
            made = svcs.flask.get(PushedRecords).names(caller.agency, record_type, list(map(str, numbers)))
            return _answer({"names": made}, 200)
        case _:
            detail = f"needs record_type and 1 to {NAMES_AT_ONCE} numbers, texts"
            raise InvalidInputError([Fault("/numbers", "malformed", detail)])


def _answer(body: object, status: int) -> Response:
    response = Response(json.dumps(body, ensure_ascii=False), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
