"""Decisions and sign-ins in the auditor's console: found by a filter, taken as a file."""

from urllib.parse import urlencode

import svcs
from flask import render_template, request
from flask.typing import ResponseReturnValue

from gateway.auditor import addresses, export
from gateway.auditor.addresses import ROLE
from gateway.auditor.decision_search import DECIDED, DecisionSearch
from gateway.auditor.filters import SIGN_INS, exchange_filter, sign_in_filter
from gateway.auditor.handing_out import list_file
from gateway.auditor.list_pages import offered
from gateway.auditor.looking import Looks
from gateway.auditor.saved import SavedSearches
from gateway.auditor.scope import of_person
from gateway.auditor.search import PAGE_ROWS, Search
from gateway.auditor.sign_ins import every_sign_in
from gateway.auditor.sign_ins import sign_ins as find_sign_ins
from gateway.errors import InvalidInputError
from gateway.people.access import current_person, needs
from gateway.web import labels


@needs(ROLE)
def decisions() -> ResponseReturnValue:
    """Find decisions: by which policies, what was withheld and why, what officers said."""
    scope = of_person(current_person())
    given = addresses.given()
    shown = offered("decisions", scope, given, DECIDED)
    try:
        wanted, after = exchange_filter(given), addresses.after("decisions", scope, given)
    except InvalidInputError as error:
        return render_template("audit/decisions.html", faults=error.faults, page=None, **shown), 422
    page = svcs.flask.get(DecisionSearch).page(scope, wanted, after=after, limit=PAGE_ROWS)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "decisions", wanted.parameters(), page.total)
    return render_template(
        "audit/decisions.html",
        page=page,
        older=addresses.older("decisions", scope, given, page.after),
        is_first=after is None,
        query=urlencode(wanted.parameters()),
        **shown,
    )


@needs(ROLE)
def decisions_file() -> ResponseReturnValue:
    scope = of_person(current_person())
    wanted = exchange_filter(addresses.given("format", "mark"))
    rows = (one.document() for one in svcs.flask.get(DecisionSearch).every(scope, wanted))
    form, mark = request.args.get("format", "csv"), request.args.get("mark") == "yes"
    return list_file("decisions", scope, wanted.parameters(), rows, export.DECISIONS, form, mark=mark)


@needs(ROLE)
def sign_ins() -> ResponseReturnValue:
    """Find sign-ins: begun, refused, signed out, ended by somebody."""
    scope = of_person(current_person())
    given = addresses.given()
    shown = {
        "given": given,
        "agencies": addresses.agencies(),
        "outcomes": [(name, labels.label("sign_in", name)) for name in SIGN_INS],
        "saved": svcs.flask.get(SavedSearches).list(scope, "sign_ins"),
    }
    try:
        wanted, after = sign_in_filter(given), addresses.after("sign_ins", scope, given)
    except InvalidInputError as error:
        return render_template("audit/sign_ins.html", faults=error.faults, page=None, **shown), 422
    page = find_sign_ins(svcs.flask.get(Search), scope, wanted, after=after, limit=PAGE_ROWS)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "sign_ins", wanted.parameters(), page.total)
    return render_template(
        "audit/sign_ins.html",
        page=page,
        older=addresses.older("sign_ins", scope, given, page.after),
        is_first=after is None,
        query=urlencode(wanted.parameters()),
        **shown,
    )


@needs(ROLE)
def sign_ins_file() -> ResponseReturnValue:
    scope = of_person(current_person())
    wanted = sign_in_filter(addresses.given("format", "mark"))
    rows = (one.document() for one in every_sign_in(svcs.flask.get(Search), scope, wanted))
    form, mark = request.args.get("format", "csv"), request.args.get("mark") == "yes"
    return list_file("sign_ins", scope, wanted.parameters(), rows, export.SIGN_INS, form, mark=mark)
