"""Conditions of policies as formulas that z3 can decide, one construct of Cedar after the other."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import z3  # type: ignore[import-untyped]

from policies.compiled import CompiledPolicy
from policies.operands import UntranslatableError, read_constant
from policies.question_variables import EPOCH, QuestionVariables
from policies.schema import Catalogue, entity_type, parents
from policies.universes import Name, Names, NotAnalysedError, pick

Json = Any
_CONTEXT: Final = {
    "purpose": "Purpose",
    "legal_basis": "String",
    "mode": "Mode",
    "now": "datetime",
    "overdue_acknowledgements": "Long",
}
_PARTS: Final = {
    "case_reference": {
        "number": "String",
        "jurisdiction": "Jurisdiction",
        "active": "Bool",
        "verified": "Bool",
        "defendants": "Set<PartyKey>",
    },
    "representing": {"party": "PartyKey", "right_keys": "Set<String>", "verified": "Bool"},
    "delegation": {"supplier": "Agency", "active": "Bool", "covers_purpose": "Bool"},
}
_AGENCY: Final = {"kind": "AgencyKind", "jurisdictions": "Set<Jurisdiction>", "suspended": "Bool"}
TRUE: Final = z3.BoolVal(val=True)
FALSE: Final = z3.BoolVal(val=False)
_ASKERS_AND_RECORDS: Final = frozenset({("principal",), ("resource",)})


@dataclass(frozen=True, slots=True)
class _Path:
    """A part of the question that has members: `principal`, `resource`, `context` or a member of this."""

    at: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a formula is about: a record type, one action with all above it."""

    record_type: str
    action: str
    above: frozenset[str] = field(default_factory=frozenset)


