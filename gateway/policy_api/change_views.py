"""`/v1/policies/changes`: change requests from draft to being in force, each step with the version it was seen at."""

from typing import Any

import svcs
from flask import Blueprint, Response

from gateway.errors import Fault, InvalidInputError
from gateway.governance.activations import Activations
from gateway.governance.changes import Change, Changes
from gateway.governance.editors import Editor
from gateway.governance.proposals import STATES
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
from gateway.policy_api.documents import change_document, plain, summary_document
from gateway.policy_api.schemas import NothingSchema, OpenSchema, RebaseSchema, ReviewSchema, SaveSchema, ScheduleSchema
from gateway.web.numbers import MOST

_ONE = "/changes/<int:change_id>"


def add_to(policies: Blueprint) -> None:
    """Give a blueprint these routes."""
    policies.add_url_rule("/changes", view_func=list_changes)
    policies.add_url_rule("/changes", view_func=open_change, methods=["POST"])
    policies.add_url_rule(_ONE, view_func=show_change)
    policies.add_url_rule(_ONE, view_func=save_change, methods=["PATCH"])
    policies.add_url_rule(f"{_ONE}/shadow", view_func=shadow)
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
    """Collect evidence; the answer comes once it is there."""
    return _step(EDIT, lambda who, version: svcs.flask.get(Changes).run_evidence(who, change_id, version=version))


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
