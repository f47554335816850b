"""Forms of the sign-in pages: Flask-Security's, made stricter where their own checks leave something open."""

import hashlib
import time
from typing import Any, Final

from flask import session
from flask_babel import lazy_gettext as _
from flask_login import current_user
from flask_security.forms import LoginForm, TwoFactorRescueForm, TwoFactorSetupForm, VerifyForm
from flask_security.forms import TwoFactorVerifyCodeForm as CodeFormOfTheirs
from flask_security.proxies import _security
from flask_security.recovery_codes import MfRecoveryCodesForm, MfRecoveryForm
from flask_security.webauthn import WebAuthnRegisterForm, WebAuthnSigninResponseForm
from wtforms import HiddenField, StringField

from gateway.oauth.replay import ReplayedError, SeenKey
from gateway.people.desk import desk

REFUSED: Final = _("Username, password or code are not right, or there were too many tries. Wait a minute or two.")
"""One answer for all causes: which of them it was would help whoever guesses."""
PASSKEY_REFUSED: Final = _("The passkey was not accepted. Try again, or sign in another way.")
BETWEEN_FACTORS_SECONDS: Final = 600
CHALLENGE_SECONDS: Final = 3600


class SignInForm(LoginForm):
    """Username and password; what follows is the code."""

    email = HiddenField()  # theirs wants it to be there
    remember = None
    username = StringField()

    def validate(self, **kwargs: Any) -> bool:
        at = desk()
        if at.is_crowded():
            return _refused(self.form_errors)
        # The longest name there can be; more would only fill queries.
        name = str(self.username.data or "").strip().lower()[:63]
        self.ifield = self.username
        self.user = at.datastore.find_user(username=name) if name else None
        locked = self.user is not None and at.locks.is_locked(self.user)
        if locked:
            at.refuse(self.user, "locked", counted=False)
            self.user = None
        known = self.user
        if not super().validate(**kwargs):
            if known is None and self.password.data and not locked:
                at.refuse(None, "password")
            self.username.errors = self.password.errors = []
            return _refused(self.form_errors)
        if at.is_second_factor_required and not known.tf_totp_secret:  # type: ignore[union-attr]
            # A password alone must not let anybody choose the second factor.
            at.refuse(known, "no second factor", counted=False)
            return _refused(self.form_errors)
        session["password_at"] = int(time.time())
        return True


class AuthenticatorForm(TwoFactorSetupForm):
    """Begins to set an authenticator up; there is no other second factor to choose."""

    setup = StringField()


class HelpForm(TwoFactorRescueForm):
    """Stands in for help by mail, which there is not."""

    help_setup = StringField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help_setup.choices = []


class CodeForm(CodeFormOfTheirs):
    """The authenticator's code: after the password, or when the authenticator is set up."""

    def validate(self, **kwargs: Any) -> bool:
        at, person = desk(), _person(self.user)
        if self.is_setup:
            person.totp_counter = None  # of the authenticator before
        elif at.is_crowded() or at.locks.is_locked(person) or not _password_is_recent():
            at.refuse(person, "locked", counted=False)
            return _refused(self.form_errors)
        if super().validate(**kwargs):
            return True
        self.code.errors = [REFUSED]
        return False


class RecoveryForm(MfRecoveryForm):
    """A recovery code instead of the authenticator's."""

    def validate(self, **kwargs: Any) -> bool:
        at, person = desk(), _person(self.user)
        if at.is_crowded() or at.locks.is_locked(person) or not _password_is_recent():
            at.refuse(person, "locked", counted=False)
            return _refused(self.form_errors)
        if super().validate(**kwargs):
            at.datastore.note("person.recovery_code_used", person, {"left": len(person.mf_recovery_codes or []) - 1})
            return True
        at.refuse(person, "recovery code")
        self.code.errors = [REFUSED]
        return False


class RecoveryCodesForm(MfRecoveryCodesForm):
    show_codes = None


class ConfirmForm(VerifyForm):
    """Password, and the authenticator's code where there is one: the second look before a dangerous act."""

    code = StringField()

    def validate(self, **kwargs: Any) -> bool:
        at, person = desk(), _person(self.user)
        if at.is_crowded() or at.locks.is_locked(person) or not person.password:
            at.refuse(person, "locked", counted=False)
            return _refused(self.form_errors)
        if not super().validate(**kwargs):
            self.password.errors = []
            return _refused(self.form_errors)
        if person.tf_totp_secret and not _security.totp_factory.verify_totp(
            token=str(self.code.data or ""), totp_secret=person.tf_totp_secret, user=person, window=30
        ):
            at.refuse(person, "code")
            return _refused(self.form_errors)
        at.datastore.note("person.confirmed", person, {"via": "password"})
        return True


class PasskeyForm(WebAuthnRegisterForm):
    """A new passkey: always one that signs in by itself."""

    usage = HiddenField(default="first")

    def validate(self, **kwargs: Any) -> bool:
        self.usage.data = "first"
        return bool(super().validate(**kwargs))


class PasskeyAnswerForm(WebAuthnSigninResponseForm):
    """What the browser answered to a challenge, to sign in or to confirm."""

    def validate(self, **kwargs: Any) -> bool:
        at = desk()
        person: Any = None
        if at.is_crowded():
            return _refused(self.form_errors)
        holds = super().validate(**kwargs)
        person = self.user
        # Theirs goes on after "disabled", and lets any person's passkey confirm for another.
        if not holds or self.credential.errors or not person.is_active or not self.mf_check:
            at.refuse(person, "passkey", counted=False)
            return self._refused()
        if self.is_verify and person.id != current_user.id:
            at.refuse(person, "passkey of another", counted=False)
            return self._refused()
        if not self._use_up():
            at.refuse(person, "passkey replayed", counted=False)
            return self._refused()
        if self.is_verify:
            at.datastore.note("person.confirmed", person, {"via": "passkey"})
        return True

    def _use_up(self) -> bool:
        """Let a challenge count once: many passkeys report no count of their uses by which a replay would show."""
        at = desk()
        until = int(at.clock().timestamp()) + CHALLENGE_SECONDS
        key = hashlib.sha256(b"passkey challenge\x00" + self.challenge.encode()).digest()
        try:
            with at.database.write() as transaction:
                at.used.consume(transaction, [SeenKey(key, until, "challenge")], at.clock())
        except ReplayedError:
            return False
        return True

    def _refused(self) -> bool:
        self.credential.errors = [PASSKEY_REFUSED]
        return False


def _refused(errors: list[Any]) -> bool:
    errors.append(REFUSED)
    return False


def _person(user: Any) -> Any:
    """Give the person behind Flask-Login's stand-in."""
    return user._get_current_object() if hasattr(user, "_get_current_object") else user  # noqa: SLF001


def _password_is_recent() -> bool:
    return 0 <= time.time() - int(session.get("password_at", 0)) < BETWEEN_FACTORS_SECONDS
