"""Puts Flask-Security to work: its defaults are for a web shop, these are for people who release records."""

import hmac
import re
import time
from collections.abc import Callable, Collection
from typing import Any, Final

from flask import Flask, Request, abort, after_this_request, g, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_login import user_logged_out
from flask_security import Security
from flask_security.signals import (
    password_changed,
    tf_disabled,
    tf_profile_changed,
    user_authenticated,
    user_failed_authn,
    wan_deleted,
    wan_registered,
)
from flask_security.utils import set_request_attr
from flask_wtf import CSRFProtect
from sqlalchemy.orm import Session
from werkzeug.exceptions import MisdirectedRequest
from werkzeug.wrappers import Response

from gateway.people import access, forms, sign_ins
from gateway.people.configuration import configuration
from gateway.people.desk import EXTENSION, Desk, desk
from gateway.people.factors import HashedRecoveryCodes, OwnOriginWebauthn, SingleUseTotp
from gateway.people.models import Person
from gateway.web.current import current_request
from gateway.web.language import remember_taste_of

TOKENS_ONLY: Final = ("/v1/", "/oauth/", "/log/", "/witness/")
"""Paths whose callers prove themselves by tokens or signatures and never by a cookie, so that no form can be forged."""
CHANGES_FACTORS: Final = frozenset(
    f"security.{name}"
    for name in ("change_password", "wan_register", "wan_delete", "two_factor_setup", "mf_recovery_codes")
)
ABSENT: Final = frozenset({"security.two_factor_rescue", "security.tf_select", "security.static"})
"""Routes of Flask-Security that cannot be switched off: help by mail, a choice among one, scripts of its own pages."""
OWN_PAGE: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""A path of this gateway with its query, in the characters an address has; no backslash, which browsers turn round."""
VIA: Final = {
    "security.two_factor_token_validation": "password and code",
    "security.mf_recovery": "password and recovery code",
    "security.wan_signin_response": "passkey",
    "security.login": "password",
    "security.change_password": "password changed",
    "people.set_up": "one-time link",
    "people.upstream_return": "upstream",
}


class ConsoleSessions(SecureCookieSessionInterface):
    """No cookie is looked at where callers prove themselves by tokens."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if request.path.startswith(TOKENS_ONLY):
            return self.make_null_session(app)
        return super().open_session(app, request)


def install(app: Flask, at: Desk) -> None:
    """Give an application sign-in, sessions and protection from forged forms."""
    app.extensions[EXTENSION] = at
    app.config.from_mapping(configuration(at))
    app.session_interface = ConsoleSessions()
    others = [*app.before_request_funcs.get(None, ()), *app.after_request_funcs.get(None, ())]
    csrf = CSRFProtect(app)

    @app.before_request
    def _guard() -> None:
        if request.method not in {"GET", "HEAD", "OPTIONS", "TRACE"}:
            csrf.protect()

    security = Security(
        app,
        at.datastore,
        login_form=forms.SignInForm,
        verify_form=forms.ConfirmForm,
        two_factor_rescue_form=forms.HelpForm,
        two_factor_setup_form=forms.AuthenticatorForm,
        two_factor_verify_code_form=forms.CodeForm,
        mf_recovery_form=forms.RecoveryForm,
        mf_recovery_codes_form=forms.RecoveryCodesForm,
        wan_register_form=forms.PasskeyForm,
        wan_signin_response_form=forms.PasskeyAnswerForm,
        totp_cls=SingleUseTotp,
        webauthn_util_cls=OwnOriginWebauthn,
        mf_recovery_codes_util_cls=HashedRecoveryCodes,
    )
    security.login_manager.user_loader(_signed_in)
    security.login_manager.request_loader(_by_no_token)
    security.unauthn_handler(_to_sign_in)
    security.reauthn_handler(lambda *_: access.away(access.CONFIRM))
    security.want_json(lambda _: False)
    app.before_request(_before_a_sign_in_page)
    app.after_request(_uncached)
    _spare_programs(app, others)
    remember_taste_of(app, _taste)
    _connect(app)


def _spare_programs(app: Flask, others: Collection[Callable[..., Any]]) -> None:
    """Let sessions be looked after only where people come: one look at the path for all hooks but those of others."""
    before, after = app.before_request_funcs[None], app.after_request_funcs[None]
    asked = [hook for hook in before if hook not in others]
    told = [hook for hook in reversed(after) if hook not in others]
    before[:] = [hook for hook in before if hook in others]
    after[:] = [hook for hook in after if hook in others]

    @app.before_request
    def _ask() -> ResponseReturnValue | None:
        if current_request().path.startswith(TOKENS_ONLY):
            return None
        answers = (app.ensure_sync(hook)() for hook in asked)
        return next((answer for answer in answers if answer is not None), None)

    @app.after_request
    def _tell(response: Any) -> Any:
        if not current_request().path.startswith(TOKENS_ONLY):
            for hook in told:
                response = app.ensure_sync(hook)(response)
        return response


def _taste() -> tuple[str | None, str | None]:
    person = access.signed_in()
    return (person.language, person.theme) if person else (None, None)


