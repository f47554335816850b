"""`/v1/policies/changes`: change requests from draft to being in force, each step with the version it was seen at."""

import re
from typing import Any, Final

import svcs
from flask import Blueprint, Response, request

from gateway.errors import Fault, InvalidInputError, UnknownError
from gateway.governance.activations import Activations
from gateway.governance.changes import Changes
from gateway.governance.collecting import Collecting, Progress
from gateway.governance.editors import Editor
from gateway.governance.proposals import STATES, Change
from gateway.governance.reviews import Reviews
from gateway.policy_api.callers import (
    APPROVE,
    EDIT,
    READ,
    answer,
    body,
    editor,
    number,
    once,
    page,
    query,
    seen_version,
)
from gateway.policy_api.documents import change_document, plain, progress_document, summary_document
from gateway.policy_api.schemas import NothingSchema, OpenSchema, RebaseSchema, ReviewSchema, SaveSchema, ScheduleSchema
from gateway.web.numbers import MOST

_ONE = "/changes/<int:change_id>"
WAIT_SECONDS: Final = 45
"""How long a caller waits for evidence who says nothing else; servers and proxies cut off at a minute."""
AGAIN_SECONDS: Final = 2
_WAIT: Final = re.compile(r"\bwait=([0-9]{1,4})\b")


def add_to(policies: Blueprint) -> None:
    """Give a blueprint these routes."""
    policies.add_url_rule("/changes", view_func=list_changes)
    policies.add_url_rule("/changes", view_func=open_change, methods=["POST"])
    policies.add_url_rule(_ONE, view_func=show_change)
    policies.add_url_rule(_ONE, view_func=save_change, methods=["PATCH"])
    policies.add_url_rule(f"{_ONE}/shadow", view_func=shadow)
    policies.add_url_rule(f"{_ONE}/evidence", view_func=evidence_progress)
    for name, view in (
        ("evidence", run_evidence),
        ("ask", ask_review),
        ("withdraw", withdraw),
        ("rebase", rebase),
        ("reviews", review),
        ("activate", activate),
        ("schedule", schedule),
        ("unschedule", unschedule),
    ):
        policies.add_url_rule(f"{_ONE}/{name}", view_func=view, methods=["POST"])


def list_changes() -> Response:
    """List change requests, the newest first, a page at a time."""
    who = editor(READ)
    given = query(state="", tier="", owner="", after="", limit="50")
    if given["state"] not in {"", "open", *STATES}:
        raise InvalidInputError([Fault("/state", "state", f"open, or one of {', '.join(STATES)}")])
    limit = number(given["limit"], "/limit", most=200)
    found = svcs.flask.get(Changes).list(
        who,
        state=given["state"] or None,
        tier=given["tier"] or None,
        owner=given["owner"] or None,
        after=number(given["after"], "/after", most=MOST) if given["after"] else None,
        limit=limit,
    )
    return page([summary_document(one) for one in found], limit, [one.id for one in found])


def open_change() -> Response:
    """Open a draft, with the policies and tests it is to change or without."""
    who = editor(EDIT)
    return once(who, lambda: _opened(who))


def _opened(who: Editor) -> Response:
    said = body(OpenSchema)
    changes = svcs.flask.get(Changes)
    opened = changes.open(
        who, said["tier"], said["owner"], title=said["title"], reason=said.get("reason", ""), ticket=said.get("ticket")
    )
    if said.get("policies") or said.get("tests"):
        opened = changes.save(
            who, opened.id, version=opened.version, policies=said.get("policies"), tests=said.get("tests")
        )
    return _told(opened, status=201)


def show_change(change_id: int) -> Response:
    """Show a change request with its evidence and reviews."""
    return _told(svcs.flask.get(Changes).show(editor(READ), change_id))


def save_change(change_id: int) -> Response:
    """Write some of a draft's policies and tests anew."""
    who = editor(EDIT)
    version, said = seen_version(), body(SaveSchema)
    return _told(svcs.flask.get(Changes).save(who, change_id, version=version, **said))


def run_evidence(change_id: int) -> Response:
    """Collect evidence: the change with it if it is there in time, else 202 and where to ask how far it is."""
    who = editor(EDIT)
    version = seen_version()
    body(NothingSchema)
    collecting = svcs.flask.get(Collecting)
    collecting.begin(who, change_id, version=version)
    found = collecting.wait(change_id, _patience())
    if found.is_running:
        return _how_far(found, status=202)
    found.require_success()
    return _told(svcs.flask.get(Changes).show(who, change_id))


def evidence_progress(change_id: int) -> Response:
    """Tell how far the latest collection of evidence is."""
    found = svcs.flask.get(Collecting).progress(editor(READ), change_id)
    if found is None:
        raise UnknownError(f"no evidence of change {change_id} was collected")
    return _how_far(found)


def _patience() -> float:
    """How many seconds the caller waits (RFC 7240)."""
    preferred = ",".join(request.headers.getlist("Prefer")).lower()
    wait = _WAIT.search(preferred)
    if wait is not None:
        return min(int(wait[1]), WAIT_SECONDS)
    return 0 if "respond-async" in preferred else WAIT_SECONDS


def _how_far(found: Progress, *, status: int = 200) -> Response:
    response = answer(progress_document(found), status=status)
    if found.is_running:
        response.headers["Retry-After"] = str(AGAIN_SECONDS)
    if status == 202:  # noqa: PLR2004
        response.headers["Location"] = f"/v1/policies/changes/{found.change}/evidence"
    return response


def ask_review(change_id: int) -> Response:
    """Put a checked change to review."""
    return _step(EDIT, lambda who, version: svcs.flask.get(Changes).ask_review(who, change_id, version=version))


def withdraw(change_id: int) -> Response:
    """Take a change request back."""
    return _step(EDIT, lambda who, version: svcs.flask.get(Changes).withdraw(who, change_id, version=version))


def rebase(change_id: int) -> Response:
    """Take a draft over to what is in force now; `keep` says whose version counts of what both sides changed."""
    who = editor(EDIT)
    version, said = seen_version(), body(RebaseSchema)
    return _told(svcs.flask.get(Changes).rebase(who, change_id, version=version, **said))


def review(change_id: int) -> Response:
    """Approve or reject, as somebody who wrote no part of it."""
    who = editor(APPROVE)
    version, said = seen_version(), body(ReviewSchema)
    return _told(svcs.flask.get(Reviews).say(who, change_id, version=version, **said))


def activate(change_id: int) -> Response:
    """Put a reviewed change in force."""
    return _step(EDIT, lambda who, version: svcs.flask.get(Activations).activate(who, change_id, version=version))


def schedule(change_id: int) -> Response:
    """Have a reviewed change become active at a time, and decide in shadow before."""
    who = editor(EDIT)
    version, said = seen_version(), body(ScheduleSchema)
    return _told(svcs.flask.get(Activations).schedule(who, change_id, version=version, **said))


def unschedule(change_id: int) -> Response:
    """Take the times away again."""
    return _step(EDIT, lambda who, version: svcs.flask.get(Activations).unschedule(who, change_id, version=version))


def shadow(change_id: int) -> Response:
    """Show what a candidate in shadow decided otherwise."""
    return answer(plain(svcs.flask.get(Activations).shadow(editor(READ), change_id)))


def _step(scope: str, act: Any) -> Response:
    who = editor(scope)
    version = seen_version()
    body(NothingSchema)
    return _told(act(who, version))


def _told(change: Change, *, status: int = 200) -> Response:
    return answer(change_document(change), version=change.version, status=status)
