"""People of the demo world, and the one-time links by which whoever runs it becomes one of them."""

from collections.abc import Mapping
from typing import Final

from gateway.people.service import Invitation, People

PEOPLE: Final[Mapping[str, tuple[str, str | None, tuple[str, ...]]]] = {
    "alice": ("Alice Moreau", None, ("administrator", "policy_editor", "operator")),
    "bob": ("Bob Lindqvist", None, ("policy_approver",)),
    "carol": ("Carol Adeyemi", None, ("auditor",)),
    "otto": ("Otto Brandt", "ipo-xa", ("release_officer", "auditor")),
}
"""Username → name, agency, roles."""


def invite_all(people: People, actor: str) -> list[Invitation]:
    """Register who is missing; links for all who cannot sign in yet, the first administrator's first."""
    known = {person.username: person for person in people.people()}
    links = []
    for username, (name, agency, roles) in PEOPLE.items():
        person = known.get(username) or people.add(username, name=name, agency=agency, roles=roles, actor=actor)
        if person.active and not person.webauthn and person.password is None:
            links.append(people.invite(username, actor=actor))
    return links