def sign_in(person: Person) -> None:
    """Sign a person in whose proof has been taken outside Flask-Security: a one-time link, an upstream provider."""
    from flask_security.utils import login_user  # noqa: PLC0415  (needs the extension to be there)

    login_user(person, remember=False)


def _signed_in(user_id: str) -> Person | None:
    """Load the person of a session: only while its sign-in is open, whatever the cookie says."""
    token = session.get("sign_in")
    found = desk().sign_ins.current(token) if isinstance(token, str) else None
    if found is None or not hmac.compare_digest(found.person.fs_uniquifier, user_id):
        return None
    person = found.person
    if found.via == VIA["people.set_up"] and not person.has_second_factor:
        session["fs_paa"] = time.time()  # there is nothing yet to confirm with
    g.sign_in_id, g.sign_in_via = found.id, found.via
    set_request_attr("fs_authn_via", "session")
    set_request_attr("fs_paa", session.get("fs_paa", 0))
    return person


def _to_sign_in(_mechanisms: list[str], headers: dict[str, str] | None = None) -> Response:
    del headers
    return access.away(access.SIGN_IN)


def _by_no_token(_request: Any) -> None:
    """Let no token of Flask-Security's sign anybody in."""


def _before_a_sign_in_page() -> ResponseReturnValue | None:
    if request.blueprint not in {"security", "people"}:
        return None
    if request.host not in desk().hosts:
        raise MisdirectedRequest
    if request.endpoint in ABSENT:
        abort(404)
    for asked in (request.args.get("next"), request.form.get("next")):
        if asked and wanted_page(asked) is None:
            abort(400)
    if request.endpoint in CHANGES_FACTORS and access.signed_in() is not None and not access.is_fresh():
        return access.away(access.CONFIRM)
    return None


def wanted_page(asked: str) -> str | None:
    """Give the page of this gateway that somebody wants to come to afterwards; None: it is somewhere else."""
    for origin in (desk().origin, desk().console_origin):
        asked = asked.removeprefix(origin) if asked.startswith(origin + "/") else asked
    return asked if OWN_PAGE.fullmatch(asked) else None


def next_page() -> str:
    """Give the page to come to after this one, for the form to carry on; empty: the usual."""
    page = wanted_page(request.form.get("next") or request.args.get("next") or "")
    return "" if page is None or page.startswith(access.SIGN_IN) else page


def _uncached(response: Response) -> Response:
    if request.blueprint in {"security", "people"}:
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "same-origin"
    return response


def _connect(app: Flask) -> None:
    """Listen to what Flask-Security did, to write it down with it."""
    # Signals hold their receivers weakly: the application keeps these.
    receivers: list[Any] = [
        (user_authenticated, _begin),
        (user_failed_authn, _refuse),
        (password_changed, _noting("person.password_changed")),
        (tf_profile_changed, _noting("person.authenticator_set")),
        (tf_disabled, _noting("person.authenticator_removed")),
        (wan_registered, _noting("person.passkey_added")),
        (wan_deleted, _noting("person.passkey_removed")),
        (user_logged_out, _end),
    ]
    app.extensions[f"{EXTENSION}_receivers"] = receivers
    for signal, receiver in receivers:
        signal.connect(receiver, sender=app)


def _begin(_app: Flask, *, user: Any, **_: Any) -> None:
    """Write the sign-in in the transaction of what was proved; a password change ends all others."""
    at = desk()
    person: Person = user._get_current_object() if hasattr(user, "_get_current_object") else user  # noqa: SLF001
    endpoint = request.endpoint or ""
    address, agent = at.address(), request.user_agent.string

    def step(transaction: Session) -> None:
        stored = transaction.get_one(Person, person.id)
        if endpoint == "security.change_password":
            sign_ins.end(transaction, person.id, at.clock(), "password changed")
        at.locks.forget(transaction, stored)
        via = VIA.get(endpoint, "password")
        session["sign_in"] = at.sign_ins.begin(transaction, stored, via=via, address=address, agent=agent)

    at.datastore.also(step)
    session.pop("csrf_token", None)  # whoever knew the session before must not know its forms
    g.pop("csrf_token", None)
    session.pop("password_at", None)
    after_this_request(_committed)


def _committed(response: Response) -> Response:
    desk().datastore.commit()
    return response


def _end(_app: Flask, **_: Any) -> None:
    token = session.pop("sign_in", None)
    if isinstance(token, str):
        desk().sign_ins.end(token, "signed out")


def _refuse(_app: Flask, *, user: Any, auth_type: str, **_: Any) -> None:
    if auth_type != "passkey":  # its form writes that down, with all other ways in which a passkey is refused
        desk().refuse(user._get_current_object() if hasattr(user, "_get_current_object") else user, auth_type)  # noqa: SLF001


def _noting(act: str) -> Any:
    def receive(_app: Flask, *, user: Any, name: str | None = None, **_: Any) -> None:
        desk().datastore.note(act, user, {"name": name} if name else None)

    return receive
