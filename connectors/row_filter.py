"""The neutral tree of a row filter: what a policy leaves to be asked of each record, as the gateway hands it over.

The document is plain JSON, because `policies` writes it and may not be imported here:

    {"op": "and", "parts": [{"op": "eq", "field": "stage", "value": "seized"},
                            {"op": "not", "part": {"op": "exists", "field": "consent_all"}}]}

| node | true when |
|---|---|
| `eq ne lt le gt ge` `field` `value` | the field is present and compares so |
| `in` `field` `values` | the field is present and one of the values |
| `contains` `field` `value` | the set has that element |
| `exists` `field` | the field is present, or a set that is not empty |
| `and or` `parts` · `not` `part` · `true` · `false` | as named; a comparison with an absent field is false |

A node that is not in this table is kept as it is and never evaluated: it stays in what is left to the gateway.
"""

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = Any
Scalar = str | int | bool


class Op(StrEnum):
    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"
    CONTAINS = "contains"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Compare:
    """`op` is one of eq ne lt le gt ge contains."""

    op: Op
    field: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class OneOf:
    field: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    field: str


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple["RowFilter", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple["RowFilter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: "RowFilter"


@dataclass(frozen=True, slots=True)
class Constant:
    value: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """A node this room does not know, kept as it came."""

    document: Json


RowFilter = Compare | OneOf | Exists | AllOf | AnyOf | Not | Constant | Unknown

EVERYTHING = Constant(value=True)
NOTHING = Constant(value=False)

_ORDERINGS = {Op.LT: operator.lt, Op.LE: operator.le, Op.GT: operator.gt, Op.GE: operator.ge}
_COMPARISONS = frozenset({Op.EQ, Op.NE, Op.CONTAINS, *_ORDERINGS})


def from_document(document: Json) -> RowFilter:  # noqa: PLR0911  (one answer a kind of node)
    """Read the plain JSON of a row filter. Never fails: what is not understood becomes `Unknown`."""
    match document:
        case {"op": "and", "parts": [*parts], **rest} if not rest:
            return AllOf(tuple(map(from_document, parts)))
        case {"op": "or", "parts": [*parts], **rest} if not rest:
            return AnyOf(tuple(map(from_document, parts)))
        case {"op": "not", "part": part, **rest} if not rest:
            return Not(from_document(part))
        case {"op": "true" | "false" as name, **rest} if not rest:
            return Constant(value=name == "true")
        case {"op": "exists", "field": str(field), **rest} if not rest:
            return Exists(field)
        case {"op": "in", "field": str(field), "values": [*values], **rest} if not rest and all(
            map(_is_scalar, values)
        ):
            return OneOf(field, tuple(values))
        case {"op": str(name), "field": str(field), "value": value, **rest} if (
            not rest and name in _COMPARISONS and _is_scalar(value)
        ):
            return Compare(Op(name), field, value)
        case _:
            return Unknown(document)


def to_document(wanted: RowFilter) -> Json:  # noqa: PLR0911  (one answer a kind of node)
    """Write a row filter as plain JSON; `from_document` reads the same tree back."""
    match wanted:
        case Compare(op, field, value):
            return {"op": str(op), "field": field, "value": value}
        case OneOf(field, values):
            return {"op": "in", "field": field, "values": list(values)}
        case Exists(field):
            return {"op": "exists", "field": field}
        case AllOf(parts):
            return {"op": "and", "parts": [to_document(part) for part in parts]}
        case AnyOf(parts):
            return {"op": "or", "parts": [to_document(part) for part in parts]}
        case Not(part):
            return {"op": "not", "part": to_document(part)}
        case Constant(value):
            return {"op": "true" if value else "false"}
        case Unknown(document):
            return document


def all_of(parts: tuple[RowFilter, ...]) -> RowFilter:
    """Join with `and`, without needless nodes."""
    kept = tuple(part for part in parts if part != EVERYTHING)
    if not kept:
        return EVERYTHING
    return kept[0] if len(kept) == 1 else AllOf(kept)


def holds(wanted: RowFilter, fields: Mapping[str, Any]) -> bool:  # noqa: PLR0911  (one answer a kind of node)
    """Evaluate on one record's values: scalars, or collections for `contains` and `exists`.

    Raises:
        ValueError: the tree has a node that is not known; such a tree can only be judged by who wrote it.
    """
    match wanted:
        case Compare(op, field, value):
            return _compares(op, fields.get(field), value)
        case OneOf(field, values):
            return any(_compares(Op.EQ, fields.get(field), value) for value in values)
        case Exists(field):
            present = fields.get(field)
            return present is not None and present not in ("", [], (), set(), frozenset())
        case AllOf(parts):
            return all(holds(part, fields) for part in parts)
        case AnyOf(parts):
            return any(holds(part, fields) for part in parts)
        case Not(part):
            return not holds(part, fields)
        case Constant(value):
            return value
        case Unknown():
            raise ValueError("a row filter node that this room does not know")


def _is_scalar(value: Json) -> bool:
    return isinstance(value, str | int | bool)


def _compares(op: Op, present: Any, value: Scalar) -> bool:
    if op is Op.CONTAINS:
        return isinstance(present, list | tuple | set | frozenset) and any(_same(item, value) for item in present)
    if type(present) is not type(value) or present == "":
        return False
    if op is Op.EQ or op is Op.NE:
        return bool(present == value) == (op is Op.EQ)
    return not isinstance(value, bool) and bool(_ORDERINGS[op](present, value))


def _same(left: Any, right: Any) -> bool:
    """Equal and of one type: `1`, `True` and `"1"` are three values."""
    return type(left) is type(right) and bool(left == right)
