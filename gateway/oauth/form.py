"""Form bodies read strictly: what a web framework repairs or ignores is refused, so that nobody reads it otherwise."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from gateway.oauth.errors import Reason, RefusedError

BODY_BYTES: Final = 65_536
PARAMETERS_MAX: Final = 32
MEDIA_TYPE: Final = "application/x-www-form-urlencoded"

# Percent signs only as escapes; nothing outside printable ASCII: a form has no other bytes (URL Standard, section 5).
_ENCODED = re.compile(rb"(?:[!-$&-~]++|%[0-9A-Fa-f]{2})*+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]")


def read_form(request: Request) -> Mapping[str, str]:
    """Read the parameters of a POST.

    Returns:
        Each parameter once; one sent without a value counts as not sent (RFC 6749, section 3.2).

    Raises:
        RefusedError: `CONTENT_TYPE QUERY SIZE CHARACTERS PARAMETERS REPEATED_PARAMETER`.
    """
    if request.query_string:
        raise RefusedError(Reason.QUERY)
    if request.mimetype != MEDIA_TYPE or request.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
        raise RefusedError(Reason.CONTENT_TYPE)
    pieces = [piece for piece in read_body(request).split(b"&") if piece]
    if len(pieces) > PARAMETERS_MAX:
        raise RefusedError(Reason.PARAMETERS)
    parameters: dict[str, str] = {}
    for piece in pieces:
        name, _, value = (_decode(part) for part in piece.partition(b"="))
        if name in parameters:
            raise RefusedError(Reason.REPEATED_PARAMETER)
        parameters[name] = value
    return {name: value for name, value in parameters.items() if value}


def read_json_body(request: Request) -> bytes:
    """Read a JSON body, unparsed.

    Raises:
        RefusedError: `KEY_FORM` for another media type or a query, `SIZE`.
    """
    if request.query_string or request.mimetype != "application/json":
        raise RefusedError(Reason.KEY_FORM)
    return read_body(request)


def read_body(request: Request) -> bytes:
    """Read at most 64 KiB of body.

    Raises:
        RefusedError: `SIZE`.
    """
    request.max_content_length = BODY_BYTES
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise RefusedError(Reason.SIZE) from error


def _decode(part: bytes) -> str:
    if not _ENCODED.fullmatch(part):
        raise RefusedError(Reason.CHARACTERS)
    try:
        text = unquote_to_bytes(part.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(Reason.CHARACTERS) from error
    if _CONTROL.search(text):
        raise RefusedError(Reason.CHARACTERS)
    return text
