"""`/v1/whoami`: who the gateway takes the caller for; the first call of a new client."""

import svcs
from flask import Blueprint, Response, jsonify, request

from gateway.agencies.service import Agencies
from gateway.oauth.guard import Guard


def blueprint() -> Blueprint:
    callers = Blueprint("callers", __name__)
    callers.add_url_rule("/v1/whoami", view_func=whoami)
    return callers


def whoami() -> Response:
    """Name the caller's client and agency, and what both may ask for. Any valid token will do."""
    caller = svcs.flask.get(Guard).authenticate(request, ())
    agency = svcs.flask.get(Agencies).agency(caller.agency)
    response = jsonify(
        {
            "client_id": caller.client_id,
            "agency": caller.agency,
            "name": agency.name,
            "kind": agency.kind,
            "jurisdictions": agency.jurisdictions,
            "supplier": caller.supplier,
            "scopes": sorted(caller.scopes),
            "purposes": agency.purposes,
        }
    )
    response.headers["Cache-Control"] = "no-store"
    return response
