"""`/v1/audit/flags`: what is odd, and what an auditor's own programs say of it."""

import svcs
from flask import Blueprint, Response, request

from gateway.auditor.calls import answer, asked_scope, listed, page_asked
from gateway.auditor.flags import Flags, Raised
from gateway.auditor.looking import Looks
from gateway.errors import Fault, InvalidInputError
from gateway.web import problem
from ipx.errors import FormatError
from ipx.jws import parse_object


def add_to(audit: Blueprint) -> None:
    audit.add_url_rule("/flags", view_func=flags)
    audit.add_url_rule("/flags/<flag_id>", view_func=flag)
    audit.add_url_rule("/flags/<flag_id>", view_func=mark_flag, methods=["POST"])


def flags() -> Response:
    """List flags, newest first, a page at a time."""
    scope = asked_scope()
    given, limit, after = page_asked("flags", scope)
    page = svcs.flask.get(Flags).list(scope, given, after=after, limit=limit)
    if after is None:
        svcs.flask.get(Looks).searched(scope, "flags", given, page.total)
    return listed("flags", scope, given, page)


def flag(flag_id: str) -> Response:
    """Show one flag, with the search that finds its exchanges."""
    scope = asked_scope()
    found = svcs.flask.get(Flags).show(scope, flag_id)
    svcs.flask.get(Looks).opened(scope, f"flag:{flag_id}")
    return _shown(found)


def mark_flag(flag_id: str) -> Response:
    """Change status, assignee or note of what was seen; an act of the log."""
    scope = asked_scope()
    seen = request.headers.get("If-Match")
    if seen is None:
        return problem.answer("precondition-required")
    try:
        said = parse_object(request.get_data(cache=False))
    except FormatError as error:
        raise InvalidInputError([Fault("", "malformed", str(error))], slug="invalid-request") from error
    given = {name: value for name, value in said.items() if isinstance(value, str)}
    faults = [Fault(f"/{name}", "type", "a string") for name in said if name not in given]
    if faults:
        raise InvalidInputError(faults)
    return _shown(svcs.flask.get(Flags).mark(scope, flag_id, given, seen=seen.removeprefix('"').removesuffix('"')))


def _shown(found: Raised) -> Response:
    response = answer(found.document())
    response.headers["ETag"] = f'"{found.version}"'
    return response
