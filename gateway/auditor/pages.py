"""The auditor's console: its addresses below `/audit`. The filter of a list is its address, as in the API."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import svcs
from flask import Blueprint, Flask, Response, flash, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_babel import lazy_gettext as _

from gateway.agencies.service import Agencies
from gateway.auditor import export
from gateway.auditor.filters import ExchangeFilter, act_filter, exchange_filter
from gateway.auditor.indexing import Indexer
from gateway.auditor.log_checks import LogChecks
from gateway.auditor.looking import Looks
from gateway.auditor.one_exchange import ExchangeReader
from gateway.auditor.saved import SavedSearches
from gateway.auditor.scope import Scope, of_person
from gateway.auditor.search import PAGE_ROWS, Search, instant
from gateway.auditor.statistics import Statistics
from gateway.auditor.words import FIELDS, WORDS
from gateway.errors import AlreadyExistsError, Fault, InvalidInputError
from gateway.evidence.bundles import Bundles
from gateway.evidence.containers import Containers
from gateway.exchange.models import OUTCOMES
from gateway.people.access import current_person, needs
from gateway.records.catalogue import CATALOGUE
from gateway.settings import Settings
from gateway.web import labels, navigation
from gateway.web.cursors import Cursors
from gateway.web.navigation import Section
from ipx import asice

ROLE: Final = "auditor"
REPORT_DAYS: Final = 30


def install(app: Flask) -> None:
    """Give an application the auditor's pages."""
    app.register_blueprint(blueprint())
    navigation.add(
        app,
        "audit",
        (
            Section("audit_pages.exchanges", _("Exchanges"), prefix="/audit/exchanges"),
            Section("audit_pages.acts", _("Acts")),
            Section("audit_pages.reports", _("Reports")),
            Section("audit_pages.log", _("Log")),
        ),
    )
    labels.register("field", FIELDS)
    for kind, words in WORDS.items():
        labels.register(kind, words)


def blueprint() -> Blueprint:
    pages = Blueprint("audit_pages", __name__, url_prefix="/audit", template_folder="templates")
    pages.add_url_rule("/", "home", home)
    pages.add_url_rule("/exchanges", "exchanges", exchanges)
    pages.add_url_rule("/exchanges/file", "exchanges_file", exchanges_file)
    pages.add_url_rule("/exchanges/<exchange_id>", "exchange", exchange)
    pages.add_url_rule("/exchanges/<exchange_id>/evidence", "evidence", evidence)
    pages.add_url_rule("/acts", "acts", acts)
    pages.add_url_rule("/acts/file", "acts_file", acts_file)
    pages.add_url_rule("/reports", "reports", reports)
    pages.add_url_rule("/log", "log", log)
    pages.add_url_rule("/searches", "save_search", save_search, methods=["POST"])
    pages.add_url_rule("/searches/<saved_id>", "saved_search", saved_search)
    pages.add_url_rule("/searches/<saved_id>/delete", "delete_search", delete_search, methods=["POST"])
    return pages


@needs(ROLE)
def home() -> ResponseReturnValue:
    return redirect(url_for("audit_pages.exchanges"))


@needs(ROLE)
def exchanges() -> ResponseReturnValue:
    """Find exchanges: the filter, the newest that match, and how many there are in all."""
    scope = of_person(current_person())
    given = _given()
    shown: dict[str, Any] = {
        "given": given,
        "choices": {
            "agencies": [(agency.code, agency.code) for agency in svcs.flask.get(Agencies).agencies()],
            "record_types": sorted(
                ((name, labels.label("record_type", name)) for name in CATALOGUE.types), key=lambda pair: pair[1]
            ),
            "outcomes": [(name, labels.label("outcome", name)) for name in OUTCOMES],
        },
        "saved": svcs.flask.get(SavedSearches).list(scope),
        "is_open": bool(given),
    }
    try:
        wanted, after = exchange_filter(given), _after("exchanges", scope, given)
    except InvalidInputError as error:
        return render_template("audit/exchanges.html", faults=error.faults, page=None, **shown), 422
    page = svcs.flask.get(Search).exchanges(scope, wanted, after=after, limit=PAGE_ROWS)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "exchanges", wanted.parameters(), page.total)
    older = _older("exchanges", scope, given, page.after)
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
def exchange(exchange_id: str) -> ResponseReturnValue:
    """Show one exchange: its steps, the request in words, what was decided, its proof made at this moment."""
    scope = of_person(current_person())
    found = svcs.flask.get(ExchangeReader).read(scope, exchange_id)
    svcs.flask.get(Looks).opened(scope, exchange_id)
    withheld = found.receipt.get("withheld")
    return render_template(
        "audit/exchange.html",
        found=found,
        row=found.row,
        withheld=withheld if isinstance(withheld, list) else [],
        origin=svcs.flask.get(Settings).origin,
    )


