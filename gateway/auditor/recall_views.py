"""`/v1/audit/recalls`: what was called back, by whom, and who has not answered."""

import svcs
from flask import Blueprint, Response

from gateway.auditor import export
from gateway.auditor.calls import answer, answer_file, asked_scope, listed, page_asked
from gateway.auditor.filters import recall_filter
from gateway.auditor.looking import Looks
from gateway.auditor.recalls import RecallSearch


def add_to(audit: Blueprint) -> None:
    audit.add_url_rule("/recalls", view_func=recalls)
    audit.add_url_rule("/recalls/export", view_func=export_recalls)
    audit.add_url_rule("/recalls/<recall_id>", view_func=recall)


def recalls() -> Response:
    """Find recalls that the agency made or was told of, newest first, a page at a time, with their true number."""
    scope = asked_scope()
    given, limit, after = page_asked("recalls", scope)
    wanted = recall_filter(given)
    page = svcs.flask.get(RecallSearch).page(scope, wanted, after=after, limit=limit)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "recalls", wanted.parameters(), page.total)
    return listed("recalls", scope, given, page)


def recall(recall_id: str) -> Response:
    """Show one recall: to auditors of the holder and of the nation with all who were told, to others their own part."""
    scope = asked_scope()
    found = svcs.flask.get(RecallSearch).show(scope, recall_id)
    svcs.flask.get(Looks).opened(scope, f"recall:{recall_id}")
    return answer(found.document())


def export_recalls() -> Response:
    """Stream every recall that matches; the export is logged before its first line leaves."""
    return answer_file(
        "recalls",
        recall_filter,
        lambda scope, wanted: (one.document() for one in svcs.flask.get(RecallSearch).every(scope, wanted)),
        export.RECALLS,
    )
