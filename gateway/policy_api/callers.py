"""Who calls about policies, which version they saw, and how they are answered."""

import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import svcs
from flask import Response, request
from marshmallow import Schema, ValidationError

from gateway.errors import Fault, InvalidInputError
from gateway.exchange.schemas import faults_of
from gateway.governance.editors import POLICY_APPROVER, POLICY_EDITOR, Editor
from gateway.governance.errors import ChangedMeanwhileError, NotEntitledError
from gateway.oauth.guard import Guard
from gateway.policy_api.repeats import Kept, Repeats
from gateway.web import problem
from gateway.web.paging import link_next
from ipx.errors import FormatError
from ipx.jws import parse_object

READ: Final = "policies:read"
EDIT: Final = "policies:edit"
APPROVE: Final = "policies:approve"
KEYED: Final = frozenset(
    (
        *("policies.open_change", "policies.imported", "policies.roll_back", "policies.deny"),
        *("policies.review_emergency", "audit.save"),
    )
)
"""Views that take an `Idempotency-Key`: those that do something by a call without signature or version."""
_KEY: Final = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?')
_VERSION: Final = re.compile(r'"([1-9][0-9]{0,8})"')


class NoVersionError(InvalidInputError):
    """The call changes something and does not say which version was seen."""

    def __init__(self) -> None:
        super().__init__([Fault("", "precondition", "send If-Match")], slug="precondition-required")


problem.register(NoVersionError, "precondition-required")


def editor(scope: str) -> Editor:
    """Let a client in that acts for its own agency.

    Raises:
        AccessRefusedError: no good token of this scope.
        NotEntitledError: it acts for another agency: nobody writes policies in another's name.
    """
    caller = svcs.flask.get(Guard).authenticate(request, scope)
    if caller.supplier is not None:
        raise NotEntitledError(f"{caller.client_id} acts for another agency")
    roles = {EDIT: {POLICY_EDITOR}, APPROVE: {POLICY_APPROVER}}.get(scope, set())
    return Editor(f"client:{caller.client_id}", caller.agency, frozenset(roles))


def seen_version() -> int:
    """Read which version of a change request the caller saw.

    Raises:
        NoVersionError: the header is missing.
        ChangedMeanwhileError: it is no version there ever was.
    """
    given = request.headers.get("If-Match")
    if given is None:
        raise NoVersionError
    match = _VERSION.fullmatch(given)
    if match is None:
        raise ChangedMeanwhileError(f"no version {given[:32]}")
    return int(match[1])


def body(schema: type[Schema]) -> dict[str, Any]:
    """Read the call's JSON.

    Raises:
        InvalidInputError: it is none, or a member cannot be taken.
    """
    data = request.get_data() or b"{}"
    try:
        said: dict[str, Any] = schema().load(parse_object(data))
    except FormatError as error:
        raise InvalidInputError([Fault("", "malformed", str(error))], slug="invalid-request") from error
    except ValidationError as error:
        raise InvalidInputError(faults_of(error)) from error
    return said


def query(**known: str) -> dict[str, str]:
    """Read the query's parameters; those not given have the values here.

    Raises:
        InvalidInputError: one is unknown or given twice.
    """
    faults = [Fault(f"/{name}", "unknown", "no such parameter") for name in request.args if name not in known]
    faults += [Fault(f"/{name}", "repeated", "give it once") for name in known if len(request.args.getlist(name)) > 1]
    if faults:
        raise InvalidInputError(faults, slug="invalid-request")
    return {**known, **request.args}


def number(text: str, pointer: str, *, most: int) -> int:
    """Read a number of a query.

    Raises:
        InvalidInputError: it is none from 1 on.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and 1 <= int(text) <= most):  # noqa: PLR2004
        raise InvalidInputError([Fault(pointer, "number", f"1 to {most}")], slug="invalid-request")
    return int(text)


def answer(document: object, *, version: int | None = None, status: int = 200) -> Response:
    response = Response(json.dumps(document, ensure_ascii=False), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    if version is not None:
        response.headers["ETag"] = f'"{version}"'
    if request.method == "GET":
        response.add_etag()
        response.make_conditional(request)
    return response


class Acting(Protocol):
    """Somebody whose acts have a name."""

    @property
    def actor(self) -> str:
        """As acts are written down."""


def once(who: Acting, act: Callable[[], Response]) -> Response:
    """Do what a call asks for; with `Idempotency-Key` once, and give the same answer again to whoever repeats it.

    Raises:
        InvalidInputError: the header cannot be read, or was used for another call, or the first call is running.
    """
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return act()
    match = _KEY.fullmatch(given)
    if match is None:
        fault = Fault("", "idempotency_key", "Idempotency-Key is 1 to 255 visible ASCII characters, best a UUID")
        raise InvalidInputError([fault], slug="invalid-request")

    def do() -> Kept:
        made = act()
        return Kept(made.status_code, made.get_data(as_text=True), made.headers.get("ETag"))

    whole = b"\n".join((request.method.encode(), request.path.encode(), request.get_data()))
    kept = svcs.flask.get(Repeats).once(who.actor, match[1], whole, do)
    response = Response(kept.body, status=kept.status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    if kept.etag is not None:
        response.headers["ETag"] = kept.etag
    if kept.is_replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def page(items: list[Any], limit: int, ids: list[int]) -> Response:
    """Answer a page of a list whose items have numbers; where it may go on, the last of them is in `next`."""
    onward = str(ids[-1]) if len(items) == limit else None
    return link_next(answer({"items": items, "next": onward, "complete": onward is None}), "after", onward)


def archive(files: Mapping[str, str]) -> Response:
    """Answer a folder as a zip; the same folder always gives the same bytes."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archived:
        for path, content in sorted(files.items()):
            archived.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), content)
    response = Response(held.getvalue(), content_type="application/zip")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Disposition"] = 'attachment; filename="policies.zip"'
    return response
