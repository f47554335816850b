"""What an administrator may touch: what belongs to their agency, or all of it."""

from typing import Final

import svcs

from gateway.agencies.models import Agency, Client, Source
from gateway.agencies.service import Agencies
from gateway.agencies.sources import Sources
from gateway.errors import UnknownError
from gateway.people.access import SignedIn, current_person
from gateway.people.errors import NotAllowedError

KEEPERS: Final = ("administrator", "operator")
"""Who may look at agencies, keys and sources; only administrators change them."""


def reachable_agencies() -> list[Agency]:
    """List the agencies that are this person's business."""
    person = current_person()
    return [agency for agency in svcs.flask.get(Agencies).agencies() if person.covers(agency.code)]


def agency_in_reach(code: str) -> Agency:
    """Give an agency.

    Raises:
        UnknownError: there is none, or it is somebody else's: the two look alike.
    """
    _require(current_person(), code)
    return svcs.flask.get(Agencies).agency(code)


def client_in_reach(client_id: str) -> Client:
    """Give a client; see `agency_in_reach`."""
    client = svcs.flask.get(Agencies).client(client_id)
    _require(current_person(), client.agency_code)
    return client


def source_in_reach(name: str) -> Source:
    """Give a source; see `agency_in_reach`."""
    source = svcs.flask.get(Sources).source(name)
    _require(current_person(), source.holder)
    return source


def require_national() -> None:
    """Refuse whoever belongs to an agency.

    Raises:
        NotAllowedError: they do.
    """
    if not current_person().is_national:
        raise NotAllowedError("this is for people of the gateway's own authority")


def _require(person: SignedIn, agency: str) -> None:
    if not person.covers(agency):
        raise UnknownError(f"nothing of {agency} is shown to people of another agency")