@needs(ROLE)
def evidence(exchange_id: str) -> ResponseReturnValue:
    """Hand out all that proves one exchange; that it was taken out is a leaf of the log."""
    scope = of_person(current_person())
    form = request.args.get("format", "zip")
    if form not in {"zip", "asice"}:
        raise InvalidInputError([Fault("/format", "format", "zip or asice")], slug="invalid-request")
    svcs.flask.get(ExchangeReader).require_seen(scope, exchange_id)
    bundles = svcs.flask.get(Bundles)
    if form == "zip":
        made, media_type = bundles.build(exchange_id), "application/zip"
    else:
        made, media_type = svcs.flask.get(Containers).make(bundles.members(exchange_id)), asice.MEDIA_TYPE
    svcs.flask.get(Looks).took_bundle(scope, exchange_id, form)
    response = Response(made, content_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{exchange_id}.{form}"'
    return response


@needs(ROLE)
def acts() -> ResponseReturnValue:
    """Find administrative acts, sign-ins, refusals, and what auditors looked at."""
    scope = of_person(current_person())
    given = _given()
    try:
        wanted, after = act_filter(given), _after("acts", scope, given)
    except InvalidInputError as error:
        return render_template("audit/acts.html", faults=error.faults, page=None, given=given), 422
    page = svcs.flask.get(Search).acts(scope, wanted, after=after, limit=PAGE_ROWS)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "acts", wanted.parameters(), page.total)
    return render_template(
        "audit/acts.html",
        page=page,
        given=given,
        older=_older("acts", scope, given, page.after),
        is_first=after is None,
        query=urlencode(wanted.parameters()),
    )


@needs(ROLE)
def exchanges_file() -> ResponseReturnValue:
    scope = of_person(current_person())
    wanted = exchange_filter(_given("format", "mark"))
    found = svcs.flask.get(Search).every_exchange(scope, wanted)
    return _file("exchanges", scope, wanted.parameters(), (one.document() for one in found), export.EXCHANGES)


@needs(ROLE)
def acts_file() -> ResponseReturnValue:
    scope = of_person(current_person())
    wanted = act_filter(_given("format", "mark"))
    found = svcs.flask.get(Search).every_act(scope, wanted)
    return _file("acts", scope, wanted.parameters(), (one.document() for one in found), export.ACTS)


@needs(ROLE)
def reports() -> ResponseReturnValue:
    """Show who asks whom, how much a day, how it ended and why; each figure leads to its exchanges."""
    scope = of_person(current_person())
    given = _given()
    try:
        wanted = exchange_filter(given)
        since, until = _span(wanted)
    except InvalidInputError as error:
        return render_template("audit/reports.html", faults=error.faults, given=given, figures=None), 422
    figures = svcs.flask.get(Statistics).of(scope, since, until)
    return render_template("audit/reports.html", figures=figures, given=given, span=_days_of(since, until))


@needs(ROLE)
def log() -> ResponseReturnValue:
    """Show the log: its size, how it is confirmed, its checkpoints; prove that a later one continues an earlier one."""
    checks = svcs.flask.get(LogChecks)
    given = _given()
    faults, compared = [], None
    if given:
        try:
            compared = checks.compare(given)
        except InvalidInputError as error:
            faults = list(error.faults)
    page = render_template(
        "audit/log.html", faults=faults, given=given, compared=compared, log=checks.look(), origin=checks.origin
    )
    return page, 422 if faults else 200


