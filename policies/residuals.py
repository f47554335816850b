"""From what Cedar could not decide without the record to a row filter: the translation, and where it must widen."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from policies.cedar import Residual
from policies.operands import (
    Field,
    Uid,
    UntranslatableError,
    Value,
    members,
    ordinal,
    read_constant,
    scalar,
    scalar_key,
)
from policies.question import Agency, Question
from policies.reference import PolicyRef
from policies.rows import (
    FALSE,
    TRUE,
    Compare,
    Comparison,
    Constant,
    Contains,
    Exists,
    Node,
    OneOf,
    RowFilter,
    all_of,
    any_of,
    none_of,
)
from policies.schema import entity_type

Json = Any

_ORDER: Mapping[str, Comparison] = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_MIRRORED: Mapping[Comparison, Comparison] = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a record before it is: its Cedar type, its source, its holder; and the action asked about.

    `action` holds the action and all classes above it, or None where any action the policy covers is meant.
    """

    type: str
    source: str
    holder: Agency
    action: frozenset[str] | None

    @classmethod
    def of(cls, question: Question, action: Collection[str] | None = None) -> Self:
        record_type = f"IPX::{entity_type(question.record_type)}"
        return cls(record_type, question.source, question.holder, None if action is None else frozenset(action))


@dataclass(frozen=True, slots=True)
class Reading:
    """One policy's residual, translated: the rows its condition may hold for (permit) or surely holds for (forbid)."""

    ref: PolicyRef
    effect: str
    where: Node
    is_widened: bool


def read_residual(ref: PolicyRef, residual: Residual, known: Known) -> Reading:
    """Translate one residual; a permit's untranslatable part counts as true, a forbid's as false."""
    translation = _Translation(known)
    where = translation.condition(residual.condition, widen_to=residual.effect == "permit")
    return Reading(ref, residual.effect, where, translation.has_widened)


def row_filter(readings: Iterable[Reading]) -> RowFilter:
    """The rows that some permit may allow and no forbid surely forbids, of all policies that cover one action."""
    found = tuple(readings)
    permits = any_of(reading.where for reading in found if reading.effect == "permit")
    forbids = any_of(reading.where for reading in found if reading.effect == "forbid")
    where = all_of([permits, none_of(forbids)])
    if where == FALSE:
        return RowFilter(FALSE, is_exact=True, widened_by=())
    widened = sorted({reading.ref for reading in found if reading.is_widened})
    opening = [reading for reading in found if reading.effect == "permit" and reading.where == TRUE]
    is_open = any(not reading.is_widened for reading in opening)
    return RowFilter(
        where,
        is_exact=not widened,
        widened_by=tuple(widened),
        opened_by=() if is_open else tuple(sorted({reading.ref for reading in opening})),
        is_narrow=permits != TRUE,
    )


def sure_forbids(readings: Iterable[Reading]) -> frozenset[PolicyRef]:
    """The forbids that apply whatever the record is."""
    return frozenset(reading.ref for reading in readings if reading.effect == "forbid" and reading.where == TRUE)


