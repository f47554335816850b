"""Second factors where Flask-Security's own are too lenient: codes that work once, hashed recovery codes, passkeys."""

import hmac
import io
from typing import Any

import qrcode
import qrcode.image.svg
from flask import Flask, current_app, request
from flask_security import MfRecoveryCodesUtil, Totp, WebauthnUtil
from flask_security.proxies import _datastore
from markupsafe import Markup
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from gateway.people.desk import desk


class SingleUseTotp(Totp):
    """Time-based codes (RFC 6238) that are taken once: the last time step is kept with the person."""

    def get_last_counter(self, user: Any) -> int | None:
        counter: int | None = user.totp_counter
        return counter

    def set_last_counter(self, user: Any, tmatch: Any) -> None:
        user.totp_counter = tmatch.counter
        _datastore.put(user)  # type: ignore[no-untyped-call]

    def generate_qrcode(self, username: str, totp: str) -> str:
        """Draw the code as SVG within the page: the content security policy lets no `data:` image in."""
        image = qrcode.make(
            self.get_totp_uri(username, totp), image_factory=qrcode.image.svg.SvgPathFillImage, border=2
        )
        with io.BytesIO() as file:
            image.save(file)
            drawn = file.getvalue().decode()
        return Markup(drawn[drawn.index("<svg") :])  # noqa: S704  (made here, of base32 and a checked username)


class HashedRecoveryCodes(MfRecoveryCodesUtil):
    """Recovery codes of which keyed hashes are kept: they are shown once, when made.

    A code has 48 random bits; without the key nobody can try them out against what is stored.
    """

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._key: bytes = app.config["RECOVERY_CODE_KEY"]

    def create_recovery_codes(self, user: Any) -> list[str]:
        codes: list[str] = self._new_codes()
        _datastore.mf_set_recovery_codes(user, [self._hash(code) for code in codes])
        _datastore.note("person.recovery_codes_made", user, {"codes": len(codes)})  # type: ignore[attr-defined]
        return codes

    def get_recovery_codes(self, user: Any) -> list[str]:
        """Give none: what was shown once cannot be shown again."""
        del user
        return []

    def check_recovery_code(self, user: Any, code: str) -> bool:
        return self._place(user, code) is not None

    def delete_recovery_code(self, user: Any, code: str) -> bool:
        place = self._place(user, code)
        if place is None:
            return False
        # A new list: the row's change is noticed by comparing, and the old one may be what it is compared with.
        user.mf_recovery_codes = [kept for n, kept in enumerate(user.mf_recovery_codes) if n != place]
        _datastore.put(user)  # type: ignore[no-untyped-call]
        return True

    def _place(self, user: Any, code: str) -> int | None:
        given = self._hash(code)
        found = [n for n, kept in enumerate(user.mf_recovery_codes or []) if hmac.compare_digest(kept, given)]
        return found[0] if found else None

    def _hash(self, code: str) -> str:
        return hmac.digest(self._key, code.strip().lower().replace(" ", "").encode(), "sha256").hex()

    def _new_codes(self) -> list[str]:
        number: int = current_app.config["SECURITY_MULTI_FACTOR_RECOVERY_CODES_N"]
        security: Any = current_app.extensions["security"]
        codes: list[str] = security.totp_factory.generate_recovery_codes(number)
        return codes


class OwnOriginWebauthn(WebauthnUtil):
    """Passkeys of this gateway's own origin that verify their user: such a sign-in has two factors by itself."""

    def origin(self) -> str:
        """Give where the page was got from: one of the gateway's own names, or the request would not be here."""
        return f"{request.scheme if desk().is_loopback else 'https'}://{request.host}"

    def authenticator_selection(self, user: Any, usage: str) -> AuthenticatorSelectionCriteria:
        del user, usage
        return AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        )

    def user_verification(self, user: Any, usage: list[str]) -> UserVerificationRequirement:
        del user, usage
        return UserVerificationRequirement.REQUIRED
