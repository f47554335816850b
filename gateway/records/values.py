"""Kinds of values: marshmallow fields that check a JSON value and give it back unchanged.

Values stay JSON (civil dates, decimals and instants are strings), because a record is signed and compared as JSON.
Every refusal is a message `<reason>: <detail>`, so that marshmallow can carry it and `validation` can read it.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from marshmallow import ValidationError, fields

from gateway.records.codes import CodeTable, code_table
from gateway.records.identifiers import RULES, IdentifierError, canonical
from gateway.records.reasons import Reason
from gateway.records.record_ids import RecordIdError, parse_record_id
from gateway.records.texts import text_fault

MESSAGES = {
    "required": "missing_required: not there",
    "null": "wrong_type: null; what is not there is left out",
    "invalid": "wrong_type: not a list",
    "type": "wrong_type: not an object",
    "unknown": "unknown_schema: the catalogue has no such field",
}

_DECIMAL = re.compile(r"-?(?:0|[1-9]\d{0,37})(?:\.\d{1,20})?", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RIGHT_KEY = re.compile(r"([A-Z]{2})\|([a-z_]+)\|([^\s|]+(?: [^\s|]+)*)")
_GROUP = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
_PARTY_NUMBER = re.compile(r"([A-Za-z][A-Za-z0-9._-]{0,62}):(\S(?:.{0,198}\S)?)")
LARGEST_INTEGER = 2**53 - 1
"""Beyond it JSON numbers are not the same everywhere (RFC 8259, section 6)."""


def refusal(reason: Reason, detail: str) -> ValidationError:
    return ValidationError(f"{reason}: {detail}")


def messages() -> dict[str, str | list[Any] | dict[Any, Any]]:
    """`MESSAGES` as marshmallow's fields take them: a dictionary of their own."""
    return dict(MESSAGES)


class Checked(fields.Field[Any]):
    """A field whose check either refuses a JSON value or leaves it as it is."""

    def __init__(self, check: Callable[[Any], None], **options: Any) -> None:
        super().__init__(error_messages=messages(), **options)
        self._check = check

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:  # noqa: ARG002  (marshmallow's signature)
        self._check(value)
        return value


def text(value: Any) -> None:
    if not isinstance(value, str):
        raise refusal("wrong_type", "not a text")
    fault = text_fault(value)
    if fault is not None:
        raise refusal(*fault)


def civil_date(value: Any) -> None:
    """A day without a zone, `2018-04-17`."""
    text(value)
    try:
        written = date.fromisoformat(value).isoformat()
    except ValueError:
        written = ""
    if written != value:
        raise refusal("bad_date", "not a day of the calendar as YYYY-MM-DD")


def instant(value: Any) -> None:
    """A point in time in UTC, `2026-11-25T08:00:00Z`."""
    text(value)
    if not _INSTANT.fullmatch(value) or not is_datetime(value):
        raise refusal("bad_date", "not an instant as YYYY-MM-DDThh:mm:ssZ")


def is_datetime(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).astimezone(UTC) is not None
    except (ValueError, OverflowError):
        return False


def integer(value: Any) -> None:
    """A count; never negative in any record."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise refusal("wrong_type", "not an integer")
    if not 0 <= value <= LARGEST_INTEGER:
        raise refusal("bad_number", "negative or beyond 2^53")


def decimal(value: Any) -> None:
    """A number that must not round, as text: `14200.50`."""
    if not isinstance(value, str):
        raise refusal("wrong_type", "a number that must not round is a text")
    if not _DECIMAL.fullmatch(value):
        raise refusal("bad_number", "not a decimal number with a point")


def quantity(value: Any) -> None:
    decimal(value)
    if value.startswith("-"):
        raise refusal("bad_number", "negative")


def flag(value: Any) -> None:
    if not isinstance(value, bool):
        raise refusal("wrong_type", "not true or false")


def digest(value: Any) -> None:
    """SHA-256 in 64 hexadecimal digits."""
    text(value)
    if not _DIGEST.fullmatch(value):
        raise refusal("bad_identifier", "not 64 hexadecimal digits in lower case")


def group(value: Any) -> None:
    text(value)
    if not _GROUP.fullmatch(value):
        raise refusal("unknown_code", "not the name of a field group")


def right_key(value: Any) -> None:
    """What names one right across agencies: office, right type, application number, `EM|trademark|018222197`."""
    text(value)
    match = _RIGHT_KEY.fullmatch(value)
    if match is None:
        raise refusal("bad_identifier", "not office|right type|number")
    office, right_type, _ = match.groups()
    if office not in code_table("st3").words or right_type not in code_table("right-type").words:
        raise refusal("bad_identifier", "a right key begins with an office of ST.3 and a right type")


def party_number(value: Any) -> None:
    """A number of a party with the kind in front, `CN.uscc:91…`, or with the register that gave it, `EUIPO:123`."""
    text(value)
    match = _PARTY_NUMBER.fullmatch(value)
    if match is None:
        raise refusal("bad_identifier", "not kind:number")
    kind, number = match.groups()
    if kind in RULES:
        _require_canonical(kind, number)


def record_id(value: Any) -> None:
    text(value)
    try:
        parse_record_id(value)
    except RecordIdError as error:
        raise refusal("bad_identifier", "not the URN of a record") from error


def identifier(kind: str) -> Callable[[Any], None]:
    """An identifier, already in its canonical form."""

    def check(value: Any) -> None:
        text(value)
        _require_canonical(kind, value)

    return check


def word_of(table: CodeTable) -> Callable[[Any], None]:
    """A word of a code list."""

    def check(value: Any) -> None:
        text(value)
        if value not in table.words:
            raise refusal("unknown_code", f"not in the code list {table.name}")

    return check


def any_json(_: Any) -> None:
    """What a mapping did not know, as it came."""


def _require_canonical(kind: str, value: str) -> None:
    try:
        stored = canonical(kind, value)
    except IdentifierError as error:
        raise refusal(error.reason, error.detail) from error
    if stored != value:
        raise refusal("bad_identifier", f"not in the canonical form of {kind}")


ATOMS: Mapping[str, Callable[[Any], None]] = {
    "text": text,
    "date": civil_date,
    "past_date": civil_date,
    "instant": instant,
    "integer": integer,
    "decimal": decimal,
    "quantity": quantity,
    "flag": flag,
    "digest": digest,
    "group": group,
    "right_key": right_key,
    "party_number": party_number,
    "record_id": record_id,
    "any": any_json,
}
"""Kind → check. A `past_date` cannot lie in the future: that needs a clock, and `validation` sees to it."""
