"""The token debugger as a page: which check fails, and how to mend it. Nothing is used up, kept or logged."""

import svcs
from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from gateway.admin.reach import KEEPERS, require_national
from gateway.errors import Fault
from gateway.oauth.debugger import AssertionDebugger
from gateway.oauth.examination import Examined, examine
from gateway.oauth.token_debugger import TokenDebugger
from gateway.people.access import needs
from gateway.web.pages import render_form


def add_routes(pages: Blueprint) -> None:
    pages.add_url_rule("/token-debugger", "token_debugger", token_debugger, methods=["GET", "POST"])


@needs(*KEEPERS)
def token_debugger() -> ResponseReturnValue:
    """Examine what a client shows. It tells everything of any client, so people of one agency have their own door."""
    require_national()
    values = {name: request.form.get(name, "").strip() for name in ("text", "proof", "method", "path", "scope")}
    if request.method == "GET":
        return render_form("admin/token_debugger.html", values=values, steps=None)
    if not values["text"]:
        return render_form(
            "admin/token_debugger.html", [Fault("/text", "missing", "paste it here")], values=values, steps=None
        )
    shown = Examined(values["text"], *(values[name] or None for name in ("proof", "method", "path", "scope")))
    steps = examine(svcs.flask.get(AssertionDebugger), svcs.flask.get(TokenDebugger), shown)
    return render_form("admin/token_debugger.html", values=values, steps=steps)