class _Translation:
    """Translates one policy's condition; remembers whether anything was widened."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self.has_widened = False

    def condition(self, tree: Json, *, widen_to: bool) -> Node:
        """Translate an expression of truth; what has no translation becomes `widen_to`, reversed under every `not`."""
        (kind, body), *_ = tree.items()
        match kind:
            case "&&":
                return all_of([self.condition(body[side], widen_to=widen_to) for side in ("left", "right")])
            case "||":
                return any_of([self.condition(body[side], widen_to=widen_to) for side in ("left", "right")])
            case "!":
                return none_of(self.condition(body["arg"], widen_to=not widen_to))
            case "if-then-else":
                return self._branches(body, widen_to=widen_to)
            case _:
                try:
                    return self._leaf(kind, body, tree)
                except UntranslatableError:
                    self.has_widened = True
                    return Constant(widen_to)

    def _branches(self, body: Json, *, widen_to: bool) -> Node:
        """`if` stands once plain and once negated, so a widened condition opens both branches."""
        chosen = self.condition(body["if"], widen_to=widen_to)
        left_open = self.condition(body["if"], widen_to=not widen_to)
        then, otherwise = (self.condition(body[branch], widen_to=widen_to) for branch in ("then", "else"))
        return any_of([all_of([chosen, then]), all_of([none_of(left_open), otherwise])])

    def _leaf(self, kind: str, body: Json, tree: Json) -> Node:  # noqa: PLR0911 -- one answer a kind of expression
        match kind:
            case "==" | "in" if _is_unknown(body["left"], "action"):
                return self._is_action(kind, body["right"])
            case "==":
                return _equal(self._operand(body["left"]), self._operand(body["right"]))
            case "!=":
                return none_of(_equal(self._operand(body["left"]), self._operand(body["right"])))
            case "<" | "<=" | ">" | ">=":
                return _ordered(_ORDER[kind], self._operand(body["left"]), self._operand(body["right"]))
            case "contains" | "containsAny" | "containsAll":
                return _contains(kind, self._operand(body["left"]), self._operand(body["right"]))
            case "isEmpty":
                return _is_empty(self._operand(body["arg"]))
            case "has":
                return _has(body)
            case "is" | "in":
                return self._stands(kind, body)
            case _:
                return _truth(self._operand(tree))

    def _operand(self, tree: Json) -> Field | Value:
        """A constant or a fact; what follows from the holder is a constant too."""
        if "." not in tree:
            return read_constant(tree)
        left, name = tree["."]["left"], tree["."]["attr"]
        holder = self._known.holder
        if _is_unknown(left, "resource"):
            return Value(Uid("IPX::Agency", holder.code)) if name == "holder" else Field(name)
        if self._operand(left) != Value(Uid("IPX::Agency", holder.code)):
            raise UntranslatableError
        match name:
            case "suspended":
                return Value(holder.suspended)
            case "kind":
                return Value(Uid("IPX::AgencyKind", holder.kind))
            case "jurisdictions":
                return Value(frozenset(Uid("IPX::Jurisdiction", code) for code in holder.jurisdictions))
            case _:
                raise UntranslatableError

    def _is_action(self, kind: str, right: Json) -> Node:
        if self._known.action is None:
            return TRUE  # the policy's scope; whoever asks about any action leaves out policies that read it
        named = read_constant(right).of
        wanted = {one.id for one in (named if isinstance(named, frozenset) else {named}) if isinstance(one, Uid)}
        if kind == "==" and not wanted <= self._known.action:
            return FALSE
        return Constant(not wanted.isdisjoint(self._known.action))

    def _stands(self, kind: str, body: Json) -> Node:
        """`is` a type, `in` a source or agency: all known before the record is."""
        if not _is_unknown(body["left"], "resource"):
            raise UntranslatableError
        if kind == "is":
            is_of_type = Constant(body["entity_type"] == self._known.type)
            if is_of_type == FALSE or "in" not in body:
                return is_of_type
            return self._stands("in", {"left": body["left"], "right": body["in"]})
        named = read_constant(body["right"]).of
        above = named if isinstance(named, frozenset) else frozenset({named})
        if any(not isinstance(one, Uid) or one.type == self._known.type for one in above):
            raise UntranslatableError
        here = {Uid("IPX::Source", self._known.source), Uid("IPX::Agency", self._known.holder.code)}
        return Constant(not above.isdisjoint(here))


def _is_unknown(tree: Json, variable: str) -> bool:
    return tree in ({"unknown": [{"Value": variable}]}, {"Var": variable})


def _equal(left: Field | Value, right: Field | Value) -> Node:
    match left, right:
        case Value(), Value():
            return Constant(type(left.of) is type(right.of) and left.of == right.of)
        case (Field(name), Value(value)) | (Value(value), Field(name)) if not isinstance(value, frozenset):
            return Compare("eq", name, scalar(value))
        case _:
            raise UntranslatableError


def _ordered(op: Comparison, left: Field | Value, right: Field | Value) -> Node:
    match left, right:
        case Field(name), Value(value):
            return Compare(op, name, ordinal(value))
        case Value(value), Field(name):
            return Compare(_MIRRORED[op], name, ordinal(value))
        case Value(datetime() as one), Value(datetime() as other):
            return Constant({"lt": one < other, "le": one <= other, "gt": one > other, "ge": one >= other}[op])
        case _:
            raise UntranslatableError


def _contains(kind: str, left: Field | Value, right: Field | Value) -> Node:
    """`contains`, `containsAny` and `containsAll` between a set and constants, or constants and one fact."""
    wanted = members(right) if kind != "contains" else [right]
    match left, right:
        case Value(frozenset() as constants), Field(name) if kind == "contains":
            return OneOf(name, tuple(scalar(one) for one in sorted(constants, key=scalar_key))) if constants else FALSE
        case Value(frozenset() as constants), Field(name) if kind == "containsAny":
            found: list[Node] = [Contains(name, scalar(one)) for one in sorted(constants, key=scalar_key)]
        case Value(frozenset() as constants), Value():
            found = [Constant(one.of in constants) for one in wanted if isinstance(one, Value)]
        case Field(name), Value():
            found = [Contains(name, scalar(one.of)) for one in wanted if isinstance(one, Value)]
        case _:
            raise UntranslatableError
    return all_of(found) if kind == "containsAll" else any_of(found)


def _is_empty(operand: Field | Value) -> Node:
    match operand:
        case Value(frozenset() as constants):
            return Constant(not constants)
        case Field(name):
            return none_of(Exists(name))
        case _:
            raise UntranslatableError


def _has(body: Json) -> Node:
    """Only optional facts are asked for so, and none of them is a set: present means present."""
    names = body["attr"] if isinstance(body["attr"], list) else [body["attr"]]
    if not _is_unknown(body["left"], "resource") or len(names) != 1:
        raise UntranslatableError
    return Exists(names[0])


def _truth(operand: Field | Value) -> Node:
    match operand:
        case Value(bool() as value):
            return Constant(value)
        case Field(name):
            return Compare("eq", name, value=True)
        case _:
            raise UntranslatableError
