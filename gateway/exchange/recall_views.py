"""`/v1/recalls`: a holder sees who was given a record, calls it back; everybody who has it is told and answers here."""

import json
from typing import Final
from uuid import UUID

import svcs
from flask import Blueprint, Response, request

from gateway.errors import Fault, InvalidInputError
from gateway.exchange.errors import OthersRecordError
from gateway.exchange.recall_list import RecallList
from gateway.exchange.recall_reading import PAGE_RECALLS, RecallReader
from gateway.exchange.recall_statements import STATEMENT_BYTES, RecallStatements
from gateway.exchange.recall_told import ROLES
from gateway.exchange.recalls import Recalls
from gateway.exchange.releases import PAGE_RELEASES, Releases
from gateway.oauth.guard import Caller, Guard
from gateway.records.record_ids import RecordIdError, parse_record_id
from gateway.web import problem
from gateway.web.cursors import Cursors
from gateway.web.paging import link_next

MAKING: Final = "records:recall"
"""Scope of a holder's client that may call back."""
READING: Final = "exchange:request"
MEDIA_TYPE: Final = "application/jose"
PART_DIGITS: Final = 7
_STATES: Final = ("all", "open")

problem.register(OthersRecordError, "not-allowed")


def blueprint() -> Blueprint:
    recalls = Blueprint("recalls", __name__, url_prefix="/v1/recalls")
    recalls.add_url_rule("", view_func=make, methods=["POST"])
    recalls.add_url_rule("", view_func=own_side)
    recalls.add_url_rule("/signed", view_func=signed)
    recalls.add_url_rule("/<recall_id>", view_func=look)
    recalls.add_url_rule("/<recall_id>/acknowledgements", view_func=acknowledge, methods=["POST"])
    return recalls


def releases_blueprint() -> Blueprint:
    """Make the address of one record's releases, which stands below the record's own."""
    of_records = Blueprint("releases", __name__, url_prefix="/v1/records")
    of_records.add_url_rule("/<urn>/releases", view_func=releases)
    return of_records


def make() -> Response:
    """Correct, seal, unseal, call back or erase a record that was given out; the statement is signed by the holder."""
    caller = svcs.flask.get(Guard).authenticate(request, MAKING)
    body = _body()
    if isinstance(body, Response):
        return body
    told, is_replayed = svcs.flask.get(Recalls).make(svcs.flask.get(RecallStatements).recall(body, caller))
    response = _answer(told.document(), 200 if is_replayed else 201)
    response.headers["Location"] = f"/v1/recalls/{told.id}"
    if is_replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def own_side() -> Response:
    """List recalls on one side, the newest first: as holder those made, as addressee those to be acknowledged."""
    caller = _own_system()
    given = _query("role", "state", "limit", "cursor")
    role = next((role for role in ROLES if role == given.get("role")), None)
    limit, state = given.get("limit", "50"), given.get("state", "all")
    faults = []
    if role is None:
        faults.append(Fault("/role", "role", f"one of {', '.join(ROLES)}"))
    if state not in _STATES:
        faults.append(Fault("/state", "state", f"one of {', '.join(_STATES)}"))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= PAGE_RECALLS):
        faults.append(Fault("/limit", "limit", f"1 to {PAGE_RECALLS}"))
    if role is None or faults:
        raise InvalidInputError(faults, slug="invalid-request")
    cursors, recalls = svcs.flask.get(Cursors), svcs.flask.get(RecallReader)
    listed = {"list": "recalls", "agency": caller.agency, "role": role, "state": state}
    before = str(UUID(int=cursors.read(given["cursor"], listed))) if "cursor" in given else None
    found = recalls.list(caller.agency, role, is_open=state == "open", before=before, limit=int(limit))
    if role == "addressee":
        recalls.delivered(caller.agency, [one.id for one in found if one.addressees[0].delivered_at is None])
    onward = None if len(found) < int(limit) else cursors.write(UUID(found[-1].id).int, listed)
    items = [one.document() for one in found]
    return link_next(_answer({"items": items, "next": onward, "complete": onward is None}), "cursor", onward)


