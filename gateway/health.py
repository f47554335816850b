"""Is it alive, is it ready: for load balancers and container engines. A 503 names the failing part in one word."""

from collections.abc import Iterator

import svcs
from flask import Blueprint, Response, jsonify

from gateway.db.engine import Database
from gateway.errors import GatewayError
from gateway.evidence.log import EvidenceLog
from gateway.evidence.receipts import Receipts
from gateway.evidence.state import EvidenceState
from gateway.governance.books import PolicyBooks
from gateway.intake.following import Following


def blueprint() -> Blueprint:
    health = Blueprint("health", __name__)

    @health.get("/livez")
    def livez() -> Response:
        return jsonify({"live": True})

    @health.get("/readyz")
    def readyz() -> Response:
        for part, works in parts():
            if not works:
                answer = jsonify({"ready": False, "failing": part})
                answer.status_code = 503
                return answer
        return jsonify(
            {"ready": True, "evidence": svcs.flask.get(EvidenceState).now().detail(), "sources": _sources()},
        )

    return health


def parts() -> Iterator[tuple[str, bool]]:
    """Tell of each part that every exchange needs whether it works, in the order in which they rest on each other."""
    for part, check in (
        ("database", _database),
        ("log", _log),
        ("witnesses", _witnesses),
        ("receipt key", _receipts),
        ("policy", _policy),
    ):
        try:
            check()
        except GatewayError:
            yield part, False
        else:
            yield part, True


def _sources() -> dict[str, object]:
    """Name the followed sources that fail: no reason to take a node out of service, but one to look."""
    failing = svcs.flask.get(Following).failing()
    return {"failing": [{"source": one.source, "state": one.state, "failure": one.failure} for one in failing]}


def _database() -> None:
    with svcs.flask.get(Database).read_connection() as connection:
        connection.exec_driver_sql("SELECT 1")


def _log() -> None:
    svcs.flask.get(EvidenceLog).ready()


def _witnesses() -> None:
    svcs.flask.get(EvidenceState).require_whole()


def _receipts() -> None:
    svcs.flask.get(Receipts).ready()


def _policy() -> None:
    svcs.flask.get(PolicyBooks).current()
