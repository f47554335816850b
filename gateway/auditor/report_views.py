"""`/v1/audit/reports`: the figures of the console's reports, for programs."""

from dataclasses import asdict
from typing import Any

import svcs
from flask import Blueprint, Response

from gateway.auditor.calls import answer, asked_scope, given_parameters
from gateway.auditor.filters import exchange_filter, report_span
from gateway.auditor.looking import Looks
from gateway.auditor.search import instant
from gateway.auditor.statistics import Figures, Statistics


def add_to(audit: Blueprint) -> None:
    audit.add_url_rule("/reports", view_func=reports)


def reports() -> Response:
    """Count who asks whom, how much a day, how it ended, by which policies and why, and how long holders take."""
    scope = asked_scope()
    since, until = report_span(exchange_filter(given_parameters("since", "until")))
    figures = svcs.flask.get(Statistics).of(scope, since, until)
    svcs.flask.get(Looks).searched(scope, "reports", {"since": instant(since), "until": instant(until)}, figures.total)
    return answer(_document(figures))


def _document(figures: Figures) -> dict[str, Any]:
    days = [{"day": day.day.isoformat(), "count": day.count, "unusual": day.is_unusual} for day in figures.days]
    tables = {name: [asdict(cell) for cell in getattr(figures, name)] for name in ("pairs", "holders")}
    named = {"outcomes": "record_type", "policies": "version", "purposes": "requester"}
    other = {"outcomes": "outcome", "policies": "outcome", "purposes": "purpose"}
    tables |= {
        name: [{row: cell.row, other[name]: cell.column, "count": cell.count} for cell in getattr(figures, name)]
        for name, row in named.items()
    }
    return {
        "since": instant(figures.since),
        "until": instant(figures.until),
        "total": figures.total,
        "days": days,
        **tables,
    }
