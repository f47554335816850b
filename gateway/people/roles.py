"""The roles a person may have; each says what a person may do, and the person's agency says over what."""

from collections.abc import Iterable
from typing import Final

from gateway.errors import Fault, InvalidInputError

ROLES: Final = {
    "administrator": "agencies, clients, keys, sources and people",
    "policy_editor": "drafts policies and asks for their review",
    "policy_approver": "reviews and activates what others drafted",
    "release_officer": "decides exchanges that wait for approval",
    "auditor": "reads exchanges, acts and evidence; changes nothing",
    "operator": "deliveries, maintenance, health",
}
"""Role → what it is for, in English. The order is the one in which pages show them."""


def require_roles(roles: Iterable[str]) -> frozenset[str]:
    """Pass role names on.

    Raises:
        InvalidInputError: one is not a role.
    """
    given = frozenset(roles)
    faults = [
        Fault("/roles", "unknown_role", f"{role}: one of {', '.join(ROLES)}") for role in sorted(given - ROLES.keys())
    ]
    if faults:
        raise InvalidInputError(faults)
    return given
