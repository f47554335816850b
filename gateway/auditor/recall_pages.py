"""Recalls in the auditor's console: found by a filter, one on a page, taken as a file."""

from urllib.parse import urlencode

import svcs
from flask import render_template, request
from flask.typing import ResponseReturnValue

from gateway.auditor import addresses, export
from gateway.auditor.addresses import ROLE
from gateway.auditor.filters import RECALL_STATES, recall_filter
from gateway.auditor.handing_out import list_file
from gateway.auditor.looking import Looks
from gateway.auditor.recalls import RecallSearch
from gateway.auditor.saved import SavedSearches
from gateway.auditor.scope import of_person
from gateway.auditor.search import PAGE_ROWS
from gateway.errors import InvalidInputError
from gateway.exchange.recall_statements import KINDS
from gateway.people.access import current_person, needs
from gateway.records.catalogue import CATALOGUE
from gateway.web import labels


@needs(ROLE)
def recalls() -> ResponseReturnValue:
    """Find recalls: the filter, the newest that match, and how many there are in all."""
    scope = of_person(current_person())
    given = addresses.given()
    shown = {
        "given": given,
        "agencies": addresses.agencies(),
        "kinds": [(name, labels.label("recall", name)) for name in KINDS],
        "states": [(name, labels.label("recall_state", name)) for name in RECALL_STATES],
        "record_types": sorted(
            ((name, labels.label("record_type", name)) for name in CATALOGUE.types), key=lambda pair: pair[1]
        ),
        "saved": svcs.flask.get(SavedSearches).list(scope, "recalls"),
    }
    try:
        wanted, after = recall_filter(given), addresses.after("recalls", scope, given)
    except InvalidInputError as error:
        return render_template("audit/recalls.html", faults=error.faults, page=None, **shown), 422
    page = svcs.flask.get(RecallSearch).page(scope, wanted, after=after, limit=PAGE_ROWS)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "recalls", wanted.parameters(), page.total)
    return render_template(
        "audit/recalls.html",
        page=page,
        older=addresses.older("recalls", scope, given, page.after),
        is_first=after is None,
        query=urlencode(wanted.parameters()),
        **shown,
    )


@needs(ROLE)
def recall(recall_id: str) -> ResponseReturnValue:
    """Show one recall: what the holder signed, who was told, what they answered."""
    scope = of_person(current_person())
    found = svcs.flask.get(RecallSearch).show(scope, recall_id)
    svcs.flask.get(Looks).opened(scope, f"recall:{recall_id}")
    return render_template("audit/recall.html", found=found)


@needs(ROLE)
def recalls_file() -> ResponseReturnValue:
    scope = of_person(current_person())
    wanted = recall_filter(addresses.given("format", "mark"))
    rows = (one.document() for one in svcs.flask.get(RecallSearch).every(scope, wanted))
    form, mark = request.args.get("format", "csv"), request.args.get("mark") == "yes"
    return list_file("recalls", scope, wanted.parameters(), rows, export.RECALLS, form, mark=mark)
