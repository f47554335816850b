"""The page that asks why something is to be shut out, and does it: the same for agencies, clients and sources."""

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from gateway.admin.forms import ReasonForm, read
from gateway.admin.seen import is_as_seen, version
from gateway.agencies.models import Agency, Client, Source
from gateway.errors import InvalidInputError
from gateway.people.access import current_person
from gateway.web.pages import render_form


def suspend(
    row: Agency | Client | Source,
    name: str,
    *,
    subject: str,
    consequence: str,
    back: str,
    act: Callable[..., Any],
) -> ResponseReturnValue:
    """Ask for the reason, then suspend.

    Args:
        row: what is suspended, as it is shown.
        name: its key, for the word that it is done.
        subject: what the page's heading calls it.
        consequence: what follows, in a sentence.
        back: the page it came from.
        act: suspends it; takes `reason`, `actor` and `check`.
    """
    page: dict[str, Any] = {"version": version(row), "subject": subject, "back": back, "consequence": consequence}
    if request.method == "GET":
        return render_form("admin/suspend.html", **page)
    try:
        reason = read(ReasonForm)["reason"]
    except InvalidInputError as error:
        return render_form("admin/suspend.html", error.faults, **page)
    act(reason=reason, actor=current_person().actor, check=is_as_seen)
    flash(_("%(code)s is suspended.", code=name), "success")
    return redirect(back, code=303)
