"""What pages call roles and ways to sign in, in the reader's language."""

from typing import Any, Final

from flask_babel import lazy_gettext as _

from gateway.web.labels import register

ROLE_NAMES: Final[dict[str, Any]] = {
    "administrator": _("administrator"),
    "policy_editor": _("policy editor"),
    "policy_approver": _("policy approver"),
    "release_officer": _("release officer"),
    "auditor": _("auditor"),
    "operator": _("operator"),
}

ROLE_DUTIES: Final[dict[str, Any]] = {
    "administrator": _("agencies, clients, keys, sources and people"),
    "policy_editor": _("drafts policies and asks for their review"),
    "policy_approver": _("reviews and activates what others drafted"),
    "release_officer": _("decides exchanges that wait for approval"),
    "auditor": _("reads exchanges, acts and evidence; changes nothing"),
    "operator": _("deliveries, maintenance, health"),
}

WAYS: Final[dict[str, Any]] = {
    "passkey": _("passkey"),
    "password": _("password alone"),
    "password and code": _("password and code"),
    "password and recovery code": _("password and recovery code"),
    "password changed": _("new password"),
    "one-time link": _("one-time link"),
    "upstream": _("identity provider"),
}

register(
    "fault",
    {
        "bad_username": _("2 to 63 small letters, digits, dots, hyphens and underscores, beginning with a letter"),
        "bad_name": _("Enter a name of at most 200 characters"),
        "bad_subject": _("1 to 255 characters, and nobody else's"),
        "unknown": _("There is no such agency"),
    },
)


def role_name(role: str) -> str:
    return str(ROLE_NAMES.get(role, role))


def via_name(via: str) -> str:
    return str(WAYS.get(via, via))
