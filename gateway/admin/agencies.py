"""Pages about agencies: listed, shown, added, changed, suspended and resumed."""

from functools import partial
from typing import Any

import svcs
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from gateway.admin.forms import AgencyChangeForm, AgencyForm, ScopesForm, faults_of, read, sent
from gateway.admin.reach import KEEPERS, agency_in_reach, reachable_agencies, require_national
from gateway.admin.seen import is_as_seen, version
from gateway.admin.suspending import suspend
from gateway.agencies.client_keys import ClientKeys
from gateway.agencies.models import AGENCY_KINDS, Agency
from gateway.agencies.service import Agencies
from gateway.agencies.sources import Sources
from gateway.errors import AlreadyExistsError, InvalidInputError
from gateway.oauth.metadata import SCOPES
from gateway.people.access import current_person, needs, needs_fresh_sign_in
from gateway.records.codes import code_table
from gateway.web.labels import label
from gateway.web.pages import render_form


def add_routes(pages: Blueprint) -> None:
    pages.add_url_rule("/agencies", "agencies", agencies)
    pages.add_url_rule("/agencies/add", "add_agency", add_agency, methods=["GET", "POST"])
    pages.add_url_rule("/agencies/<code>", "agency", agency)
    pages.add_url_rule("/agencies/<code>/change", "change_agency", change_agency, methods=["GET", "POST"])
    pages.add_url_rule("/agencies/<code>/scopes", "agency_scopes", agency_scopes, methods=["GET", "POST"])
    pages.add_url_rule("/agencies/<code>/suspend", "suspend_agency", suspend_agency, methods=["GET", "POST"])
    pages.add_url_rule("/agencies/<code>/resume", "resume_agency", resume_agency, methods=["POST"])


@needs(*KEEPERS)
def agencies() -> str:
    return render_template("admin/agencies.html", agencies=reachable_agencies())


@needs(*KEEPERS)
def agency(code: str) -> str:
    shown = agency_in_reach(code)
    register, client_keys, held = svcs.flask.get(Agencies, ClientKeys, Sources)
    return render_template(
        "admin/agency.html",
        agency=shown,
        version=version(shown),
        clients=register.clients(code),
        keys_of=lambda client: [key for key in client_keys.keys(client.id) if key.revoked_at is None],
        sources=held.sources(code),
    )


@needs("administrator")
@needs_fresh_sign_in
def add_agency() -> ResponseReturnValue:
    """Register an agency; only people of the gateway's own authority do."""
    require_national()
    if request.method == "GET":
        return _form("admin/agency_add.html", {"scopes": ["exchange:request"]})
    try:
        values = read(AgencyForm)
        added = svcs.flask.get(Agencies).add(values.pop("code"), **values, actor=current_person().actor)
    except (InvalidInputError, AlreadyExistsError) as error:
        return _form("admin/agency_add.html", sent(), faults=faults_of(error, "code"))
    flash(_("%(name)s is registered. It can do nothing until a client of it has a key.", name=added.name), "success")
    return redirect(url_for("admin.agency", code=added.code), code=303)


@needs("administrator")
def change_agency(code: str) -> ResponseReturnValue:
    shown = agency_in_reach(code)
    if request.method == "GET":
        return _form("admin/agency_change.html", {}, agency=shown, version=version(shown))
    try:
        values = read(AgencyChangeForm)
        svcs.flask.get(Agencies).change(code, **values, actor=current_person().actor, check=is_as_seen)
    except InvalidInputError as error:
        return _form(
            "admin/agency_change.html", sent(), agency=shown, version=sent().get("version"), faults=error.faults
        )
    flash(_("%(code)s is changed.", code=code), "success")
    return redirect(url_for("admin.agency", code=code), code=303)


@needs("administrator")
@needs_fresh_sign_in
def agency_scopes(code: str) -> ResponseReturnValue:
    """Grant and withdraw what the agency's clients may have."""
    require_national()
    shown = agency_in_reach(code)
    if request.method == "GET":
        return _form("admin/agency_scopes.html", {}, agency=shown, version=version(shown))
    scopes = read(ScopesForm)["scopes"]
    svcs.flask.get(Agencies).set_scopes(code, scopes, actor=current_person().actor, check=is_as_seen)
    flash(_("The rights of %(code)s are set.", code=code), "success")
    return redirect(url_for("admin.agency", code=code), code=303)


@needs("administrator")
@needs_fresh_sign_in
def suspend_agency(code: str) -> ResponseReturnValue:
    """Ask why, then shut an agency out from its next call on."""
    require_national()
    shown = agency_in_reach(code)
    return suspend(
        shown,
        code,
        subject=shown.name,
        consequence=_("All its clients are shut out from their next call on. Its records are not given out either."),
        back=url_for("admin.agency", code=code),
        act=partial(svcs.flask.get(Agencies).suspend, Agency, code),
    )


@needs("administrator")
@needs_fresh_sign_in
def resume_agency(code: str) -> ResponseReturnValue:
    require_national()
    agency_in_reach(code)
    svcs.flask.get(Agencies).resume(Agency, code, actor=current_person().actor, check=is_as_seen)
    flash(_("%(code)s may call again.", code=code), "success")
    return redirect(url_for("admin.agency", code=code), code=303)


def scope_choices() -> list[tuple[str, str]]:
    return [(scope, f"{label('scope', scope)} ({scope})") for scope in SCOPES]


def _form(template: str, values: dict[str, Any], **context: Any) -> ResponseReturnValue:
    return render_form(
        template,
        values=values,
        kinds=[(kind, label("agency_kind", kind)) for kind in AGENCY_KINDS],
        scopes=scope_choices(),
        purposes=[(purpose, label("purpose", purpose)) for purpose in code_table("purpose").words],
        **context,
    )
