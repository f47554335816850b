"""`/v1/approvals`: what waits for a holder's release officers, and what they say, for the holder's own systems."""

import json
import re
from datetime import datetime
from typing import Any, Final

import svcs
from flask import Blueprint, Response, request
from marshmallow import RAISE, Schema, ValidationError, fields, validate

from gateway.errors import Fault, InvalidInputError
from gateway.evidence.errors import ErasedError
from gateway.exchange.approvals import NOTE_CHARACTERS, PAGE_TASKS, STATES, Approvals, Officer, Task, TaskDetail
from gateway.exchange.errors import OfficerExcludedError, StaleVersionError
from gateway.exchange.schemas import faults_of
from gateway.oauth.guard import Caller, Guard
from gateway.web import problem
from gateway.web.paging import link_next
from ipx.errors import FormatError
from ipx.jws import parse_object

SCOPE: Final = "approvals:decide"
_VERSION: Final = re.compile(r'"([1-9][0-9]{0,8})"')

for _error, _slug in ((OfficerExcludedError, "officer-excluded"), (StaleVersionError, "stale-version")):
    problem.register(_error, _slug)


class VerdictSchema(Schema):
    """What an officer says."""

    class Meta:  # noqa: D106  (marshmallow's own place for options)
        unknown = RAISE

    verdict = fields.String(required=True, validate=validate.OneOf(("grant", "refuse")))
    groups = fields.List(fields.String(validate=validate.Length(1, 127)), validate=validate.Length(1, 64))
    reason_code = fields.String(required=True, validate=validate.Length(1, 63))
    note = fields.String(validate=validate.Length(0, NOTE_CHARACTERS))


def blueprint() -> Blueprint:
    approvals = Blueprint("approvals", __name__, url_prefix="/v1/approvals")
    approvals.add_url_rule("", view_func=inbox)
    approvals.add_url_rule("/<task_id>", view_func=look)
    approvals.add_url_rule("/<task_id>/verdict", view_func=speak, methods=["POST"])
    approvals.register_error_handler(ErasedError, lambda error: problem.answer("answer-gone", receipt=error.receipt))
    return approvals


def inbox() -> Response:
    """List what is wanted of the caller's agency, the nearest deadline first, a page at a time."""
    caller = _officer_system()
    given = _query("state", "after", "limit")
    limit = given.get("limit", "50")
    state = next((known for known in STATES if known == given.get("state", "open")), None)
    faults = []
    if state is None and given.get("state") != "all":
        faults.append(Fault("/state", "state", f"all, or one of {', '.join(STATES)}"))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= PAGE_TASKS):
        faults.append(Fault("/limit", "limit", f"1 to {PAGE_TASKS}"))
    if faults:
        raise InvalidInputError(faults, slug="invalid-request")
    tasks = svcs.flask.get(Approvals).list(caller.agency, state=state, after=given.get("after"), limit=int(limit))
    is_last = len(tasks) < int(limit)
    onward = None if is_last else tasks[-1].id
    listed = _answer({"items": [task_document(task) for task in tasks], "next": onward, "complete": is_last})
    return link_next(listed, "after", onward)


def look(task_id: str) -> Response:
    """Show a task with what is asked and why."""
    caller = _officer_system()
    detail = svcs.flask.get(Approvals).show(task_id, caller.agency)
    return _answer(_detail_document(detail), version=detail.task.version)


def speak(task_id: str) -> Response:
    """Grant or refuse, as an officer of the caller's agency; the answer says what became of the task."""
    caller = _officer_system()
    seen = request.headers.get("If-Match")
    if seen is None:
        return problem.answer("precondition-required")
    match = _VERSION.fullmatch(seen)
    if match is None:
        raise StaleVersionError(f"no version {seen[:32]}")
    said = _body()
    approvals, officer = svcs.flask.get(Approvals), Officer(f"client:{caller.client_id}", caller.agency)
    version, reason_code, note = int(match[1]), said["reason_code"], said.get("note", "")
    if said["verdict"] == "grant":
        task = approvals.grant(
            task_id, officer, version=version, reason_code=reason_code, groups=said.get("groups"), note=note
        )
    elif "groups" in said:
        raise InvalidInputError([Fault("/groups", "not_granted", "goes with a grant only")])
    else:
        task = approvals.refuse(task_id, officer, version=version, reason_code=reason_code, note=note)
    return _answer(task_document(task), version=task.version)


def task_document(task: Task) -> dict[str, Any]:
    """Write a task as JSON."""
    return {
        "id": task.id,
        "exchange": task.exchange_id,
        "exchange_state": task.exchange_state,
        "approval": task.approval,
        "state": task.state,
        "version": task.version,
        "requester": task.requester,
        "client": task.client_id,
        "supplier": task.supplier,
        "record_type": task.record_type,
        "purpose": task.purpose,
        "groups": list(task.groups),
        "quorum": task.quorum,
        "granted_by": list(task.granted_by),
        "opened_at": _instant(task.opened_at),
        "expires_at": _instant(task.expires_at),
    }


def _detail_document(detail: TaskDetail) -> dict[str, Any]:
    return {
        **task_document(detail.task),
        "record": detail.record,
        "legal_basis": detail.legal_basis,
        "case_ref": detail.case_ref,
        "groups_asked": list(detail.groups_asked),
        "request": detail.request,
        "reason": detail.reason,
        "withheld": [{"group": item.group, "reason": item.reason, "policy": item.policy} for item in detail.withheld],
        "approvals_needed": [list(names) for names in detail.approvals],
        "beside": [task_document(task) for task in detail.beside],
        "why": dict(detail.why),
        "verdicts": [
            {
                "actor": one.actor,
                "verdict": one.verdict,
                "groups": list(one.groups),
                "reason_code": one.reason_code,
                "note": one.note,
                "at": _instant(one.at),
            }
            for one in detail.verdicts
        ],
        "is_current": detail.is_current,
    }


def _officer_system() -> Caller:
    """Let a holder's own system pass: nobody decides in the name of another agency."""
    caller = svcs.flask.get(Guard).authenticate(request, SCOPE)
    if caller.supplier is not None:
        raise OfficerExcludedError(f"{caller.client_id} acts for another agency")
    return caller


def _body() -> dict[str, Any]:
    try:
        said: dict[str, Any] = VerdictSchema().load(parse_object(request.get_data(cache=False)))
    except FormatError as error:
        raise InvalidInputError([Fault("", "malformed", str(error))], slug="invalid-request") from error
    except ValidationError as error:
        raise InvalidInputError(faults_of(error)) from error
    return said


def _query(*names: str) -> dict[str, str]:
    faults = [Fault(f"/{name}", "unknown", "no such parameter") for name in request.args if name not in names]
    faults += [Fault(f"/{name}", "repeated", "give it once") for name in names if len(request.args.getlist(name)) > 1]
    if faults:
        raise InvalidInputError(faults, slug="invalid-request")
    return dict(request.args)


def _answer(body: object, *, version: int | None = None) -> Response:
    response = Response(json.dumps(body, ensure_ascii=False), content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    if version is not None:
        response.headers["ETag"] = f'"{version}"'
        if request.method == "GET":
            response.make_conditional(request)
    return response


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
