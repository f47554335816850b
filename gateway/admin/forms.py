"""What the forms of this console send, checked: values, or the faults to show beside the fields."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from flask import request
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from gateway.agencies.quotas import LIMITS, MOST
from gateway.errors import AlreadyExistsError, Fault, InvalidInputError

DAYS_MAX: Final = 365


class _Form(Schema):
    class Meta:
        unknown = EXCLUDE  # the CSRF token, the version that was seen, the button


def _text(code: str = "missing", **options: Any) -> fields.String:
    return fields.String(
        required=True,
        validate=[validate.Length(min=1, error=code), validate.Length(max=2000, error="too_long")],
        error_messages={"required": code},
        **options,
    )


def _limit() -> fields.Integer:
    return fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(min=1, max=MOST, error="quota"),
        error_messages={"invalid": "quota", "too_large": "quota"},
    )


class AgencyForm(_Form):
    code = _text()
    kind = _text()
    name = _text()
    jurisdictions = fields.List(fields.String(), load_default=list)
    scopes = fields.List(fields.String(), load_default=list)
    purposes = fields.List(fields.String(), load_default=list)


class AgencyChangeForm(_Form):
    name = _text()
    jurisdictions = fields.List(fields.String(), load_default=list)


class ScopesForm(_Form):
    scopes = fields.List(fields.String(), load_default=list)


class ClientForm(_Form):
    system = _text()
    name = _text()
    scopes = fields.List(fields.String(), load_default=list)


class KeyForm(_Form):
    jwk = _text()
    days = fields.Integer(
        load_default=DAYS_MAX,
        validate=validate.Range(min=1, max=DAYS_MAX, error="lifetime"),
        error_messages={"invalid": "lifetime"},
    )


class QuotaForm(_Form):
    per_minute = _limit()
    per_day = _limit()
    query_records = _limit()


class ReasonForm(_Form):
    reason = _text("no_reason")


class SourceForm(_Form):
    text = fields.String(
        required=True,
        validate=[validate.Length(min=1, error="missing"), validate.Length(max=200_000, error="too_long")],
        error_messages={"required": "missing"},
    )


LISTED: Final = frozenset({"scopes", "purposes"})
"""Fields of tick boxes: any number of values of one name."""


def sent() -> dict[str, Any]:
    """Give what the form holds, to show it again: lists for tick boxes and for words in a line, else stripped texts."""
    form = request.form
    values: dict[str, Any] = {name: form[name].strip() for name in form}
    values |= {name: form.getlist(name) for name in LISTED}
    values |= {name: values[name] or None for name in LIMITS if name in form}
    if "jurisdictions" in form:
        values["jurisdictions"] = form["jurisdictions"].replace(",", " ").upper().split()
    return values


def read(form: type[Schema]) -> dict[str, Any]:
    """Read this request's form.

    Raises:
        InvalidInputError: with all failing fields.
    """
    try:
        loaded: dict[str, Any] = form().load(sent())
    except ValidationError as error:
        raise InvalidInputError(_faults(error.messages_dict)) from error
    return loaded


def read_jwk(text: str) -> Mapping[str, Any]:
    """Read a public key as people paste it: a JWK, or a set with one in it.

    Raises:
        InvalidInputError: it is neither.
    """
    try:
        jwk = json.loads(text)
    except ValueError:
        jwk = None
    if isinstance(jwk, dict) and isinstance(jwk.get("keys"), list) and len(jwk["keys"]) == 1:
        jwk = jwk["keys"][0]
    if not isinstance(jwk, dict):
        raise InvalidInputError([Fault("/jwk", "not_json", "a JSON object: a JWK, or a key set with one key")])
    return jwk


def lifetime(days: int) -> timedelta:
    return timedelta(days=days)


def faults_of(error: InvalidInputError | AlreadyExistsError, field: str = "") -> Sequence[Fault]:
    """Give what is to be shown beside the fields; `field` is where a name that is taken was typed."""
    if isinstance(error, InvalidInputError):
        return error.faults
    return [Fault(f"/{field}", "exists", "it exists already")]


def _faults(messages: Mapping[str, Any]) -> list[Fault]:
    return [Fault(f"/{field}", str(code), str(code)) for field, codes in messages.items() for code in _flat(codes)]


def _flat(codes: Any) -> list[Any]:
    if isinstance(codes, dict):
        return [code for inner in codes.values() for code in _flat(inner)]
    return list(codes)
