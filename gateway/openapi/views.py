"""`/v1/openapi.json`: the API described for programs."""

import json

import svcs
from flask import Blueprint, Flask, Response, current_app, request

from gateway.openapi.document import document as describe
from gateway.settings import Settings


def blueprint() -> Blueprint:
    described = Blueprint("openapi", __name__)
    described.add_url_rule("/v1/openapi.json", view_func=document)
    return described


def document() -> Response:
    """Give the OpenAPI document of this gateway; `ETag`."""
    response = Response(text_of(current_app, svcs.flask.get(Settings).origin), content_type="application/json")
    response.headers["Cache-Control"] = "public, max-age=300"
    response.add_etag()
    response.make_conditional(request)
    return response


def text_of(app: Flask, origin: str) -> str:
    """Write the document; it is made once for an application."""
    made: str | None = app.extensions.get("openapi")
    if made is None:
        made = json.dumps(describe(app, origin), ensure_ascii=False, indent=1) + "\n"
        app.extensions["openapi"] = made
    return made
