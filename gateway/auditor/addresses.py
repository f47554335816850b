"""The address of an auditor's page is its filter: read from it, and written into links."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import svcs
from flask import request, url_for

from gateway.agencies.service import Agencies
from gateway.auditor.handing_out import list_of
from gateway.auditor.scope import Scope
from gateway.web.cursors import Cursors

ROLE: Final = "auditor"


def given(*without: str) -> dict[str, str]:
    """Take the parameters of the address that are no business of the page itself."""
    hidden = {"cursor", "lang", "theme", *without}
    found = {name: values for name, values in request.args.lists() if name not in hidden}
    return {name: ",".join(filter(None, values)) for name, values in found.items() if any(values)}


def agencies() -> list[tuple[str, str]]:
    """Give the registered agencies, as a field to choose from takes them."""
    return [(agency.code, agency.code) for agency in svcs.flask.get(Agencies).agencies()]


def address(kind: str, query: Mapping[str, str]) -> str:
    """Give the address of a list with a filter."""
    return f"{url_for(f'audit_pages.{kind}')}?{urlencode(query)}"


def after(kind: str, scope: Scope, wanted: Mapping[str, str]) -> int | None:
    """Give where the page begins; None: at the newest."""
    cursor = request.args.get("cursor")
    return None if cursor is None else svcs.flask.get(Cursors).read(cursor, list_of(kind, scope, wanted))


def older(kind: str, scope: Scope, wanted: Mapping[str, str], position: int | None) -> str | None:
    """Give the address of the next page."""
    if position is None:
        return None
    cursor = svcs.flask.get(Cursors).write(position, list_of(kind, scope, wanted))
    return f"{request.path}?{urlencode({**wanted, 'cursor': cursor})}"
