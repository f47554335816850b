"""What pages and calls hand out alike: the place of a cursor, a list as a file, all that proves one exchange."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import svcs
from flask import Response, stream_with_context

from gateway.auditor import export
from gateway.auditor.looking import Looks
from gateway.auditor.one_exchange import ExchangeReader
from gateway.auditor.scope import Scope
from gateway.auditor.search import instant
from gateway.errors import Fault, InvalidInputError
from gateway.evidence.bundles import Bundles
from gateway.evidence.containers import Containers
from ipx import asice

BUNDLES: Final = {"zip": "application/zip", "asice": asice.MEDIA_TYPE}


def list_of(kind: str, scope: Scope, given: Mapping[str, str]) -> dict[str, str | None]:
    """Say what a cursor is of: it is good for this list, this scope and this filter only."""
    return {
        "list": f"audit.{kind}",
        "scope": scope.agency,
        **{f"filter.{name}": value for name, value in given.items()},
    }


def list_file(
    kind: str,
    scope: Scope,
    wanted: Mapping[str, str],
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    form: str,
    *,
    mark: bool,
) -> Response:
    """Stream a list as a file; that it was taken is a leaf of the log before its first line leaves.

    Raises:
        InvalidInputError: there is no such form.
    """
    if form not in export.FORMS:
        fault = Fault("/format", "format", f"one of {', '.join(export.FORMS)}")
        raise InvalidInputError([fault], slug="invalid-request")
    moment, leaf = svcs.flask.get(Looks).exported(scope, kind, wanted, form)
    at = instant(moment)
    lines = export.lines(kind, scope.agency, wanted, at, rows, columns, form, leaf=leaf, mark=mark)
    return attached(stream_with_context(lines), export.FORMS[form], f"{kind}-{at[:10]}.{form}")


def evidence_file(scope: Scope, exchange_id: str, form: str) -> Response:
    """Hand out all that proves one exchange; that it was taken out is a leaf of the log.

    Raises:
        UnknownError: there is no such exchange, or it is outside the scope: the two look alike.
        InvalidInputError: there is no such form.
    """
    if form not in BUNDLES:
        raise InvalidInputError([Fault("/format", "format", "zip or asice")], slug="invalid-request")
    svcs.flask.get(ExchangeReader).require_seen(scope, exchange_id)
    bundles = svcs.flask.get(Bundles)
    if form == "zip":
        made = bundles.build(exchange_id)
    else:
        made = svcs.flask.get(Containers).make(bundles.members(exchange_id))
    svcs.flask.get(Looks).took_bundle(scope, exchange_id, form)
    return attached(made, BUNDLES[form], f"{exchange_id}.{form}")


def attached(body: Any, content_type: str, name: str) -> Response:
    """Answer with a file to be saved; nobody on the way keeps a copy."""
    response = Response(body, content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response
