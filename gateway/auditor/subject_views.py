"""`/v1/audit/subjects`: who was given records about one person."""

import svcs
from flask import Blueprint, Response, request

from gateway.auditor.calls import answer, asked_scope
from gateway.auditor.subjects import Subjects
from gateway.errors import Fault, InvalidInputError
from ipx.errors import FormatError
from ipx.jws import parse_object


def add_to(audit: Blueprint) -> None:
    audit.add_url_rule("/subjects", view_func=subject, methods=["POST"])


def subject() -> Response:
    """List who was given records about a person; a POST, so that the number stands in no address."""
    scope = asked_scope()
    try:
        said = parse_object(request.get_data(cache=False))
    except FormatError as error:
        raise InvalidInputError([Fault("", "malformed", str(error))], slug="invalid-request") from error
    identifier = said.get("identifier")
    if said.keys() != {"identifier"} or not isinstance(identifier, str):
        raise InvalidInputError([Fault("/identifier", "missing", "a number of the person, and nothing else")])
    found = svcs.flask.get(Subjects).readers(scope, identifier)
    return answer({"items": [one.document() for one in found], "total": len(found)})
