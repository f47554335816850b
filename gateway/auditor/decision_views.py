"""`/v1/audit/decisions` and `/v1/audit/sign-ins`: who was told what and why, and who came in."""

import svcs
from flask import Blueprint, Response

from gateway.auditor import export
from gateway.auditor.calls import answer_file, asked_scope, listed, page_asked
from gateway.auditor.decision_search import DecisionSearch
from gateway.auditor.filters import exchange_filter, sign_in_filter
from gateway.auditor.indexing import Indexer
from gateway.auditor.looking import Looks
from gateway.auditor.search import Search
from gateway.auditor.sign_ins import every_sign_in, sign_ins


def add_to(audit: Blueprint) -> None:
    audit.add_url_rule("/decisions", view_func=decisions)
    audit.add_url_rule("/decisions/export", view_func=export_decisions)
    audit.add_url_rule("/sign-ins", view_func=signed_in)
    audit.add_url_rule("/sign-ins/export", view_func=export_sign_ins)


def decisions() -> Response:
    """Find decisions by the filter of exchanges: what came of them, by which policies, what officers said."""
    scope = asked_scope()
    given, limit, after = page_asked("decisions", scope)
    wanted = exchange_filter(given)
    page = svcs.flask.get(DecisionSearch).page(scope, wanted, after=after, limit=limit)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "decisions", wanted.parameters(), page.total)
    return listed("decisions", scope, given, page, indexed_to=svcs.flask.get(Indexer).reaches())


def export_decisions() -> Response:
    """Stream every decision that matches; the export is logged before its first line leaves."""
    return answer_file(
        "decisions",
        exchange_filter,
        lambda scope, wanted: (one.document() for one in svcs.flask.get(DecisionSearch).every(scope, wanted)),
        export.DECISIONS,
    )


def signed_in() -> Response:
    """Find sign-ins to the consoles: begun, refused, signed out, ended by somebody."""
    scope = asked_scope()
    given, limit, after = page_asked("sign_ins", scope)
    wanted = sign_in_filter(given)
    page = sign_ins(svcs.flask.get(Search), scope, wanted, after=after, limit=limit)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "sign_ins", wanted.parameters(), page.total)
    return listed("sign_ins", scope, given, page)


def export_sign_ins() -> Response:
    """Stream every sign-in that matches, as `export_decisions`."""
    return answer_file(
        "sign_ins",
        sign_in_filter,
        lambda scope, wanted: (one.document() for one in every_sign_in(svcs.flask.get(Search), scope, wanted)),
        export.SIGN_INS,
    )
