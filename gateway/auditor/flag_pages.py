"""Flags in the auditor's console: what is odd, why, and what came of it."""

import svcs
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from gateway.auditor import addresses
from gateway.auditor.addresses import ROLE
from gateway.auditor.flag_methods import KINDS
from gateway.auditor.flags import STATUSES, Flags
from gateway.auditor.looking import Looks
from gateway.auditor.scope import of_person
from gateway.auditor.search import PAGE_ROWS
from gateway.errors import InvalidInputError
from gateway.people.access import current_person, needs
from gateway.web import labels


@needs(ROLE)
def flags() -> ResponseReturnValue:
    """List flags, the newest first."""
    scope = of_person(current_person())
    given = addresses.given()
    shown = {
        "given": given,
        "agencies": addresses.agencies(),
        "people": [(name, name) for name in dict.fromkeys([scope.actor, *svcs.flask.get(Flags).auditors(scope)])],
        "kinds": [(kind, labels.label("flag", kind)) for kind in KINDS],
        "statuses": [(status, labels.label("flag_status", status)) for status in STATUSES],
    }
    try:
        after = addresses.after("flags", scope, given)
        page = svcs.flask.get(Flags).list(scope, given, after=after, limit=PAGE_ROWS)
    except InvalidInputError as error:
        return render_template("audit/flags.html", faults=error.faults, page=None, **shown), 422
    if after is None:
        svcs.flask.get(Looks).searched(scope, "flags", given, page.total)
    older = addresses.older("flags", scope, given, page.after)
    return render_template("audit/flags.html", page=page, older=older, is_first=after is None, **shown)


@needs(ROLE)
def flag(flag_id: str) -> ResponseReturnValue:
    """Show one flag: its reason, the exchanges it is about, what was said of it."""
    page = _shown(flag_id)
    svcs.flask.get(Looks).opened(of_person(current_person()), f"flag:{flag_id}")
    return page


@needs(ROLE)
def mark_flag(flag_id: str) -> ResponseReturnValue:
    """Say what came of the flag that the form shows: status, assignee, note. It is an act of the log."""
    scope = of_person(current_person())
    given = {name: request.form.get(name, "").strip() for name in ("status", "assignee", "note")}
    seen = request.form.get("version", "")
    try:
        svcs.flask.get(Flags).mark(scope, flag_id, given, seen=seen)
    except InvalidInputError as error:
        return _shown(flag_id, faults=error.faults, given={**given, "version": seen}), 422
    flash(gettext("Saved."), "success")
    return redirect(url_for("audit_pages.flag", flag_id=flag_id), code=303)


def _shown(flag_id: str, **more: object) -> str:
    scope, service = of_person(current_person()), svcs.flask.get(Flags)
    found = service.show(scope, flag_id)
    people = dict.fromkeys([*filter(None, [found.assignee]), scope.actor, *service.auditors(scope)])
    return render_template(
        "audit/flag.html",
        found=found,
        **{
            "given": {
                "status": found.status,
                "assignee": found.assignee,
                "note": found.note,
                "version": found.version,
            },
            "people": [("", gettext("nobody")), *((name, name) for name in people)],
            "statuses": [(status, labels.label("flag_status", status)) for status in STATUSES],
            **more,
        },
    )
