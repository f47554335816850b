"""Pages on which reviewed changes are put in force, watched in shadow, and undone."""

from collections.abc import Sequence
from datetime import UTC, datetime

import svcs
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from gateway.admin.policies.drafting import WORKERS, acted, editor, hindrance, places, seen_version
from gateway.admin.policies.register import register
from gateway.admin.policies.words import activation_words, words_for_templates
from gateway.errors import Fault, InvalidInputError
from gateway.governance.activations import Activations
from gateway.governance.changes import Changes
from gateway.governance.errors import BaseMovedError, NotInStateError, OwnChangeError
from gateway.people.access import current_person, needs, needs_fresh_sign_in
from gateway.records.policy_catalogue import policy_catalogue
from gateway.web.pages import render_form

MOMENTS = ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/changes/<int:change_id>/activate", "activate", activate, methods=["POST"])
    pages.add_url_rule("/changes/<int:change_id>/unschedule", "unschedule", unschedule, methods=["POST"])
    pages.add_url_rule("/changes/<int:change_id>/shadow", "shadow", shadow)
    pages.add_url_rule("/activations", "activations", history)
    pages.add_url_rule("/activations/<int:activation_id>/roll-back", "roll_back", roll_back, methods=["POST"])


@needs(*WORKERS)
@needs_fresh_sign_in
def activate(change_id: int) -> ResponseReturnValue:
    """Put a reviewed change in force, now or at a time, with or without a shadow before."""

    def act(_changes: Changes, version: int) -> str:
        activations = svcs.flask.get(Activations)
        at, shadow_from = _moment("activate_at"), _moment("shadow_from")
        if at is None and shadow_from is not None:
            raise InvalidInputError([Fault("/activate_at", "no_time", _("A shadow needs a time at which it ends."))])
        if at is None:
            activations.activate(editor(), change_id, version=version)
            flash(_("It is in force: the next request is decided by it."), "success")
        else:
            activations.schedule(editor(), change_id, version=version, activate_at=at, shadow_from=shadow_from)
            flash(_("It becomes active at the time you gave."), "success")
        return url_for("policy_pages.change", change_id=change_id)

    return acted(change_id, act)


@needs(*WORKERS)
@needs_fresh_sign_in
def unschedule(change_id: int) -> ResponseReturnValue:
    """Take the time away again."""

    def act(_changes: Changes, version: int) -> str:
        svcs.flask.get(Activations).unschedule(editor(), change_id, version=version)
        flash(_("It has no time any more; it stays reviewed."), "success")
        return url_for("policy_pages.change", change_id=change_id)

    return acted(change_id, act)


@needs(*WORKERS)
def shadow(change_id: int) -> ResponseReturnValue:
    """Show what a candidate decided otherwise so far."""
    change = svcs.flask.get(Changes).show(editor(), change_id)
    report = svcs.flask.get(Activations).shadow(editor(), change_id)
    return render_template(
        "policies/shadow.html",
        console="admin",
        change=change,
        tally=report,
        differences=report.differences,
        names=register().names,
        **words_for_templates(policy_catalogue()),
    )


@needs(*WORKERS)
def history() -> ResponseReturnValue:
    """List what was in force for a tier and owner, the newest first."""
    return _page()


@needs("policy_approver")
@needs_fresh_sign_in
def roll_back(activation_id: int) -> ResponseReturnValue:
    """Put an earlier version in force again, as a new activation."""
    try:
        version = svcs.flask.get(Activations).roll_back(
            editor(), activation_id, in_force=seen_version(), reason=request.form.get("reason", "").strip()
        )
    except InvalidInputError as error:
        return _page(error.faults)
    except OwnChangeError:
        return _page([Fault("", "hindered", _("You wrote a part of what would be undone: a second person undoes it."))])
    except (BaseMovedError, NotInStateError) as error:
        return _page([_hindrance(error)])
    flash(_("Rolled back: version %(version)s is in force.", version=version.id), "success")
    return redirect(url_for("policy_pages.activations", place=f"{version.tier}/{version.owner}"), code=303)


def _page(faults: Sequence[Fault] = ()) -> ResponseReturnValue:
    person, offered = current_person(), places()
    asked = request.values.get("place", "")
    place = next((value for value, _text in offered if value == asked), offered[0][0] if offered else "")
    tier, _slash, owner = place.partition("/")
    return render_form(
        "policies/activations.html",
        faults,
        console="admin",
        rows=svcs.flask.get(Activations).history(editor(), tier, owner),
        place=place,
        places=offered,
        kind_words=activation_words(),
        may_roll_back=person.may("policy_approver"),
        names=register().names,
        **words_for_templates(policy_catalogue()),
    )


def _hindrance(error: BaseMovedError | NotInStateError) -> Fault:
    if isinstance(error, BaseMovedError):
        return Fault("", "hindered", _("Another version came into force since you opened this page; look again."))
    return hindrance(error)


def _moment(name: str) -> datetime | None:
    """Read a time as typed, in UTC.

    Raises:
        InvalidInputError: it is none.
    """
    typed = request.form.get(name, "").strip().removesuffix("Z")
    if not typed:
        return None
    for pattern in MOMENTS:
        try:
            return datetime.strptime(typed, pattern).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise InvalidInputError([Fault(f"/{name}", "no_time", _("Write it as YYYY-MM-DD HH:MM."))])
