"""The page for stopping something at once: one person may narrow alone, a second one looks at it within a day."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import svcs
from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from gateway.admin.policies.drafting import WORKERS, editor, hindrance, places
from gateway.admin.policies.register import register
from gateway.admin.policies.words import words_for_templates
from gateway.errors import AlreadyExistsError, Fault, InvalidInputError
from gateway.governance.emergencies import Emergencies
from gateway.governance.errors import NotInStateError, OwnChangeError
from gateway.governance.models import Emergency
from gateway.people.access import current_person, needs, needs_fresh_sign_in
from gateway.records.policy_catalogue import policy_catalogue
from gateway.web.pages import render_form
from ipx.ids import uuid7
from policies.form_values import Entity, Form, Scope
from policies.forms import write_form
from policies.schema import entity_type

HOURS: Final = ("4", "24", "72")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/emergency-denials", "emergencies", shelf)
    pages.add_url_rule("/emergency-denials", "deny", deny, methods=["POST"])
    pages.add_url_rule("/emergency-denials/<int:emergency_id>", "review_emergency", review, methods=["POST"])


@needs(*WORKERS)
def shelf() -> ResponseReturnValue:
    """List emergency denials, with the form that makes one."""
    return _page()


@needs(*WORKERS)
@needs_fresh_sign_in
def deny() -> ResponseReturnValue:
    """Stop what was chosen, now."""
    tier, _slash, owner = request.form.get("place", "").partition("/")
    hours, reason = request.form.get("hours", ""), request.form.get("reason", "").strip()
    agency, record_type = request.form.get("agency", ""), request.form.get("record_type", "")
    faults = []
    if (tier, owner) not in {tuple(place.split("/")) for place, _text in places()}:
        faults.append(Fault("/place", "no_place", _("Choose whose policies.")))
    if hours not in HOURS:
        faults.append(Fault("/hours", "no_hours", _("Choose for how long.")))
    if agency and agency not in register().rows:
        faults.append(Fault("/agency", "no_agency", _("Choose an agency.")))
    known = policy_catalogue().record_type(record_type)
    if record_type and known is None:
        faults.append(Fault("/record_type", "no_type", _("Choose a record type.")))
    if not faults:
        policy_id = f"emergency-{uuid7()[-12:]}"
        try:
            svcs.flask.get(Emergencies).deny(
                editor(),
                tier,
                owner,
                policy_id,
                _forbid(policy_id, reason, agency, entity_type(known.name) if known else None),
                until=timedelta(hours=int(hours)),
                reason=reason,
            )
        except InvalidInputError as error:
            faults += error.faults
        except AlreadyExistsError:
            faults.append(Fault("", "hindered", _("Try again.")))
    if faults:
        return _page(faults)
    flash(_("It is in force. A second person has to review it within 24 hours."), "success")
    return redirect(url_for("policy_pages.emergencies"), code=303)


@needs("policy_approver")
@needs_fresh_sign_in
def review(emergency_id: int) -> ResponseReturnValue:
    """Keep it until its end, or lift it now."""
    verdict = request.form.get("verdict")
    if verdict not in {"keep", "lift"}:
        abort(400)
    try:
        svcs.flask.get(Emergencies).review(editor(), emergency_id, "keep" if verdict == "keep" else "lift")
    except OwnChangeError:
        return _page([Fault("", "hindered", _("It is your own: a second person reviews it."))])
    except NotInStateError as error:
        return _page([hindrance(error)])
    flash(_("Your verdict is recorded."), "success")
    return redirect(url_for("policy_pages.emergencies"), code=303)


def _page(faults: Sequence[Fault] = ()) -> ResponseReturnValue:
    person, known = current_person(), register()

    def may_review(row: Emergency) -> bool:
        return person.may("policy_approver") and row.actor != person.actor

    return render_form(
        "policies/emergencies.html",
        faults,
        console="admin",
        rows=svcs.flask.get(Emergencies).list(editor()),
        places=places(),
        agencies=sorted(known.rows),
        names=known.names,
        said=request.form,
        may_deny=True,
        may_review=may_review,
        **words_for_templates(policy_catalogue()),
    )


def _forbid(policy_id: str, reason: str, agency: str, record_type: str | None) -> str:
    """Write the forbid: of everything, or of one record type, to everybody or to one agency."""
    title = reason.splitlines()[0][:100] if reason else policy_id
    return write_form(
        Form(
            effect="forbid",
            annotations=(("id", policy_id), ("title", title), ("reason", "emergency_denial")),
            principal=Scope(within=Entity("Agency", agency)) if agency else Scope(),
            actions=None,
            is_one_action=False,
            resource=Scope(type=record_type),
            when=(),
            unless=(),
        )
    )
