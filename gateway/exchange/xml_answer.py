"""A released record as XML of WIPO ST.96, for a caller that prefers it: what was disclosed, and nothing that proves it.

The holder's signature is of the record in JSON, so the XML has none; the same address gives receipt and proof as JSON.
"""

from pathlib import Path

from flask import Request, Response

from gateway.exchange.finished import Finished
from ipx.errors import FormatError
from ipx.st96 import NotExpressibleError, convert_presentation
from ipx.st96.schemas import SchemasError, faults

XML, JSON = "application/xml", "application/json"


def wants_xml(request: Request) -> bool:
    """Whether XML is named in `Accept` and liked better than JSON; `*/*` asks for JSON."""
    if XML not in request.headers.get("Accept", ""):
        return False
    named = {value.partition(";")[0].strip() for value, _ in request.accept_mimetypes}
    return XML in named and request.accept_mimetypes.quality(XML) > request.accept_mimetypes.quality(JSON)


def xml_answer(finished: Finished, schemas: Path | None) -> Response:
    """Give the one record of a release.

    Args:
        finished: the exchange.
        schemas: the official ones, where the operator has them: what breaks them is not given.

    Raises:
        NotExpressibleError: it is no release of one record, or not of a type that ST.96 has a document for.
    """
    presentations = finished.answer.presentations
    if finished.outcome != "released" or len(presentations) != 1:
        raise NotExpressibleError("only a released record is given as XML, and one at a time")
    try:
        converted = convert_presentation(presentations[0])
    except FormatError as error:
        raise NotExpressibleError(str(error)) from error
    if schemas is not None:
        _require_valid(converted.xml, schemas)
    response = Response(converted.xml, content_type=f"{XML}; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept"
    response.headers["Location"] = f"/v1/exchanges/{finished.exchange_id}"
    response.headers["Link"] = f'</v1/exchanges/{finished.exchange_id}>; rel="describedby"; type="{JSON}"'
    if converted.left_out:
        response.headers["IPX-Left-Out"] = ", ".join(converted.left_out)
    return response


def _require_valid(xml: bytes, schemas: Path) -> None:
    try:
        is_valid = not faults(xml, schemas)
    except SchemasError as error:
        raise NotExpressibleError("the schemas of ST.96 that this gateway was given cannot be used") from error
    if not is_valid:
        raise NotExpressibleError("what was disclosed does not make a document that is valid by ST.96")
