"""Judges a mapped record as a whole: shapes, identifiers, codes, and what its fields say together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, cast

from marshmallow import Schema, ValidationError

from gateway.records.catalogue import CATALOGUE
from gateway.records.dated_rules import Circumstances
from gateway.records.declarations import RecordType
from gateway.records.identifiers.hs import Editions
from gateway.records.reasons import Finding, Reason
from gateway.records.record import HOLDER_ENVELOPE, HolderEnvelopeSchema
from gateway.records.rules import Rule

NO_EDITIONS = Editions({})
HOLDER_SCHEMA = HolderEnvelopeSchema()

ZONES = timedelta(days=1)
"""A day that has begun somewhere on earth is not in the future."""


def validate(record_type: str, fields: Mapping[str, Any], *, today: date) -> list[Finding]:
    """List everything for which a record cannot be taken.

    Args:
        record_type: a type of the catalogue.
        fields: what the holder says: fields of the type, and what `HOLDER_ENVELOPE` lets it say of the envelope.
        today: the day it is judged on.

    Returns:
        One finding a fault, none for a good record; a field's own faults first, then what contradicts it.

    Raises:
        KeyError: no such type.
    """
    known = CATALOGUE.types[record_type]
    found = list(_shape_findings(known, fields))
    circumstances = Circumstances(today, NO_EDITIONS)
    found += _future_dates(known, fields, today, skip=_fields_of(found))
    found += _rule_findings(known.refuse, fields, circumstances, skip=_fields_of(found))
    return found


def oddities(
    record_type: str, fields: Mapping[str, Any], *, today: date, editions: Editions = NO_EDITIONS
) -> list[Finding]:
    """List what is odd about a record that can be taken all the same: for the operator, never a reason to refuse.

    Fields whose shape is wrong are not looked at; `validate` names them.
    """
    known = CATALOGUE.types[record_type]
    broken = _fields_of(_shape_findings(known, fields))
    return list(_rule_findings(known.flag, fields, Circumstances(today, editions), skip=broken))


def _shape_findings(known: RecordType, fields: Mapping[str, Any]) -> Iterator[Finding]:
    for schema, mine in ((known.schema, fields.keys() - HOLDER_ENVELOPE), (HOLDER_SCHEMA, HOLDER_ENVELOPE)):
        yield from _schema_findings(schema, {field: value for field, value in fields.items() if field in mine})


def _schema_findings(schema: Schema, fields: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        schema.load(fields)
    except ValidationError as error:
        by_field: Mapping[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
        for field, messages in sorted(by_field.items()):
            for path, message in _flat(messages):
                reason, _, detail = message.partition(": ")
                yield Finding(str(field), cast("Reason", reason), f"{path}: {detail}" if path else detail)


def _flat(messages: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Marshmallow's messages with the path below the field, `0/quantity`."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            below = path if key == "_schema" else f"{path}/{key}".lstrip("/")
            yield from _flat(inner, below)
    else:
        for message in messages:
            yield path, str(message)


def _future_dates(
    known: RecordType, fields: Mapping[str, Any], today: date, *, skip: frozenset[str]
) -> Iterator[Finding]:
    latest = (today + ZONES).isoformat()
    for path in known.past_dates:
        if path[0] not in skip and any(day > latest for day in _values(fields, path)):
            yield Finding(path[0], "future_date", "/".join(path[1:]) or "lies in the future")


def _values(value: Any, path: Sequence[str]) -> Iterator[str]:
    if isinstance(value, list):
        for entry in value:
            yield from _values(entry, path)
    elif not path:
        yield value
    elif path[0] in value:
        yield from _values(value[path[0]], path[1:])


def _rule_findings(
    rules: Iterable[Rule], fields: Mapping[str, Any], circumstances: Circumstances, *, skip: frozenset[str]
) -> Iterator[Finding]:
    for rule in rules:
        if not rule.fields & skip:
            yield from rule.findings(fields, circumstances)


def _fields_of(found: Iterable[Finding]) -> frozenset[str]:
    return frozenset(finding.field for finding in found)