@needs(ROLE)
def save_search() -> ResponseReturnValue:
    """Keep the filter that is shown under a name."""
    scope = of_person(current_person())
    query = {name: value for name, value in request.form.items() if name not in {"csrf_token", "name", "shared"}}
    try:
        kept = svcs.flask.get(SavedSearches).save(
            scope, request.form.get("name", ""), "exchanges", query, is_shared=request.form.get("shared") == "yes"
        )
    except (InvalidInputError, AlreadyExistsError) as error:
        said = error.faults[0].detail if isinstance(error, InvalidInputError) else gettext("You have one of this name.")
        flash(gettext("The search is not saved: %(reason)s", reason=said), "important")
        return redirect(_address("exchanges", query), code=303)
    flash(gettext("The search is saved as %(name)s.", name=kept.name), "success")
    return redirect(_address("exchanges", kept.query), code=303)


@needs(ROLE)
def saved_search(saved_id: str) -> ResponseReturnValue:
    """Open a saved search: its address is a name for the filter's."""
    saved = svcs.flask.get(SavedSearches).show(of_person(current_person()), saved_id)
    return redirect(_address(saved.kind, saved.query))


@needs(ROLE)
def delete_search(saved_id: str) -> ResponseReturnValue:
    svcs.flask.get(SavedSearches).delete(of_person(current_person()), saved_id)
    flash(gettext("The saved search is deleted."), "success")
    return redirect(url_for("audit_pages.exchanges"), code=303)


def _address(kind: str, query: Mapping[str, str]) -> str:
    return f"{url_for(f'audit_pages.{kind}')}?{urlencode(query)}"


def _given(*without: str) -> dict[str, str]:
    """Take the parameters of the address that are no business of the page itself."""
    hidden = {"cursor", "lang", "theme", *without}
    given = {name: values for name, values in request.args.lists() if name not in hidden}
    return {name: ",".join(filter(None, values)) for name, values in given.items() if any(values)}


def _list_of(kind: str, scope: Scope, given: Mapping[str, str]) -> dict[str, str | None]:
    return {
        "list": f"audit.{kind}",
        "scope": scope.agency,
        **{f"filter.{name}": value for name, value in given.items()},
    }


def _after(kind: str, scope: Scope, given: Mapping[str, str]) -> int | None:
    cursor = request.args.get("cursor")
    return None if cursor is None else svcs.flask.get(Cursors).read(cursor, _list_of(kind, scope, given))


def _older(kind: str, scope: Scope, given: Mapping[str, str], after: int | None) -> str | None:
    """Give the address of the next page."""
    if after is None:
        return None
    cursor = svcs.flask.get(Cursors).write(after, _list_of(kind, scope, given))
    return f"{request.path}?{urlencode({**given, 'cursor': cursor})}"


def _file(kind: str, scope: Scope, wanted: Mapping[str, str], rows: Any, columns: tuple[str, ...]) -> Response:
    form = request.args.get("format", "csv")
    if form not in export.FORMS:
        fault = Fault("/format", "format", f"one of {', '.join(export.FORMS)}")
        raise InvalidInputError([fault], slug="invalid-request")
    at = instant(svcs.flask.get(Looks).exported(scope, kind, wanted, form))
    lines = export.lines(kind, scope.agency, wanted, at, rows, columns, form, mark=request.args.get("mark") == "yes")
    response = Response(stream_with_context(lines), content_type=export.FORMS[form])
    response.headers["Content-Disposition"] = f'attachment; filename="{kind}-{at[:10]}.{form}"'
    return response


def _span(wanted: ExchangeFilter) -> tuple[datetime, datetime]:
    unknown = wanted.parameters().keys() - {"since", "until"}
    if unknown:
        raise InvalidInputError([Fault(f"/{name}", "unknown", "since and until only") for name in sorted(unknown)])
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    until = wanted.until or today + timedelta(days=1)
    since = wanted.since or until - timedelta(days=REPORT_DAYS)
    if until - since > timedelta(days=400):
        raise InvalidInputError([Fault("/since", "span", "at most 400 days")])
    return since, until


def _days_of(since: datetime, until: datetime) -> dict[str, str]:
    return {"since": instant(since), "until": instant(until)}
