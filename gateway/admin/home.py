"""The start page: what waits for whoever is signed in, what is late, how the gateway is."""

from collections.abc import Iterator

import svcs
from flask import Blueprint, render_template, url_for
from flask_babel import ngettext

from gateway.admin.waiting import Waiting, waiting
from gateway.evidence.state import EvidenceState
from gateway.exchange.approvals import Approvals
from gateway.health import parts
from gateway.people.access import SignedIn, current_person, needs
from gateway.web.pages import CONSOLES


def add_routes(pages: Blueprint) -> None:
    pages.add_url_rule("/", "home", home)


def waiting_approvals(person: SignedIn) -> Iterator[Waiting]:
    """Tell release officers how many requests wait for their agency's decision."""
    if not person.may("release_officer") or person.agency is None:
        return
    count = svcs.flask.get(Approvals).count(person.agency)
    if count:
        said = ngettext("%(num)s request waits for a decision", "%(num)s requests wait for a decision", count)
        yield Waiting(said, url_for("policy_pages.approvals"))


@needs(*CONSOLES["admin"])
def home() -> str:
    found = waiting(current_person())
    return render_template(
        "admin/home.html",
        late=[one for one in found if one.is_late],
        waiting=[one for one in found if not one.is_late],
        parts=list(parts()),
        evidence=svcs.flask.get(EvidenceState).now(),
    )
