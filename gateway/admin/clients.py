"""Pages about client systems and what they may do: shown, added, given scopes, suspended and resumed."""

from functools import partial
from typing import Any

import svcs
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from gateway.admin.forms import ClientForm, ScopesForm, faults_of, read, sent
from gateway.admin.keys import standing
from gateway.admin.reach import KEEPERS, agency_in_reach, client_in_reach
from gateway.admin.seen import is_as_seen, version
from gateway.admin.suspending import suspend
from gateway.agencies.client_keys import ClientKeys
from gateway.agencies.models import Client
from gateway.agencies.service import Agencies
from gateway.clock import utc_now
from gateway.errors import AlreadyExistsError, InvalidInputError
from gateway.people.access import current_person, needs, needs_fresh_sign_in
from gateway.web.labels import label
from gateway.web.pages import render_form


def add_routes(pages: Blueprint) -> None:
    pages.add_url_rule("/agencies/<code>/clients/add", "add_client", add_client, methods=["GET", "POST"])
    pages.add_url_rule("/clients/<client_id>", "client", client)
    pages.add_url_rule("/clients/<client_id>/scopes", "client_scopes", client_scopes, methods=["GET", "POST"])
    pages.add_url_rule("/clients/<client_id>/suspend", "suspend_client", suspend_client, methods=["GET", "POST"])
    pages.add_url_rule("/clients/<client_id>/resume", "resume_client", resume_client, methods=["POST"])


@needs(*KEEPERS)
def client(client_id: str) -> str:
    shown = client_in_reach(client_id)
    keys, now = svcs.flask.get(ClientKeys).keys(client_id), utc_now()
    return render_template(
        "admin/client.html",
        client=shown,
        version=version(shown),
        agency=agency_in_reach(shown.agency_code),
        keys=[(key, standing(key, now)) for key in keys],
    )


@needs("administrator")
@needs_fresh_sign_in
def add_client(code: str) -> ResponseReturnValue:
    agency = agency_in_reach(code)
    page: dict[str, Any] = {"agency": agency, "scopes": _choices(agency.scopes)}
    if request.method == "GET":
        return render_form("admin/client_add.html", values={"scopes": ["exchange:request"]}, **page)
    try:
        values = read(ClientForm)
        added = svcs.flask.get(Agencies).add_client(
            f"{code}.{values['system']}", name=values["name"], scopes=values["scopes"], actor=current_person().actor
        )
    except (InvalidInputError, AlreadyExistsError) as error:
        return render_form("admin/client_add.html", faults_of(error, "system"), values=sent(), **page)
    flash(_("%(id)s is registered. Give it a key.", id=added.id), "success")
    return redirect(url_for("admin.client", client_id=added.id), code=303)


@needs("administrator")
@needs_fresh_sign_in
def client_scopes(client_id: str) -> ResponseReturnValue:
    shown = client_in_reach(client_id)
    page: dict[str, Any] = {"client": shown, "scopes": _choices(agency_in_reach(shown.agency_code).scopes)}
    if request.method == "GET":
        return render_form("admin/client_scopes.html", values={"scopes": shown.scopes}, version=version(shown), **page)
    try:
        scopes = read(ScopesForm)["scopes"]
        svcs.flask.get(Agencies).set_client_scopes(client_id, scopes, actor=current_person().actor, check=is_as_seen)
    except InvalidInputError as error:
        values = sent()
        return render_form(
            "admin/client_scopes.html", error.faults, values=values, version=values.get("version"), **page
        )
    flash(_("The rights of %(id)s are set.", id=client_id), "success")
    return redirect(url_for("admin.client", client_id=client_id), code=303)


@needs("administrator")
@needs_fresh_sign_in
def suspend_client(client_id: str) -> ResponseReturnValue:
    """Ask why, then shut a client out from its next call on."""
    shown = client_in_reach(client_id)
    return suspend(
        shown,
        client_id,
        subject=shown.id,
        consequence=_("It is shut out from its next call on, and the tokens it has end."),
        back=url_for("admin.client", client_id=client_id),
        act=partial(svcs.flask.get(Agencies).suspend, Client, client_id),
    )


@needs("administrator")
@needs_fresh_sign_in
def resume_client(client_id: str) -> ResponseReturnValue:
    client_in_reach(client_id)
    svcs.flask.get(Agencies).resume(Client, client_id, actor=current_person().actor, check=is_as_seen)
    flash(_("%(code)s may call again.", code=client_id), "success")
    return redirect(url_for("admin.client", client_id=client_id), code=303)


def _choices(scopes: list[str]) -> list[tuple[str, str]]:
    return [(scope, f"{label('scope', scope)} ({scope})") for scope in scopes]
