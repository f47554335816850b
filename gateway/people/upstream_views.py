"""The way to the upstream identity provider and back: to sign in, and to confirm."""

import time
from dataclasses import asdict

from flask import Blueprint, abort, flash, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_security.proxies import _security

from gateway.people import access
from gateway.people.desk import Desk, desk
from gateway.people.models import Person
from gateway.people.security import next_page, sign_in
from gateway.people.upstream import Arrival, Departure, UpstreamError


def add_routes(pages: Blueprint) -> None:
    pages.add_url_rule("/sign-in/upstream", "upstream", depart, methods=["POST"])
    pages.add_url_rule("/sign-in/upstream/return", "upstream_return", arrive)


def depart() -> ResponseReturnValue:
    """Send a person to the provider; somebody signed in goes there to confirm who they are."""
    at = desk()
    if at.upstream is None:
        abort(404)
    again = access.signed_in() is not None
    departure = at.upstream.depart(again=again)
    session["upstream"] = asdict(departure) | {"again": again, "next": next_page() or access.HOME}
    return redirect(departure.url, code=303)


def arrive() -> ResponseReturnValue:
    """Take a person in who comes back; nobody is made on the way: the subject must be a person's already."""
    at = desk()
    waiting = session.pop("upstream", None)
    if at.upstream is None or waiting is None:
        return _refused(at, None, "nobody was sent there")
    again, page = waiting.pop("again"), waiting.pop("next")
    try:
        arrival = at.upstream.arrive(Departure(**waiting), request.args, again=again)
    except UpstreamError as error:
        return _refused(at, None, f"upstream: {error.reason}")
    person = at.datastore.find_user(upstream_subject=arrival.subject)
    if person is None or not person.active:
        return _refused(at, person, "upstream: nobody here")
    return _confirm(at, person, arrival, page) if again else _enter(at, person, arrival, page)


def _enter(at: Desk, person: Person, arrival: Arrival, page: str) -> ResponseReturnValue:
    if at.is_second_factor_required and not arrival.is_multi_factor:
        if not person.tf_totp_secret:
            return _refused(at, person, "upstream: no second factor")
        session["password_at"] = int(time.time())
        answer: ResponseReturnValue | None = _security.two_factor_plugins.tf_enter(person, False, "upstream", page)  # noqa: FBT003
        if answer is not None:
            return answer
    sign_in(person)
    return redirect(page, code=303)


def _confirm(at: Desk, person: Person, arrival: Arrival, page: str) -> ResponseReturnValue:
    current = access.signed_in()
    if current is None or current.username != person.username:
        return _refused(at, person, "upstream: another person confirmed")
    if at.is_second_factor_required and not arrival.is_multi_factor:
        return _refused(at, person, "upstream: no second factor")
    session["fs_paa"] = time.time()
    at.datastore.note("person.confirmed", person, {"via": "upstream"})
    at.datastore.commit()
    return redirect(page, code=303)


def _refused(at: Desk, person: Person | None, why: str) -> ResponseReturnValue:
    at.refuse(person, why, counted=False)
    flash(_("The identity provider's answer was not accepted. Try again, or sign in another way."), "error")
    return redirect(access.CONFIRM if access.signed_in() else access.SIGN_IN, code=303)
