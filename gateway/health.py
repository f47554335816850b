"""Is it alive, is it ready: for load balancers and container engines. A 503 names the failing part in one word."""

import svcs
from flask import Blueprint, Response, jsonify

from gateway.db.engine import Database
from gateway.errors import GatewayError
from gateway.evidence.log import EvidenceLog
from gateway.evidence.receipts import Receipts
from gateway.evidence.state import EvidenceState
from gateway.governance.books import PolicyBooks


def blueprint() -> Blueprint:
    health = Blueprint("health", __name__)

    @health.get("/livez")
    def livez() -> Response:
        return jsonify({"live": True})

    @health.get("/readyz")
    def readyz() -> Response:
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
                answer = jsonify({"ready": False, "failing": part})
                answer.status_code = 503
                return answer
        return jsonify({"ready": True, "evidence": svcs.flask.get(EvidenceState).now().detail()})

    return health


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
