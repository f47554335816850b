"""`/v1/record-types`: which record types this gateway knows, its operator's own among them. Anybody may read it."""

import json
from typing import Any

from flask import Blueprint, Response, request

from gateway.catalogue.documents import document, index
from gateway.records.catalogue import CATALOGUE
from gateway.web import problem


def blueprint() -> Blueprint:
    types = Blueprint("record_types", __name__, url_prefix="/v1/record-types")
    types.add_url_rule("", view_func=record_types)
    types.add_url_rule("/<name>", view_func=record_type)
    return types


def record_types() -> Response:
    """List the types."""
    return _answer(index(CATALOGUE))


def record_type(name: str) -> Response:
    """Give one type with groups and fields."""
    known = CATALOGUE.types.get(name)
    if known is None:
        return problem.answer("not-found", detail="GET /v1/record-types lists those that there are")
    return _answer(document(known))


def _answer(body: dict[str, Any]) -> Response:
    """The catalogue changes only with a new start: who has read it is told that it is the same."""
    response = Response(json.dumps(body, ensure_ascii=False), content_type="application/json")
    response.headers["Cache-Control"] = "public, max-age=300"
    response.add_etag()
    response.make_conditional(request)
    return response
