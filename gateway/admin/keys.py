"""Pages about clients' keys: those that end soon first; added, replaced, suspended, revoked."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, Literal

import svcs
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from gateway.admin.forms import DAYS_MAX, KeyForm, ReasonForm, faults_of, lifetime, read, read_jwk, sent
from gateway.admin.reach import KEEPERS, client_in_reach, reachable_agencies
from gateway.admin.waiting import Waiting
from gateway.agencies.client_keys import ClientKeys
from gateway.agencies.key_warnings import warnings_of
from gateway.agencies.models import ClientKey
from gateway.clock import utc_now
from gateway.errors import AlreadyExistsError, InvalidInputError, UnknownError
from gateway.people.access import SignedIn, current_person, needs, needs_fresh_sign_in
from gateway.web.pages import render_form

Standing = Literal["active", "suspended", "revoked", "expired"]
SHOWN: Final = ("live", "all")


def add_routes(pages: Blueprint) -> None:
    pages.add_url_rule("/keys", "keys", keys)
    pages.add_url_rule("/clients/<client_id>/keys/add", "add_key", add_key, methods=["GET", "POST"])
    pages.add_url_rule("/clients/<client_id>/keys/<kid>/revoke", "revoke_key", revoke_key, methods=["GET", "POST"])
    pages.add_url_rule("/clients/<client_id>/keys/<kid>/suspend", "suspend_key", suspend_key, methods=["GET", "POST"])
    pages.add_url_rule("/clients/<client_id>/keys/<kid>/resume", "resume_key", resume_key, methods=["POST"])


def standing(key: ClientKey, now: datetime) -> Standing:
    """Say in one word what a key is good for now."""
    if key.revoked_at is not None:
        return "revoked"
    if key.valid_until <= now:
        return "expired"
    return "suspended" if key.suspended_at is not None else "active"


@needs(*KEEPERS)
def keys() -> str:
    shown = request.args.get("show", "live")
    now = utc_now()
    found = [(key, standing(key, now)) for key in _reachable()]
    if shown != "all":
        found = [(key, state) for key, state in found if state in {"active", "suspended"}]
    return render_template(
        "admin/keys.html", keys=[(key, state, _days_left(key, now)) for key, state in found], shows_all=shown == "all"
    )


def waiting_keys(person: SignedIn) -> Iterator[Waiting]:
    """Tell administrators of clients that have no key left, and of last keys that end within 30 days."""
    if not person.may("administrator"):
        return
    now = utc_now()
    known = _reachable()
    live = [key for key in known if standing(key, now) == "active"]
    served = {key.client_id for key in live}
    for client_id in sorted({key.client_id for key in known if standing(key, now) == "expired"} - served):
        said = _("The last key of %(client)s has ended", client=client_id)
        yield Waiting(said, url_for("admin.client", client_id=client_id), is_late=True)
    for key in live:
        passed = warnings_of(key.valid_until, now)
        later = any(other.client_id == key.client_id and other.valid_until > key.valid_until for other in live)
        if passed and not later:
            days = _days_left(key, now)
            yield Waiting(
                ngettext(
                    "The last key of %(client)s ends in %(num)s day",
                    "The last key of %(client)s ends in %(num)s days",
                    days,
                    client=key.client_id,
                ),
                url_for("admin.client", client_id=key.client_id),
                is_late=len(passed) > 1,
            )


@needs("administrator")
@needs_fresh_sign_in
def add_key(client_id: str) -> ResponseReturnValue:
    """Register a public key; those the client has go on, so this is also the first half of a rotation."""
    client = client_in_reach(client_id)
    page: dict[str, Any] = {"client": client, "days_max": DAYS_MAX, "replaced": request.values.get("replaces")}
    if request.method == "GET":
        return render_form("admin/key_add.html", values={"days": DAYS_MAX}, **page)
    try:
        values = read(KeyForm)
        key = svcs.flask.get(ClientKeys).add(
            client_id, read_jwk(values["jwk"]), actor=current_person().actor, lifetime=lifetime(values["days"])
        )
    except (InvalidInputError, AlreadyExistsError) as error:
        return render_form("admin/key_add.html", faults_of(error, "jwk"), values=sent(), **page)
    flash(_("Key %(kid)s is registered and works from now on.", kid=key.kid), "success")
    return redirect(url_for("admin.client", client_id=client_id), code=303)


@needs("administrator")
@needs_fresh_sign_in
def revoke_key(client_id: str, kid: str) -> ResponseReturnValue:
    return _end(client_id, kid, is_for_good=True)


@needs("administrator")
@needs_fresh_sign_in
def suspend_key(client_id: str, kid: str) -> ResponseReturnValue:
    return _end(client_id, kid, is_for_good=False)


@needs("administrator")
@needs_fresh_sign_in
def resume_key(client_id: str, kid: str) -> ResponseReturnValue:
    client_in_reach(client_id)
    svcs.flask.get(ClientKeys).resume(client_id, kid, actor=current_person().actor)
    flash(_("Key %(kid)s works again.", kid=kid), "success")
    return redirect(url_for("admin.client", client_id=client_id), code=303)


def _end(client_id: str, kid: str, *, is_for_good: bool) -> ResponseReturnValue:
    client = client_in_reach(client_id)
    service = svcs.flask.get(ClientKeys)
    key = next((one for one in service.keys(client_id) if one.kid == kid), None)
    if key is None:
        raise UnknownError(f"client {client_id} has no key {kid}")
    others = [one for one in service.keys(client_id) if one.kid != kid and standing(one, utc_now()) == "active"]
    page: dict[str, Any] = {"client": client, "key": key, "is_for_good": is_for_good, "is_last": not others}
    if request.method == "GET":
        return render_form("admin/key_end.html", **page)
    try:
        reason = read(ReasonForm)["reason"]
    except InvalidInputError as error:
        return render_form("admin/key_end.html", error.faults, **page)
    act = service.revoke if is_for_good else service.suspend
    act(client_id, kid, reason=reason, actor=current_person().actor)
    said = _("Key %(kid)s is revoked.", kid=kid) if is_for_good else _("Key %(kid)s is suspended.", kid=kid)
    flash(said, "success")
    return redirect(url_for("admin.client", client_id=client_id), code=303)


def _reachable() -> list[ClientKey]:
    codes = {agency.code for agency in reachable_agencies()}
    service = svcs.flask.get(ClientKeys)
    return [key for key in service.keys(None) if key.client_id.partition(".")[0] in codes]


def _days_left(key: ClientKey, now: datetime) -> int:
    return max(0, (key.valid_until - now).days)
