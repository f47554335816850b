"""The signed request's members, as marshmallow checks them: strict, all faults at once."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from gateway.errors import Fault
from gateway.records.record_ids import RecordIdError, parse_record_id
from ipx.errors import FormatError
from ipx.query import Query

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class StrictInteger(fields.Integer):
    """An integer written as one: neither `true`, nor "5", nor 5.0."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strict=True, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **options)


def _text(longest: int, *, required: bool = True) -> fields.String:
    return fields.String(
        required=required,
        validate=[validate.Length(1, longest), validate.Regexp(r"[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*\Z")],
    )


def _is_record_id(text: str) -> None:
    try:
        parse_record_id(text)
    except RecordIdError as error:
        raise ValidationError("must be urn:ipx:<agency>:<record type>:<local part>") from error


class QueryField(fields.Field[Query]):
    """Several records, by what their fields hold."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Query:
        del attr, data
        try:
            query = Query.read(value)
        except FormatError as error:
            raise ValidationError(str(error)) from error
        if query.after is not None:
            _is_record_id(query.after)
        return query


class RequestSchema(Schema):
    """Payload of an `ipx-request+jwt` (evidence.md, section 1)."""

    class Meta:  # noqa: D106  (marshmallow's own place for options)
        unknown = RAISE

    iss = _text(127)
    aud = _text(255)
    jti = fields.String(
        required=True, validate=validate.Regexp(UUID7.pattern + r"\Z", error="must be a UUID version 7")
    )
    iat = StrictInteger(required=True)
    exp = StrictInteger(required=True)
    holder = _text(63)
    record = fields.String(validate=_is_record_id)
    query = QueryField()
    groups = fields.List(_text(127), validate=validate.Length(1, 64))
    purpose = _text(63)
    legal_basis = _text(255)
    case_ref = _text(255, required=False)
    person = _text(127, required=False)
    """Who of the agency asked, as its own system names them: for auditors, no part of decisions."""

    @validates_schema(skip_on_field_errors=True)
    def one_or_several(self, data: Mapping[str, Any], **_: Any) -> None:
        if ("record" in data) == ("query" in data):
            raise ValidationError("needs one of record and query", "record")


def faults_of(error: ValidationError) -> list[Fault]:
    """List marshmallow's messages as faults with JSON Pointers (RFC 6901), in the order of their pointers."""
    faults: list[Fault] = []

    def walk(pointer: str, messages: Any) -> None:
        if isinstance(messages, Mapping):
            for name, inner in messages.items():
                walk(f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}", inner)
        else:
            for message in messages:
                code = (
                    "missing" if "Missing data" in message else "unknown" if "Unknown field" in message else "invalid"
                )
                faults.append(Fault(pointer, code, message))

    walk("", error.messages)
    return sorted(faults, key=lambda fault: fault.pointer)
