"""Figures and the log, as the auditor's console shows them; each figure leads to its exchanges."""

from datetime import UTC, date, datetime, timedelta

import svcs
from flask import render_template
from flask.typing import ResponseReturnValue

from gateway.auditor import addresses
from gateway.auditor.addresses import ROLE
from gateway.auditor.filters import exchange_filter, report_span
from gateway.auditor.log_checks import LogChecks
from gateway.auditor.looking import Looks
from gateway.auditor.scope import of_person
from gateway.auditor.search import instant
from gateway.auditor.statistics import Statistics
from gateway.errors import InvalidInputError
from gateway.people.access import current_person, needs


@needs(ROLE)
def reports() -> ResponseReturnValue:
    """Show who asks whom, how much a day, how it ended and why; each figure leads to its exchanges."""
    scope = of_person(current_person())
    given = addresses.given()
    try:
        wanted = exchange_filter(given)
        since, until = report_span(wanted)
    except InvalidInputError as error:
        return render_template("audit/reports.html", faults=error.faults, given=given, figures=None), 422
    figures, span = svcs.flask.get(Statistics).of(scope, since, until), _days_of(since, until)
    svcs.flask.get(Looks).searched(scope, "reports", span, figures.total)
    return render_template(
        "audit/reports.html",
        figures=figures,
        given=given,
        span=span,
        days=[(day, _of_day(day.day, since, until)) for day in figures.days],
    )


@needs(ROLE)
def log() -> ResponseReturnValue:
    """Show the log: how it is confirmed, by whom, its heads; prove two sizes consistent, or a range of entries."""
    checks = svcs.flask.get(LogChecks)
    given = addresses.given()
    faults, compared, verified = [], None, None
    try:
        if given.keys() & {"first", "last"}:
            verified = checks.verify(given)
        elif given:
            compared = checks.compare(given)
    except InvalidInputError as error:
        faults = list(error.faults)
    page = render_template(
        "audit/log.html",
        faults=faults,
        given=given,
        compared=compared,
        verified=verified,
        log=checks.look(),
        origin=checks.origin,
    )
    return page, 422 if faults else 200


def _days_of(since: datetime, until: datetime) -> dict[str, str]:
    return {"since": instant(since), "until": instant(until)}


def _of_day(day: date, since: datetime, until: datetime) -> dict[str, str]:
    """Give the filter of what is counted of a day: all of it, or the part that lies in the time of the report."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    first, end = max(since, midnight), min(until, midnight + timedelta(days=1))
    if end - first == timedelta(days=1):
        return {"since": day.isoformat(), "until": day.isoformat()}
    return _days_of(first, end)
