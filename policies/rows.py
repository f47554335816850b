"""Row filters: what policies leave to be asked of each record, as a tree any source can be asked with.

A filter is never narrower than the policies: what has no translation becomes true where that lets more rows through,
and every row that comes back is decided again. It speaks of a record's facts, never of its fields.

    {"op": "and", "parts": [{"op": "eq", "field": "stage", "value": "seized"}, {"op": "not", "part": …}]}

| node | true when |
|---|---|
| `eq ne lt le gt ge` `field` `value` | the fact is present and compares so |
| `in` `field` `values` | the fact is present and one of the values |
| `contains` `field` `value` | the set has that member |
| `exists` `field` | the fact is present, or a set that is not empty |
| `and or` `parts` · `not` `part` · `true` · `false` | as named; a comparison with an absent fact is false |

Instants are text in UTC with three decimals and `Z`, whose order as text is their order in time.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from policies.documents import instant_text
from policies.question import Fact
from policies.reference import PolicyRef

Json = Any
Scalar = str | bool
Comparison = Literal["eq", "ne", "lt", "le", "gt", "ge"]


@dataclass(frozen=True, slots=True)
class Compare:
    op: Comparison
    field: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class OneOf:
    field: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Contains:
    field: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class Exists:
    field: str


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"


@dataclass(frozen=True, slots=True)
class Constant:
    value: bool


Node = Compare | OneOf | Contains | Exists | And | Or | Not | Constant

TRUE = Constant(value=True)
FALSE = Constant(value=False)


@dataclass(frozen=True, slots=True)
class RowFilter:
    """`where` is true of every record that could be released; exact if it is false of every other one."""

    where: Node
    is_exact: bool
    widened_by: tuple[PolicyRef, ...]
    opened_by: tuple[PolicyRef, ...] = ()
    """Permits that, for want of a translation, may allow every record; forbids may still take some of them away."""
    is_narrow: bool = True
    """Not every record is one that some permit may allow."""

    @property
    def is_blank(self) -> bool:
        """Would have a whole source read for want of a translation: not to be used in bulk, and `blamed` says why."""
        return bool(self.opened_by) or (self.where == TRUE and not self.is_exact)

    @property
    def blamed(self) -> tuple[PolicyRef, ...]:
        """The policies that make it blank."""
        return self.opened_by or self.widened_by


def all_of(parts: Iterable[Node]) -> Node:
    """Join with `and`, folding constants and dropping what stands twice."""
    kept = dict.fromkeys(_flat(parts, And))
    kept.pop(TRUE, None)
    if FALSE in kept:
        return FALSE
    return And(tuple(kept)) if len(kept) > 1 else next(iter(kept), TRUE)


def any_of(parts: Iterable[Node]) -> Node:
    """Join with `or`, folding constants and dropping what stands twice."""
    kept = dict.fromkeys(_flat(parts, Or))
    kept.pop(FALSE, None)
    if TRUE in kept:
        return TRUE
    return Or(tuple(kept)) if len(kept) > 1 else next(iter(kept), FALSE)


def none_of(part: Node) -> Node:
    """Negate. Comparisons keep their `not`: a source's NULL must stay on the side that lets the row through."""
    match part:
        case Constant(value):
            return Constant(not value)
        case Not(inner):
            return inner
        case _:
            return Not(part)


def _flat(parts: Iterable[Node], kind: type[And] | type[Or]) -> Iterable[Node]:
    for part in parts:
        if isinstance(part, And | Or) and isinstance(part, kind):
            yield from part.parts
        else:
            yield part


def join(filters: Iterable[RowFilter], *, every: bool) -> RowFilter:
    """Rows that pass every filter, or any of them."""
    found = tuple(filters)
    widened = {ref for one in found for ref in one.widened_by}
    where = (all_of if every else any_of)(one.where for one in found)
    if where == FALSE:
        return RowFilter(FALSE, is_exact=True, widened_by=())
    is_narrow = (any if every else all)(one.is_narrow for one in found)
    is_open = not every and any(not one.is_narrow and not one.opened_by for one in found)
    opened = {ref for one in found for ref in one.opened_by} if not is_narrow and not is_open else set[PolicyRef]()
    return RowFilter(
        where,
        is_exact=all(one.is_exact for one in found),
        widened_by=tuple(sorted(widened)),
        opened_by=tuple(sorted(opened)),
        is_narrow=is_narrow,
    )


def to_document(row_filter: RowFilter) -> Json:
    """Write the tree as plain JSON, the form in which it leaves this room."""
    return _document(row_filter.where)


def matches(row_filter: RowFilter, attributes: Mapping[str, Fact]) -> bool:
    """Tell whether a record with these facts passes; an absent fact makes a comparison false."""
    return _holds(row_filter.where, attributes)


def _document(node: Node) -> Json:  # noqa: PLR0911 -- one answer a kind of node
    match node:
        case Compare(op, field, value):
            return {"op": op, "field": field, "value": value}
        case OneOf(field, values):
            return {"op": "in", "field": field, "values": list(values)}
        case Contains(field, value):
            return {"op": "contains", "field": field, "value": value}
        case Exists(field):
            return {"op": "exists", "field": field}
        case And(parts):
            return {"op": "and", "parts": [_document(part) for part in parts]}
        case Or(parts):
            return {"op": "or", "parts": [_document(part) for part in parts]}
        case Not(part):
            return {"op": "not", "part": _document(part)}
        case Constant(value):
            return {"op": "true" if value else "false"}


def _holds(node: Node, attributes: Mapping[str, Fact]) -> bool:  # noqa: PLR0911 -- one answer a kind of node
    match node:
        case Compare(op, field, value):
            return _compares(op, _plain(attributes.get(field)), value)
        case OneOf(field, values):
            return any(_compares("eq", _plain(attributes.get(field)), value) for value in values)
        case Contains(field, value):
            members = attributes.get(field)
            return isinstance(members, AbstractSet) and value in members
        case Exists(field):
            return attributes.get(field) not in {None, frozenset()}
        case And(parts):
            return all(_holds(part, attributes) for part in parts)
        case Or(parts):
            return any(_holds(part, attributes) for part in parts)
        case Not(part):
            return not _holds(part, attributes)
        case Constant(value):
            return value


def _plain(fact: Fact | None) -> Any:
    return instant_text(fact) if isinstance(fact, datetime) else fact


def _compares(op: Comparison, present: Any, value: Scalar) -> bool:
    """Compare what is of one type; truth values have no order."""
    if type(present) is not type(value):
        return False
    if op in _ORDERED and isinstance(present, str) and isinstance(value, str):
        return bool(_ORDERED[op](present, value))
    return bool(present == value) if op == "eq" else op == "ne" and bool(present != value)


_ORDERED: Mapping[Comparison, Callable[[str, str], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
