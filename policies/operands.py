"""Parts of a residual that have a value before the record is known: constants, and facts by name."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from policies.documents import instant_text
from policies.rows import Scalar

Json = Any

_DURATION = re.compile(r"(-?)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_MILLISECONDS = (86_400_000, 3_600_000, 60_000, 1_000, 1)


@dataclass(frozen=True, slots=True)
class Uid:
    """A constant entity."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Field:
    """A fact of the record that is not known yet."""

    name: str


@dataclass(frozen=True, slots=True)
class Value:
    """A constant: a scalar, an instant, an entity, or a set of these."""

    of: bool | str | datetime | Uid | frozenset[Any]


class UntranslatableError(Exception):
    """An expression the neutral tree has no node for; always caught where the filter widens."""


def read_constant(tree: Json) -> Value:
    """Read a constant of Cedar's JSON form.

    Raises:
        UntranslatableError: the expression is no constant.
    """
    (kind, body), *_ = tree.items()
    match kind, body:
        case "Value", bool() | str():
            return Value(body)
        case "Value", {"__entity": {"type": str(name), "id": str(identifier)}}:
            return Value(Uid(name, identifier))
        case "Value" | "Set", list():
            return Value(frozenset(read_constant(one if kind == "Set" else {"Value": one}).of for one in body))
        case "datetime", [{"Value": str(text)}]:
            return Value(_read_instant(text))
        case "offset", [moment, {"duration": [{"Value": str(length)}]}]:
            start = read_constant(moment).of
            if isinstance(start, datetime):
                return Value(start + _read_duration(length))
        case _:
            pass
    raise UntranslatableError


def scalar(value: Any) -> Scalar:
    """The form in which a constant stands in a row filter: an entity by its id, an instant as text.

    Raises:
        UntranslatableError: it has none.
    """
    match value:
        case Uid():
            return value.id
        case datetime():
            return instant_text(value)
        case "":
            raise UntranslatableError  # sources take an empty text for an absent one
        case bool() | str():
            return value
        case _:
            raise UntranslatableError


def ordinal(value: Any) -> Scalar:
    """The form of a constant that has an order.

    Raises:
        UntranslatableError: it has none in a row filter.
    """
    if isinstance(value, datetime):
        return instant_text(value)
    raise UntranslatableError


def scalar_key(value: Any) -> str:
    return str(scalar(value))


def members(operand: Field | Value) -> list[Field | Value]:
    match operand:
        case Value(frozenset() as members):
            return [Value(member) for member in sorted(members, key=scalar_key)]
        case _:
            return [operand]


def _read_instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UntranslatableError from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _read_duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UntranslatableError
    sign, *counts = match.groups()
    total = sum(int(count or 0) * unit for count, unit in zip(counts, _MILLISECONDS, strict=True))
    try:
        return timedelta(milliseconds=-total if sign else total)
    except OverflowError:
        raise UntranslatableError from None
