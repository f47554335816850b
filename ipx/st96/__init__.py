"""Records of registers as XML of WIPO ST.96 V6_0: what was disclosed, in the standard's elements.

The XML carries no signature: what the holder signed is the record in JSON. ST.96 has no elements for enforcement, so
those types are not written at all, and of the others it lacks some fields: each is named.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from ipx.answers import disclosed_fields
from ipx.encoding import b64url_bytes
from ipx.errors import FormatError
from ipx.jws import Json, parse_object, text
from ipx.st96.design import design
from ipx.st96.elements import NotExpressibleError, render
from ipx.st96.indication import indication
from ipx.st96.patent import patent
from ipx.st96.reading import Fields
from ipx.st96.trademark import trademark

__all__ = ["TYPES", "Converted", "NotExpressibleError", "convert", "convert_presentation"]

_WRITERS: Mapping[str, Callable[[Fields, str | None, str | None], Element | None]] = {
    "design": design,
    "geographical_indication": indication,
    "patent": patent,
    "trademark": trademark,
}
TYPES = tuple(sorted(_WRITERS))
"""Record types that ST.96 has a document for."""


@dataclass(frozen=True, slots=True)
class Converted:
    xml: bytes
    left_out: tuple[str, ...]
    """Paths of what ST.96 has no place for, `images[].sha256`; a field's own text (`mark_status_raw`) is among them."""


def convert(
    record_type: str, fields: Mapping[str, Json], *, number: str | None = None, language: str | None = None
) -> Converted:
    """Write a record.

    Args:
        record_type: one of `TYPES`.
        fields: those that were disclosed.
        number: the office's number of the record, for one whose number field was not disclosed.
        language: of its texts.

    Raises:
        NotExpressibleError: no document of ST.96 is for this type, or the fields do not make one.
    """
    writer = _WRITERS.get(record_type)
    if writer is None:
        raise NotExpressibleError(f"ST.96 has no document for {record_type}; it has for {', '.join(TYPES)}")
    record = Fields(fields)
    root = writer(record, number, language)
    if root is None:
        raise NotExpressibleError("nothing that ST.96 has an element for was disclosed")
    return Converted(render(root), tuple(record.left_out()))


def convert_presentation(presentation: str) -> Converted:
    """Write the disclosed part of a record that came as an SD-JWT; whether it is true is the verifier's to say.

    Raises:
        FormatError: it is no SD-JWT of a record.
        NotExpressibleError: no document of ST.96 is for this type, or the disclosed fields do not make one.
    """
    segments = presentation.partition("~")[0].split(".")
    if len(segments) != len(("header", "payload", "signature")):
        raise FormatError("the record is no SD-JWT")
    claims = parse_object(b64url_bytes(segments[1]))
    return convert(
        text(claims, "record_type"),
        disclosed_fields(presentation),
        number=_office_number(text(claims, "sub")),
        language=text(claims, "language"),
    )


def _office_number(name: str) -> str:
    """The local part of a record's name in a published register: the office's number, `~2F` for a slash."""
    local = name.split(":", 4)[-1].encode()
    return re.sub(rb"~([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), local).decode(errors="replace")