def look(recall_id: str) -> Response:
    """Show one recall, to its holder with all who were told, to one of these its own part."""
    caller = _own_system()
    recalls = svcs.flask.get(RecallReader)
    told = recalls.show(recall_id, caller.agency)
    if told.holder != caller.agency:
        recalls.delivered(caller.agency, [told.id] if told.addressees[0].delivered_at is None else [])
    return _answer(told.document())


def releases(urn: str) -> Response:
    """List by whom a record of the caller's own was received, when, which groups, and what became of its recalls."""
    caller = _own_system()
    try:
        record = parse_record_id(urn)
    except RecordIdError as error:
        fault = Fault("/urn", "invalid", "must be urn:ipx:<agency>:<record type>:<local part>")
        raise InvalidInputError([fault], slug="invalid-request") from error
    if record.agency != caller.agency:
        raise OthersRecordError(f"{caller.client_id} asks who was given a record of {record.agency}")
    given = _query("limit", "cursor")
    limit = _limit(given, PAGE_RELEASES)
    cursors = svcs.flask.get(Cursors)
    listed = {"list": "releases", "agency": caller.agency, "record": str(record)}
    before = str(UUID(int=cursors.read(given["cursor"], listed))) if "cursor" in given else None
    found = svcs.flask.get(Releases).of(record, before=before, limit=limit)
    onward = None if len(found) < limit else cursors.write(UUID(found[-1].exchange_id).int, listed)
    items = [one.document() for one in found]
    return link_next(_answer({"items": items, "next": onward, "complete": onward is None}), "cursor", onward)


def signed() -> Response:
    """Give a part of the gateway's signed list of recalls, which names receipts by their hashes: for verifiers."""
    svcs.flask.get(Guard).authenticate(request, ())
    part = _query("part").get("part", "0")
    if not (part.isascii() and part.isdigit() and len(part) < PART_DIGITS):
        raise InvalidInputError([Fault("/part", "part", "the number of a part, from 0")], slug="invalid-request")
    response = Response(svcs.flask.get(RecallList).part(int(part)), content_type=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


def acknowledge(recall_id: str) -> Response:
    """Say what has become of one's copies, in a statement signed by the agency that was given the record."""
    caller = _own_system()
    body = _body()
    if isinstance(body, Response):
        return body
    said = svcs.flask.get(RecallStatements).acknowledgement(body, caller)
    return _answer(svcs.flask.get(Recalls).acknowledge(recall_id, said).document())


def _own_system() -> Caller:
    """Let an agency's own system pass: a supplier answers for nobody's copies."""
    caller = svcs.flask.get(Guard).authenticate(request, READING)
    if caller.supplier is not None:
        raise OthersRecordError(f"{caller.client_id} acts for another agency")
    return caller


def _body() -> bytes | Response:
    if request.mimetype != MEDIA_TYPE:
        return problem.answer("unsupported-media-type", detail=f"The body is a signed statement: {MEDIA_TYPE}")
    if request.content_length is None or request.content_length > STATEMENT_BYTES:
        return problem.answer("too-large", detail=f"A signed statement has at most {STATEMENT_BYTES} bytes")
    return request.get_data(cache=False)


def _query(*names: str) -> dict[str, str]:
    faults = [Fault(f"/{name}", "unknown", "no such parameter") for name in request.args if name not in names]
    faults += [Fault(f"/{name}", "repeated", "give it once") for name in names if len(request.args.getlist(name)) > 1]
    if faults:
        raise InvalidInputError(faults, slug="invalid-request")
    return dict(request.args)


def _limit(given: dict[str, str], most: int) -> int:
    limit = given.get("limit", "50")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= most):
        raise InvalidInputError([Fault("/limit", "limit", f"1 to {most}")], slug="invalid-request")
    return int(limit)


def _answer(body: object, status: int = 200) -> Response:
    response = Response(json.dumps(body, ensure_ascii=False), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
