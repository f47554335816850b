"""Pages about people for administrators: listed, added, given roles, suspended, invited. An agency's reach its own."""

from typing import Any

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from svcs.flask import get as service

from gateway.agencies.service import Agencies
from gateway.errors import AlreadyExistsError, Fault, InvalidInputError, UnknownError
from gateway.people.access import SignedIn, current_person, needs, needs_fresh_sign_in
from gateway.people.desk import desk
from gateway.people.models import Person
from gateway.people.service import People
from gateway.people.words import ROLE_DUTIES, role_name
from gateway.web import navigation
from gateway.web.navigation import Section
from gateway.web.pages import render_form


def install(app: Flask) -> None:
    """Give the administrator's console its section about people."""
    app.register_blueprint(blueprint())
    roles = frozenset({"administrator"})
    navigation.add(app, "admin", [Section("people_admin.people", lazy_gettext("People"), roles, "/admin/people")])


def blueprint() -> Blueprint:
    pages = Blueprint("people_admin", __name__, url_prefix="/admin/people", template_folder="templates")
    pages.add_url_rule("", "people", people)
    pages.add_url_rule("/add", "add", add, methods=["GET", "POST"])
    pages.add_url_rule("/<username>", "person", person)
    pages.add_url_rule("/<username>/roles", "roles", roles, methods=["GET", "POST"])
    pages.add_url_rule("/<username>/upstream", "upstream", upstream, methods=["GET", "POST"])
    pages.add_url_rule("/<username>/suspend", "suspend", suspend, methods=["GET", "POST"])
    pages.add_url_rule("/<username>/resume", "resume", resume, methods=["POST"])
    pages.add_url_rule("/<username>/invite", "invite", invite, methods=["GET", "POST"])
    pages.add_url_rule("/<username>/sign-ins/end", "end_sign_ins", end_sign_ins, methods=["POST"])
    return pages


@needs("administrator")
def people() -> ResponseReturnValue:
    return render_template("people/people.html", people=service(People).people(within=current_person().agency))


@needs("administrator")
def person(username: str) -> ResponseReturnValue:
    reach = _reach()
    return render_template(
        "people/person.html",
        shown=service(People).person(username, **reach),
        sign_ins=service(People).sign_ins(username, **reach),
        is_self=username == current_person().username,
    )


@needs("administrator")
@needs_fresh_sign_in
def add() -> ResponseReturnValue:
    """Register a person; an agency's administrator adds people of that agency only."""
    me = current_person()
    form = request.form
    if request.method == "GET":
        return _add_form(me, {})
    try:
        added = service(People).add(
            form.get("username", "").strip(),
            name=form.get("name", ""),
            agency=me.agency or form.get("agency") or None,
            roles=form.getlist("roles"),
            upstream_subject=form.get("upstream_subject", "").strip() or None,
            actor=me.actor,
            within=me.agency,
        )
    except InvalidInputError as error:
        return _add_form(me, form, error.faults)
    except AlreadyExistsError as error:
        return _add_form(me, form, [Fault("/username", "exists", str(error))])
    except UnknownError as error:
        return _add_form(me, form, [Fault("/agency", "unknown", str(error))])
    flash(_("%(name)s is added. Now give them a link to set up how they sign in.", name=added.name), "success")
    return redirect(url_for("people_admin.person", username=added.username), code=303)


@needs("administrator")
@needs_fresh_sign_in
def roles(username: str) -> ResponseReturnValue:
    """Give a person roles; all their sign-ins end."""
    shown = service(People).person(username, **_reach())
    if request.method == "GET":
        return _roles_form(shown)
    try:
        service(People).set_roles(username, request.form.getlist("roles"), seen=_seen(), **_acting())
    except InvalidInputError as error:
        return _roles_form(shown, error.faults)
    flash(
        _("The roles of %(username)s are set; wherever they were signed in, that has ended.", username=username),
        "success",
    )
    return redirect(url_for("people_admin.person", username=username), code=303)


