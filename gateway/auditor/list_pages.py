"""Lists of the auditor's console: exchanges and acts found by a filter, on pages and as files."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import svcs
from flask import Response, render_template, request
from flask.typing import ResponseReturnValue

from gateway.auditor import addresses, export
from gateway.auditor.addresses import ROLE
from gateway.auditor.filters import act_filter, exchange_filter
from gateway.auditor.handing_out import list_file
from gateway.auditor.indexing import Indexer
from gateway.auditor.looking import Looks
from gateway.auditor.saved import SavedSearches
from gateway.auditor.scope import Scope, of_person
from gateway.auditor.search import PAGE_ROWS, Search
from gateway.errors import InvalidInputError
from gateway.exchange.models import OUTCOMES
from gateway.people.access import current_person, needs
from gateway.records.catalogue import CATALOGUE
from gateway.web import labels


def offered(kind: str, scope: Scope, given: Mapping[str, str], outcomes: Sequence[str]) -> dict[str, Any]:
    """Give what the filter of exchanges, or of decisions, offers to choose from."""
    return {
        "given": given,
        "choices": {
            "agencies": addresses.agencies(),
            "record_types": sorted(
                ((name, labels.label("record_type", name)) for name in CATALOGUE.types), key=lambda pair: pair[1]
            ),
            "outcomes": [(name, labels.label("outcome", name)) for name in outcomes],
        },
        "saved": svcs.flask.get(SavedSearches).list(scope, kind),
        "is_open": bool(given),
    }


@needs(ROLE)
def exchanges() -> ResponseReturnValue:
    """Find exchanges: the filter, the newest that match, and how many there are in all."""
    scope = of_person(current_person())
    given = addresses.given()
    shown = offered("exchanges", scope, given, OUTCOMES)
    try:
        wanted, after = exchange_filter(given), addresses.after("exchanges", scope, given)
    except InvalidInputError as error:
        return render_template("audit/exchanges.html", faults=error.faults, page=None, **shown), 422
    page = svcs.flask.get(Search).exchanges(scope, wanted, after=after, limit=PAGE_ROWS)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "exchanges", wanted.parameters(), page.total)
    older = addresses.older("exchanges", scope, given, page.after)
    return render_template(
        "audit/exchanges.html",
        page=page,
        older=older,
        is_first=after is None,
        indexed_to=svcs.flask.get(Indexer).reaches(),
        query=urlencode(wanted.parameters()),
        **shown,
    )


@needs(ROLE)
def acts() -> ResponseReturnValue:
    """Find administrative acts, sign-ins, refusals, and what auditors looked at."""
    scope = of_person(current_person())
    given = addresses.given()
    shown: dict[str, Any] = {
        "given": given,
        "agencies": addresses.agencies(),
        "saved": svcs.flask.get(SavedSearches).list(scope, "acts"),
    }
    try:
        wanted, after = act_filter(given), addresses.after("acts", scope, given)
    except InvalidInputError as error:
        return render_template("audit/acts.html", faults=error.faults, page=None, **shown), 422
    page = svcs.flask.get(Search).acts(scope, wanted, after=after, limit=PAGE_ROWS)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "acts", wanted.parameters(), page.total)
    return render_template(
        "audit/acts.html",
        page=page,
        older=addresses.older("acts", scope, given, page.after),
        is_first=after is None,
        query=urlencode(wanted.parameters()),
        **shown,
    )


@needs(ROLE)
def exchanges_file() -> ResponseReturnValue:
    scope = of_person(current_person())
    wanted = exchange_filter(addresses.given("format", "mark"))
    found = svcs.flask.get(Search).every_exchange(scope, wanted)
    return _file("exchanges", scope, wanted.parameters(), (one.document() for one in found), export.EXCHANGES)


@needs(ROLE)
def acts_file() -> ResponseReturnValue:
    scope = of_person(current_person())
    wanted = act_filter(addresses.given("format", "mark"))
    found = svcs.flask.get(Search).every_act(scope, wanted)
    return _file("acts", scope, wanted.parameters(), (one.document() for one in found), export.ACTS)


def _file(
    kind: str, scope: Scope, wanted: Mapping[str, str], rows: Iterable[Mapping[str, Any]], columns: tuple[str, ...]
) -> Response:
    form, mark = request.args.get("format", "csv"), request.args.get("mark") == "yes"
    return list_file(kind, scope, wanted, rows, columns, form, mark=mark)
