"""Recalls as a holder's officers and operators see them: what was called back, who has answered, what is to be done."""

from collections.abc import Iterator
from typing import Final

import svcs
from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from gateway.admin.waiting import Waiting
from gateway.errors import Fault, InvalidInputError
from gateway.exchange.recall_reading import RecallReader
from gateway.exchange.recall_told import ROLES, Role
from gateway.exchange.schemas import UUID7
from gateway.people.access import SignedIn, current_person, needs
from gateway.settings import Settings

OFFICER: Final = "release_officer"
SEERS: Final = frozenset({OFFICER, "operator", "administrator"})
PAGE_ROWS: Final = 50


def add_routes(pages: Blueprint) -> None:
    pages.add_url_rule("/recalls", "recalls", recalls)


@needs(*SEERS)
def recalls() -> ResponseReturnValue:
    """List what the person's agency called back, or is to acknowledge; of all agencies for the gateway's own people.

    The record is named to officers only: whoever runs the gateway needs to know whom to call, and not about what.
    """
    person = current_person()
    role: Role = next((role for role in ROLES if role == request.args.get("role")), "holder")
    before, is_open = request.args.get("before"), request.args.get("state", "open") == "open"
    if before is not None and UUID7.fullmatch(before) is None:
        raise InvalidInputError([Fault("/before", "before", "the id of a recall")], slug="invalid-request")
    found = svcs.flask.get(RecallReader).list(person.agency, role, is_open=is_open, before=before, limit=PAGE_ROWS)
    return render_template(
        "admin/recalls.html",
        found=found,
        role=role,
        agency=person.agency,
        is_open=is_open,
        names_records=person.may(OFFICER) and person.agency is not None,
        older=found[-1].id if len(found) == PAGE_ROWS else None,
        is_first=before is None,
        origin=svcs.flask.get(Settings).origin,
    )


def waiting_recalls(person: SignedIn) -> Iterator[Waiting]:
    """Tell release officers what their agency is to acknowledge, and who is late in answering their own recalls."""
    if not person.may(OFFICER) or person.agency is None:
        return
    reader = svcs.flask.get(RecallReader)
    own, late_own, late = reader.standing(person.agency)
    if own:
        said = ngettext("%(num)s recall is to be acknowledged", "%(num)s recalls are to be acknowledged", own)
        yield Waiting(said, url_for("admin.recalls", role="addressee"), is_late=late_own > 0)
    if late:
        said = ngettext(
            "%(num)s answer to your recalls is overdue", "%(num)s answers to your recalls are overdue", late
        )
        yield Waiting(said, url_for("admin.recalls"), is_late=True)