class Formulas:
    """Formulas over the variables of a question.

    Args:
        catalogue: of record types and words.
        variables: of the question; formulas bring those they need.
        holder: the code of the records' holder, where all are of one.
    """

    def __init__(self, catalogue: Catalogue, variables: QuestionVariables, holder: str | None) -> None:
        self._catalogue = catalogue
        self._variables = variables
        self._holder = holder
        self._conditions: dict[tuple[str, Scope | None], Any] = {}
        self._facts = {fact.name: fact for fact in catalogue.facts}
        self._types = {f"IPX::{entity_type(known.name)}": known.name for known in catalogue.record_types}

    def scope(self, record_type: str, action: str) -> Scope:
        """Say what formulas about an action on records of a type are about."""
        known = self._catalogue.record_type(record_type)
        groups = {group.name: parents(group) for group in known.groups} if known else {}
        return Scope(record_type, action, frozenset({action, *groups.get(action, ())}))

    def condition(self, policy: CompiledPolicy, scope: Scope) -> Any:
        """Give when a policy applies, its action and record type aside.

        Raises:
            NotAnalysedError: it has a construct without a formula.
        """
        is_particular = policy.reads_action or '"is":' in policy.tree_text
        key = (f"{policy.ref} {id(policy)}", scope if is_particular else None)
        if key not in self._conditions:
            tree = policy.tree
            parts = [self._scope(tree[side], side) for side in ("principal", "resource")]
            for clause in tree["conditions"]:
                holds = self._truth(self._value(clause["body"], scope))
                parts.append(holds if clause["kind"] == "when" else z3.Not(holds))
            self._conditions[key] = z3.And(*parts)
        return self._conditions[key]

    def _scope(self, scope: Mapping[str, Any], side: str) -> Any:
        op = scope["op"]
        if op == "All":
            return TRUE
        if op == "is":
            return self._stands(_Path((side,)), scope["in"]["entity"]) if "in" in scope else TRUE
        if op == "in" and "entity" in scope:
            return self._stands(_Path((side,)), scope["entity"])
        raise NotAnalysedError(f"a scope with {op}")

    def _stands(self, left: Any, entity: Mapping[str, str]) -> Any:
        kind, code = entity["type"].removeprefix("IPX::"), entity["id"]
        if left == _Path(("principal",)):
            if kind == "Agency":
                return self._same(self._member(left, "agency"), Name("Agency", self._variables.place("Agency", code)))
            if kind == "Unit":
                return self._variables.boolean(f"unit:{code}")
        if left == _Path(("resource",)):
            if kind == "Agency":
                return self._same(self._member(left, "holder"), Name("Agency", self._variables.place("Agency", code)))
            if kind == "Source":
                source = self._variables.variable("source", "Source")
                return self._same(source, Name("Source", self._variables.place("Source", code)))
        if isinstance(left, _Path) and left.at in _ASKERS_AND_RECORDS and not self._is_what_stands(kind):
            return FALSE  # by the schema nobody stands below any of these
        raise NotAnalysedError(f"standing in {kind}")

    def _is_what_stands(self, kind: str) -> bool:
        """Tell whether it is the type of a client or a record: in itself stands everybody."""
        return kind in {"Client", "Unit", "Source"} or f"IPX::{kind}" in self._types

    def _value(self, tree: Json, scope: Scope) -> Any:  # noqa: C901, PLR0911, PLR0912  (one branch a construct)
        (kind, body), *_ = tree.items()
        match kind:
            case "Value":
                return self._constant(body)
            case "Var":
                return _Path((body,))
            case "&&" | "||":
                sides = [self._truth(self._value(body[side], scope)) for side in ("left", "right")]
                return z3.And(*sides) if kind == "&&" else z3.Or(*sides)
            case "!":
                return z3.Not(self._truth(self._value(body["arg"], scope)))
            case "if-then-else":
                test = self._truth(self._value(body["if"], scope))
                then, otherwise = (self._truth(self._value(body[part], scope)) for part in ("then", "else"))
                return z3.If(test, then, otherwise)
            case "==" | "!=" | "in" if body["left"] == {"Var": "action"}:
                return self._action(kind, body["right"], scope)
            case "==" | "!=":
                same = self._same(self._value(body["left"], scope), self._value(body["right"], scope))
                return same if kind == "==" else z3.Not(same)
            case "<" | "<=" | ">" | ">=":
                return self._order(kind, self._value(body["left"], scope), self._value(body["right"], scope))
            case "in":
                above = self._value(body["right"], scope)
                if isinstance(above, Name):
                    return self._stands(self._value(body["left"], scope), _entity(body["right"]))
                left = self._value(body["left"], scope)
                paths = {one.at for one in (left, above) if isinstance(one, _Path)}
                if paths == _ASKERS_AND_RECORDS:
                    return FALSE  # neither stands below the other
                if "Set" not in body["right"]:
                    raise NotAnalysedError("standing in what is no constant")
                return z3.Or(*(self._stands(left, _entity(one)) for one in body["right"]["Set"]))
            case "is":
                return self._is(body, scope)
            case ".":
                return self._member(self._value(body["left"], scope), body["attr"])
            case "has":
                return self._has(self._value(body["left"], scope), body["attr"])
            case "Set":
                return self._set([self._value(one, scope) for one in body])
            case "contains" | "containsAll" | "containsAny":
                return self._contains(kind, self._value(body["left"], scope), self._value(body["right"], scope))
            case "isEmpty":
                names = self._value(body["arg"], scope)
                return z3.Not(z3.Or(*self._names(names).has))
            case "datetime" | "duration":
                return self._instant(tree)
            case "offset":
                return self._value(body[0], scope) + self._value(body[1], scope)
            case "like":
                # As if anything could be like it: what is impossible stays so, and Cedar judges the rest.
                return self._variables.boolean(f"like:{json.dumps(body, sort_keys=True)}")
            case _:
                raise NotAnalysedError(f"the construct {kind}")

    def _constant(self, value: Any) -> Any:
        if isinstance(value, bool):
            return z3.BoolVal(value)
        if isinstance(value, int):
            return z3.IntVal(value)
        if isinstance(value, str):
            return Name("String", self._variables.place("String", value))
        if isinstance(value, dict) and "__entity" in value:
            kind = value["__entity"]["type"].removeprefix("IPX::")
            return Name(kind, self._variables.place(kind, value["__entity"]["id"]))
        if isinstance(value, list):
            return self._set([self._constant(one) for one in value])
        raise NotAnalysedError("a constant of another kind")

    def _instant(self, tree: Json) -> Any:
        (kind, body), *_ = tree.items()
        wanted = tree if kind == "datetime" else {"offset": [{"datetime": [{"Value": "1970-01-01"}]}, {kind: body}]}
        try:
            found = read_constant(wanted)
        except UntranslatableError:
            raise NotAnalysedError(f"a {kind} of another form") from None
        if not isinstance(found.of, datetime):
            raise NotAnalysedError(f"a {kind} of another form")
        return z3.IntVal((found.of - EPOCH) // timedelta(milliseconds=1))

    def _action(self, kind: str, right: Json, scope: Scope) -> Any:
        named = {_entity(one)["id"] for one in right.get("Set", [right])}
        holds = not named.isdisjoint(scope.above if kind == "in" else {scope.action})
        return z3.BoolVal(holds if kind != "!=" else not holds)

    def _is(self, body: Json, scope: Scope) -> Any:
        left = self._value(body["left"], scope)
        if left == _Path(("resource",)):
            is_of_type = self._types.get(body["entity_type"]) == scope.record_type
        elif left == _Path(("principal",)):
            is_of_type = body["entity_type"] == "IPX::Client"
        else:
            raise NotAnalysedError("is of something else")
        if not is_of_type or "in" not in body:
            return z3.BoolVal(is_of_type)
        return self._stands(left, _entity(body["in"]))

    def _member(self, left: Any, name: str) -> Any:  # noqa: C901, PLR0911  (one branch a member)
        match left:
            case _Path(("principal",)) if name == "agency":
                return self._variables.variable("principal.agency", "Agency")
            case _Path(("principal",)) if name == "assurance":
                return self._variables.variable("principal.assurance", "Long")
            case _Path(("principal",)) if name == "suspended":
                return self._variables.variable("principal.suspended", "Bool")
            case _Path(("resource",)) if name == "holder":
                if self._holder is not None:
                    return Name("Agency", self._variables.place("Agency", self._holder))
                return self._variables.variable("resource.holder", "Agency")
            case _Path(("resource",)) if name in self._facts:
                return self._variables.variable(f"resource.{name}", self._facts[name].kind)
            case _Path(("context",)) if name == "approvals":
                return self._variables.variable("context.approvals", "Set<Approval>")
            case _Path(("context",)) if name in _CONTEXT:
                return self._variables.variable(f"context.{name}", _CONTEXT[name])
            case _Path(("context",)) if name in _PARTS:
                return _Path(("context", name))
            case _Path(("context", part)):
                return self._variables.variable(f"context.{part}.{name}", _PARTS[part][name])
            case Name("Agency", at) if name in {"kind", "jurisdictions", "suspended"}:
                return self._of_agency(at, name)
            case _:
                raise NotAnalysedError(f"the member {name}")

    def _of_agency(self, at: Any, name: str) -> Any:
        size = self._variables.universe("Agency").size
        each = [self._variables.variable(f"agency{number}.{name}", _AGENCY[name]) for number in range(size)]
        if name == "jurisdictions":
            width = self._variables.universe("Jurisdiction").size
            return Names("Jurisdiction", tuple(pick(at, [one.has[j] for one in each]) for j in range(width)))
        if name == "kind":
            return Name("AgencyKind", pick(at, [one.at for one in each]))
        return pick(at, each)

    def _has(self, left: Any, attr: str | list[str]) -> Any:
        name, *rest = attr if isinstance(attr, list) else [attr]
        match left:
            case _Path(("context",)) if name in _PARTS:
                there = self._variables.boolean(f"has:{name}")
            case _Path(("resource",)) if name in self._facts and self._facts[name].is_optional:
                there = self._variables.boolean(f"has:resource.{name}")
            case _:
                self._member(left, name)
                there = TRUE
        return z3.And(there, self._has(self._member(left, name), rest)) if rest else there

    def _set(self, members: Sequence[Any]) -> Names:
        if {type(one) for one in members} != {Name}:
            raise NotAnalysedError("a set that is empty or not of names")
        kind = members[0].type
        size = self._variables.universe(kind).size
        return Names(kind, tuple(z3.Or(*(one.at == number for one in members)) for number in range(size)))

    def _names(self, value: Any) -> Names:
        if not isinstance(value, Names):
            raise NotAnalysedError("a statement about something that is no set of names")
        return value

    def _contains(self, kind: str, left: Any, right: Any) -> Any:
        names = self._names(left)
        if kind == "contains":
            if not isinstance(right, Name) or right.type != names.type:
                raise NotAnalysedError("contains of another type")
            return pick(right.at, names.has)
        other = self._names(right)
        pairs = list(zip(names.has, other.has, strict=True))
        if kind == "containsAny":
            return z3.Or(*(z3.And(mine, theirs) for mine, theirs in pairs))
        return z3.And(*(z3.Implies(theirs, mine) for mine, theirs in pairs))

    def _same(self, left: Any, right: Any) -> Any:
        match left, right:
            case Name(), Name():
                return left.at == right.at if left.type == right.type else FALSE
            case Names(), Names():
                return z3.And(*(mine == theirs for mine, theirs in zip(left.has, right.has, strict=True)))
            case z3.ExprRef(), z3.ExprRef():
                return left == right
            case _:
                raise NotAnalysedError("a comparison of parts of a question")

    def _order(self, kind: str, left: Any, right: Any) -> Any:
        if not isinstance(left, z3.ArithRef) or not isinstance(right, z3.ArithRef):
            raise NotAnalysedError("an order of something else")
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[kind]

    def _truth(self, value: Any) -> Any:
        if not isinstance(value, z3.BoolRef):
            raise NotAnalysedError("something without truth")
        return value


def _entity(tree: Json) -> Mapping[str, str]:
    try:
        return tree["Value"]["__entity"]  # type: ignore[no-any-return]
    except (KeyError, TypeError):
        raise NotAnalysedError("an entity that is no constant") from None
