"""Pages of a person's own account: setting up, what they sign in with, where they are signed in, what they prefer."""

from typing import Any

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from gateway.people import access, links, upstream_views
from gateway.people.access import needs, needs_account, needs_fresh_sign_in, own_account
from gateway.people.desk import desk
from gateway.people.errors import LinkSpentError
from gateway.people.security import next_page, sign_in
from gateway.people.words import role_name, via_name
from gateway.web.pages import CONSOLES


def blueprint() -> Blueprint:
    """Routes of `/account` and `/set-up`; those of Flask-Security stand beside them."""
    pages = Blueprint(
        "people", __name__, template_folder="templates", static_folder="static", static_url_path="/account/static"
    )
    pages.add_url_rule("/set-up/<token>", "set_up", set_up, methods=["GET", "POST"])
    pages.add_url_rule("/account", "account", account)
    pages.add_url_rule("/account/set-up", "choose_factors", choose_factors)
    pages.add_url_rule("/account/taste", "taste", taste, methods=["POST"])
    pages.add_url_rule("/account/authenticator/remove", "remove_authenticator", remove_authenticator, methods=["POST"])
    pages.add_url_rule("/account/sign-ins/end", "end_sign_ins", end_sign_ins, methods=["POST"])
    pages.add_url_rule("/account/home", "home", home)
    upstream_views.add_routes(pages)
    pages.app_template_filter("role_name")(role_name)
    pages.app_template_filter("via_name")(via_name)
    pages.app_context_processor(_known_to_templates)
    return pages


def _known_to_templates() -> dict[str, Any]:
    at = desk()
    return {
        "is_second_factor_required": at.is_second_factor_required,
        "upstream_name": at.upstream.provider.name if at.upstream else None,
        "signed_in": access.signed_in,
        "next_page": next_page,
    }


def set_up(token: str) -> ResponseReturnValue:
    """Show whom a one-time link is for; the POST spends it, so that a preview of the link does not."""
    at = desk()
    if at.is_crowded():
        raise LinkSpentError("too many wrong links from one address")
    try:
        if request.method == "GET":
            with at.database.read() as transaction:
                person = links.look(transaction, token, at.clock())
            return render_template("people/set_up.html", invited=person, token=token)
        with at.database.write() as transaction:
            person = links.spend(transaction, token, at.clock())
    except LinkSpentError:
        at.refuse(None, "one-time link")
        raise
    session.clear()
    sign_in(person)
    return redirect(access.SET_UP, code=303)


@needs_account
def choose_factors() -> ResponseReturnValue:
    """Lead a person to a passkey, or to password and authenticator, until a second factor is there."""
    return render_template("people/choose_factors.html", own=own_account())


@needs_account
def home() -> ResponseReturnValue:
    """Send somebody who has just signed in to the console that their roles open."""
    roles, installed = own_account().role_names, current_app.extensions.get("console_sections", {})
    for console, opening in CONSOLES.items():
        if console in installed and roles & opening:
            return redirect(f"/{console}/", code=303)
    return redirect(access.ACCOUNT, code=303)


@needs_account
def account() -> ResponseReturnValue:
    person = own_account()
    return render_template(
        "people/account.html",
        own=person,
        sign_ins=desk().people.sign_ins(person.username),
        sign_in_id=g.sign_in_id,
    )


@needs_account
def taste() -> ResponseReturnValue:
    """Keep language and colours; the empty choice goes by the browser."""
    language, theme = request.form.get("language") or None, request.form.get("theme") or None
    desk().people.set_taste(own_account().username, language=language, theme=theme)
    flash(_("Your preferences are kept."), "success")
    return redirect(access.ACCOUNT, code=303)


@needs()
@needs_fresh_sign_in
def remove_authenticator() -> ResponseReturnValue:
    """Take the authenticator away from a person who has a passkey; the password goes with it."""
    at, person = desk(), own_account()
    if not person.webauthn:
        flash(_("Add a passkey first: without it nothing would be left to sign in with."), "error")
        return redirect(access.ACCOUNT, code=303)
    person.tf_primary_method = person.tf_totp_secret = person.password = None
    person.totp_counter = person.mf_recovery_codes = None
    at.datastore.put(person)
    at.datastore.note("person.authenticator_removed", person)
    at.datastore.commit()
    flash(_("Password and authenticator are removed. You sign in by passkey."), "success")
    return redirect(access.ACCOUNT, code=303)


@needs_account
def end_sign_ins() -> ResponseReturnValue:
    """End one sign-in of the person, or all but this one."""
    person, chosen = own_account(), request.form.get("sign_in")
    ended = desk().people.end_sign_ins(
        person.username,
        actor=f"person:{person.username}",
        only=[chosen] if chosen else None,
        but=None if chosen else g.sign_in_id,
    )
    flash(_("%(number)d sign-ins ended.", number=ended), "success")
    return redirect(access.ACCOUNT, code=303)
