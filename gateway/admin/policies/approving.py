"""The inbox of a holder's release officers: what waits, what is asked and why, and their verdict."""

from collections.abc import Mapping
from typing import Final

import svcs
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from gateway.admin.policies.register import register
from gateway.admin.policies.words import words_for_templates
from gateway.errors import Fault, InvalidInputError
from gateway.evidence.errors import ErasedError
from gateway.exchange.approvals import REASON_CODES, STATES, Approvals, Officer, TaskDetail
from gateway.exchange.errors import IllegalTransitionError, OfficerExcludedError, StaleVersionError
from gateway.people.access import current_person, needs, needs_fresh_sign_in
from gateway.records.policy_catalogue import policy_catalogue
from gateway.web.pages import render_form

OFFICER: Final = "release_officer"


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/approvals", "approvals", inbox)
    pages.add_url_rule("/approvals/<task_id>", "approval", one)
    pages.add_url_rule("/approvals/<task_id>", "decide", decide, methods=["POST"])


@needs(OFFICER)
def inbox() -> ResponseReturnValue:
    """List what waits for the officers of the person's agency, the nearest deadline first."""
    state = next((known for known in STATES if known == request.args.get("state", "open")), None)
    agency = current_person().agency
    tasks = svcs.flask.get(Approvals).list(agency, state=state, after=request.args.get("after")) if agency else ()
    return render_template(
        "policies/inbox.html",
        console="admin",
        tasks=tasks,
        agency=agency,
        state=state or "all",
        states=(*STATES, "all"),
        state_words=_states(),
        names=register().names,
        **words_for_templates(policy_catalogue()),
    )


@needs(OFFICER)
@needs_fresh_sign_in
def one(task_id: str) -> ResponseReturnValue:
    """Show what is asked, why, and what the policies say."""
    return _page(_detail(task_id))


@needs(OFFICER)
@needs_fresh_sign_in
def decide(task_id: str) -> ResponseReturnValue:
    """Grant or refuse."""
    detail, person = _detail(task_id), current_person()
    verdict = request.form.get("verdict", "")
    if verdict not in REASON_CODES:
        return _page(detail, [Fault("/verdict", "no_verdict", _("Choose whether to grant or to refuse."))])
    approvals, officer = svcs.flask.get(Approvals), Officer(person.actor, detail.task.holder)
    version = request.form.get("version", "")
    seen = int(version) if version.isdigit() else 0
    reason_code, note = request.form.get("reason_code", ""), request.form.get("note", "")
    try:
        if verdict == "grant":
            task = approvals.grant(
                task_id,
                officer,
                version=seen,
                reason_code=reason_code,
                groups=request.form.getlist("groups"),
                note=note,
            )
        else:
            task = approvals.refuse(task_id, officer, version=seen, reason_code=reason_code, note=note)
    except InvalidInputError as error:
        return _page(detail, error.faults)
    except (IllegalTransitionError, StaleVersionError, OfficerExcludedError) as error:
        return _page(_detail(task_id), [Fault("", type(error).__name__, _refusals()[type(error)])])
    flash(_("What you said is recorded: the approval is now “%(state)s”.", state=_states()[task.state]), "success")
    return redirect(url_for("policy_pages.approvals"), code=303)


def _detail(task_id: str) -> TaskDetail:
    agency = current_person().agency
    if agency is None:
        abort(404)
    try:
        return svcs.flask.get(Approvals).show(task_id, agency)
    except ErasedError:
        abort(410)


def _page(detail: TaskDetail, faults: "list[Fault] | tuple[Fault, ...]" = ()) -> ResponseReturnValue:
    words = {**{code: _reasons()[code] for codes in REASON_CODES.values() for code in codes}}
    return render_form(
        "policies/approval.html",
        faults,
        console="admin",
        detail=detail,
        task=detail.task,
        reasons=words,
        reason_codes=REASON_CODES,
        said=request.form,
        has_spoken=any(one.actor == current_person().actor for one in detail.verdicts),
        state_words=_states(),
        names=register().names,
        **words_for_templates(policy_catalogue()),
    )


def _states() -> Mapping[str, str]:
    return {
        "open": _("open"),
        "granted": _("granted"),
        "refused": _("refused"),
        "expired": _("expired"),
        "void": _("void"),
        "withdrawn": _("withdrawn"),
        "all": _("all"),
    }


def _reasons() -> Mapping[str, str]:
    return {
        "order_checked": _("A court's order was checked"),
        "consent_checked": _("A consent was checked"),
        "law_requires": _("A law requires it"),
        "interest_outweighs": _("One interest outweighs the other"),
        "no_order": _("There is no order"),
        "no_consent": _("There is no consent"),
        "not_necessary": _("It is not necessary for the purpose"),
        "other": _("Another reason, in the note"),
    }


def _refusals() -> Mapping[type[Exception], str]:
    return {
        IllegalTransitionError: _("It is not open any more, or you have spoken on it already."),
        StaleVersionError: _("Somebody changed it since you read it: look again."),
        OfficerExcludedError: _("You may not decide on what your own system asked."),
    }
