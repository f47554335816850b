"""What Flask, Flask-WTF and Flask-Security are told: every default of a web shop that these consoles must not have."""

import hmac
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.people import access
from gateway.people.desk import Desk

PASSWORD_CHARACTERS: Final = 12
RECOVERY_CODES: Final = 10


def configuration(at: Desk) -> dict[str, Any]:
    """Give the configuration of the application; secrets in it are derived, none is a setting of its own."""
    is_tls = at.origin.startswith("https://")
    return {
        "RECOVERY_CODE_KEY": _derived(at, b"recovery-codes"),
        "SECRET_KEY": _derived(at, b"sessions").hex(),
        "SESSION_COOKIE_NAME": "__Host-ipx" if is_tls else "ipx",
        "SESSION_COOKIE_SECURE": is_tls,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_PATH": "/",
        "WTF_CSRF_CHECK_DEFAULT": False,  # `_guard` decides
        "WTF_CSRF_TIME_LIMIT": None,  # as long as the session
        "SECURITY_DATETIME_FACTORY": at.clock,
        "SECURITY_PASSWORD_HASH": "argon2",
        "SECURITY_PASSWORD_SCHEMES": ["argon2"],
        "SECURITY_PASSWORD_SALT": _derived(at, b"passwords").hex(),  # a key: without it the hashes cannot be guessed at
        "SECURITY_PASSWORD_LENGTH_MIN": PASSWORD_CHARACTERS,
        "SECURITY_USER_IDENTITY_ATTRIBUTES": [{"username": {"mapper": str, "case_insensitive": False}}],
        "SECURITY_RETURN_GENERIC_RESPONSES": True,
        "SECURITY_API_ENABLED_METHODS": ["session"],
        "SECURITY_FRESHNESS": timedelta(seconds=access.FRESH_SECONDS),
        "SECURITY_FRESHNESS_GRACE_PERIOD": timedelta(0),
        "SECURITY_CHANGEABLE": True,
        "SECURITY_SEND_PASSWORD_CHANGE_EMAIL": False,
        "SECURITY_LOGOUT_CSRF": True,
        "SECURITY_TWO_FACTOR": True,
        "SECURITY_TWO_FACTOR_REQUIRED": at.is_second_factor_required,
        "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        "SECURITY_TWO_FACTOR_RESCUE_EMAIL": False,
        "SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY": 30,
        "SECURITY_TWO_FACTOR_IMPLEMENTATIONS": {"code": "flask_security.twofactor.CodeTfPlugin"},
        "SECURITY_TOTP_SECRETS": {"1": _derived(at, b"totp").hex()},
        "SECURITY_TOTP_ISSUER": urlsplit(at.origin).hostname,
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES": True,
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_N": RECOVERY_CODES,
        "SECURITY_WEBAUTHN": True,
        "SECURITY_WAN_RP_NAME": "IPX Gateway",
        "SECURITY_WAN_ALLOW_AS_FIRST_FACTOR": True,
        "SECURITY_WAN_ALLOW_AS_MULTI_FACTOR": True,
        "SECURITY_WAN_ALLOW_AS_VERIFY": ["first"],
        "SECURITY_WAN_ALLOW_USER_HINTS": False,
        "SECURITY_LOGIN_URL": access.SIGN_IN,
        "SECURITY_LOGOUT_URL": "/sign-out",
        "SECURITY_VERIFY_URL": access.CONFIRM,
        "SECURITY_TWO_FACTOR_TOKEN_VALIDATION_URL": "/sign-in/code",
        "SECURITY_TWO_FACTOR_SELECT_URL": "/sign-in/choose",
        "SECURITY_TWO_FACTOR_RESCUE_URL": "/sign-in/help",
        "SECURITY_TWO_FACTOR_SETUP_URL": "/account/authenticator",
        "SECURITY_MULTI_FACTOR_RECOVERY_URL": "/sign-in/recovery-code",
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_URL": "/account/recovery-codes",
        "SECURITY_WAN_SIGNIN_URL": "/sign-in/passkey",
        "SECURITY_WAN_VERIFY_URL": "/sign-in/confirm/passkey",
        "SECURITY_WAN_REGISTER_URL": "/account/passkeys",
        "SECURITY_WAN_DELETE_URL": "/account/passkeys/delete",
        "SECURITY_CHANGE_URL": "/account/password",
        "SECURITY_STATIC_FOLDER_URL": "/fs-static",
        "SECURITY_POST_LOGIN_VIEW": access.HOME,
        "SECURITY_POST_VERIFY_VIEW": access.HOME,
        "SECURITY_POST_LOGOUT_VIEW": access.SIGN_IN,
        "SECURITY_POST_CHANGE_VIEW": access.ACCOUNT,
        "SECURITY_WAN_POST_REGISTER_VIEW": access.ACCOUNT,
        "SECURITY_TWO_FACTOR_POST_SETUP_VIEW": access.ACCOUNT,
        "SECURITY_TWO_FACTOR_ERROR_VIEW": access.SIGN_IN,
        "SECURITY_LOGIN_USER_TEMPLATE": "people/sign_in.html",
        "SECURITY_LOGOUT_USER_TEMPLATE": "people/sign_out.html",
        "SECURITY_VERIFY_TEMPLATE": "people/confirm.html",
        "SECURITY_TWO_FACTOR_VERIFY_CODE_TEMPLATE": "people/code.html",
        "SECURITY_TWO_FACTOR_SETUP_TEMPLATE": "people/authenticator.html",
        "SECURITY_TWO_FACTOR_SELECT_TEMPLATE": "people/code.html",
        "SECURITY_MULTI_FACTOR_RECOVERY_TEMPLATE": "people/recovery.html",
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_TEMPLATE": "people/recovery_codes.html",
        "SECURITY_WAN_SIGNIN_TEMPLATE": "people/passkey.html",
        "SECURITY_WAN_VERIFY_TEMPLATE": "people/passkey.html",
        "SECURITY_WAN_REGISTER_TEMPLATE": "people/passkeys.html",
        "SECURITY_CHANGE_PASSWORD_TEMPLATE": "people/password.html",
        "SECURITY_CLI_USERS_NAME": None,
        "SECURITY_CLI_ROLES_NAME": None,
    }


def _derived(at: Desk, label: bytes) -> bytes:
    return hmac.digest(at.secret, label, "sha256")