@needs("administrator")
@needs_fresh_sign_in
def upstream(username: str) -> ResponseReturnValue:
    """Say who a person is at the upstream identity provider."""
    shown = service(People).person(username, **_reach())
    faults: list[Fault] = []
    if request.method == "POST":
        try:
            subject = request.form.get("upstream_subject", "").strip() or None
            service(People).set_upstream(username, subject, **_acting())
        except (InvalidInputError, AlreadyExistsError) as error:
            faults = [Fault("/upstream_subject", "bad_subject", str(error))]
        else:
            flash(_("Kept; wherever they were signed in, that has ended."), "success")
            return redirect(url_for("people_admin.person", username=username), code=303)
    return render_form("people/person_upstream.html", faults, shown=shown)


@needs("administrator")
@needs_fresh_sign_in
def suspend(username: str) -> ResponseReturnValue:
    """Ask why, then shut a person out at once."""
    shown = service(People).person(username, **_reach())
    faults: Any = []
    if request.method == "POST":
        try:
            service(People).suspend(username, reason=request.form.get("reason", ""), **_acting())
        except InvalidInputError as error:
            faults = error.faults
        else:
            flash(_("%(username)s is suspended.", username=username), "success")
            return redirect(url_for("people_admin.person", username=username), code=303)
    return render_form("people/person_suspend.html", faults, shown=shown)


@needs("administrator")
@needs_fresh_sign_in
def resume(username: str) -> ResponseReturnValue:
    service(People).resume(username, **_acting())
    flash(_("%(username)s may sign in again.", username=username), "success")
    return redirect(url_for("people_admin.person", username=username), code=303)


@needs("administrator")
@needs_fresh_sign_in
def invite(username: str) -> ResponseReturnValue:
    """Make a one-time link, shown on this answer and never again; a reset takes away what the person has."""
    shown = service(People).person(username, **_reach())
    can_sign_in = bool(shown.webauthn or shown.password)
    if request.method == "GET":
        return render_template("people/invite.html", shown=shown, can_sign_in=can_sign_in)
    made = service(People).invite(username, reset=request.form.get("reset") == "yes", **_acting())
    return render_template("people/invited.html", shown=shown, invitation=made, origin=desk().console_origin)


@needs("administrator")
@needs_fresh_sign_in
def end_sign_ins(username: str) -> ResponseReturnValue:
    chosen = request.form.get("sign_in")
    ended = service(People).end_sign_ins(username, only=[chosen] if chosen else None, **_acting())
    flash(_("%(number)d sign-ins ended.", number=ended), "success")
    return redirect(url_for("people_admin.person", username=username), code=303)


def _reach() -> dict[str, Any]:
    return {"within": current_person().agency}


def _acting() -> dict[str, Any]:
    me = current_person()
    return {"actor": me.actor, "within": me.agency}


def _seen() -> int:
    text = request.form.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1  # noqa: PLR2004


def _role_choices() -> list[tuple[str, str]]:
    return [(role, f"{role_name(role)}: {duty}") for role, duty in ROLE_DUTIES.items()]


def _add_form(me: SignedIn, values: Any, faults: Any = ()) -> ResponseReturnValue:
    agencies = (
        [] if me.agency else [(agency.code, f"{agency.code}: {agency.name}") for agency in service(Agencies).agencies()]
    )
    chosen = values.getlist("roles") if values else []
    page = {"values": values, "chosen": chosen, "agencies": agencies, "roles": _role_choices()}
    return render_form("people/person_add.html", faults, **page)


def _roles_form(shown: Person, faults: Any = ()) -> ResponseReturnValue:
    chosen = request.form.getlist("roles") if faults else sorted(shown.role_names)
    return render_form("people/person_roles.html", faults, shown=shown, chosen=chosen, roles=_role_choices())
