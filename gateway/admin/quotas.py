"""Pages about how much an agency or a client may ask for."""

from collections.abc import Callable
from typing import Any

import svcs
from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from gateway.admin.forms import QuotaForm, read, sent
from gateway.admin.reach import agency_in_reach, client_in_reach, require_national
from gateway.admin.seen import is_as_seen, version
from gateway.agencies.quotas import LIMITS, Quotas
from gateway.errors import InvalidInputError
from gateway.people.access import current_person, needs, needs_fresh_sign_in
from gateway.web.pages import render_form


def add_routes(pages: Blueprint) -> None:
    pages.add_url_rule("/agencies/<code>/quota", "agency_quota", agency_quota, methods=["GET", "POST"])
    pages.add_url_rule("/clients/<client_id>/quota", "client_quota", client_quota, methods=["GET", "POST"])


@needs("administrator")
@needs_fresh_sign_in
def agency_quota(code: str) -> ResponseReturnValue:
    """Limit an agency; only people of the gateway's own authority do."""
    require_national()
    agency_in_reach(code)
    return _edit(code, lambda: url_for("admin.agency", code=code))


@needs("administrator")
@needs_fresh_sign_in
def client_quota(client_id: str) -> ResponseReturnValue:
    """Limit one client; its agency's own administrators may, within what the agency has."""
    client_in_reach(client_id)
    return _edit(client_id, lambda: url_for("admin.client", client_id=client_id))


def _edit(subject: str, back: Callable[[], str]) -> ResponseReturnValue:
    quotas = svcs.flask.get(Quotas)
    present = quotas.of(subject)
    page: dict[str, Any] = {"subject": subject, "back": back(), "used": quotas.used(subject)}
    if request.method == "GET":
        values = {name: getattr(present, name) for name in LIMITS}
        return render_form("admin/quota.html", values=values, version=version(present), **page)
    try:
        quotas.set(subject, **read(QuotaForm), actor=current_person().actor, check=is_as_seen)
    except InvalidInputError as error:
        values = sent()
        return render_form("admin/quota.html", error.faults, values=values, version=values.get("version"), **page)
    flash(_("The quota of %(code)s is set.", code=subject), "success")
    return redirect(back(), code=303)
