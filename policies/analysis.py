"""Conditions of policies as formulas that z3 can decide, and its models as questions that Cedar can answer.

What is taken for granted: enumerations have the catalogue's values, `principal in Agency::"x"` says that the client's
agency is x, an agency has the kind and places the register says. Names, numbers and keys are compared only for being
the same, so a small universe of them suffices: those the policies mention, one for each variable, and one witness for
each distinct statement about a set. An answer "impossible" is then a fact; a model is a candidate until Cedar confirms
it.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import z3  # type: ignore[import-untyped]

from policies.compiled import CompiledPolicy
from policies.operands import UntranslatableError, read_constant
from policies.question import (
    Agency,
    CaseReference,
    Client,
    Delegation,
    Fact,
    Question,
    Record,
    Representation,
)
from policies.schema import Catalogue, entity_type, parents

Json = Any
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400_000
_YEARS: Final = (-130 * 365 * _DAY, 130 * 365 * _DAY)
"""Instants of the analysis, in milliseconds: roughly 1840 to 2100."""
_SET_STATEMENTS: Final = frozenset({"contains", "containsAll", "containsAny", "isEmpty", "==", "!="})
_CONTEXT: Final = {"purpose": "Purpose", "legal_basis": "String", "mode": "Mode", "now": "datetime"}
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
_SCALARS: Final = 6
"""At least as many variables as any one type of name has."""


TRUE: Final = z3.BoolVal(val=True)
FALSE: Final = z3.BoolVal(val=False)


_PLAIN: Final = {"resource.status": "active", "resource.stage": "unknown", "context.mode": "single"}
_PLAIN_NOW: Final = 56 * 365 * _DAY


class NotAnalysedError(Exception):
    """A construct this analysis has no formula for; says which."""


@dataclass(frozen=True, slots=True)
class _Name:
    """A name of some type: a place in that type's universe."""

    type: str
    at: Any


@dataclass(frozen=True, slots=True)
class _Names:
    """A set of names: for each place of the universe whether it is in."""

    type: str
    has: tuple[Any, ...]


_ASKERS_AND_RECORDS: Final = frozenset({("principal",), ("resource",)})


@dataclass(frozen=True, slots=True)
class _Path:
    """A part of the question that has members: `principal`, `resource`, `context` or a member of this."""

    at: tuple[str, ...]


@dataclass(slots=True)
class _Universe:
    """The names of one type: those that were mentioned, then unnamed ones."""

    names: list[str]
    size: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What a formula is about: a record type, one action with all above it."""

    record_type: str
    action: str
    above: frozenset[str] = field(default_factory=frozenset)


class Analysis:
    """Formulas over one fixed set of policies.

    Args:
        catalogue: of record types and words.
        policies: all that formulas will be made of.
        registry: agencies whose kind and places are facts.
        holder: the code of the records' holder, where all are of one.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        policies: Sequence[CompiledPolicy],
        registry: Mapping[str, Agency],
        holder: str | None,
    ) -> None:
        self._catalogue = catalogue
        self._registry = registry
        self._universes = _universes(catalogue, policies, holder)
        self._variables: dict[str, Any] = {}
        self._axioms: list[Any] = []
        self._axioms_added = 0
        self._solver = z3.Solver()
        self._conditions: dict[tuple[str, Scope | None], Any] = {}
        self._facts = {fact.name: fact for fact in catalogue.facts}
        self._types = {f"IPX::{entity_type(known.name)}": known.name for known in catalogue.record_types}
        self._holder = holder
        self._name_agencies()

    def scope(self, record_type: str, action: str) -> Scope:
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

    def model(self, formula: Any, timeout_ms: int) -> Any | None:
        """Give a model of a formula, None where it has none.

        Raises:
            NotAnalysedError: it took too long.
        """
        solver = z3.Solver()
        solver.set("timeout", timeout_ms)
        solver.add(formula, *self._axioms)
        return self._plainest(solver, timeout_ms) if _is_sat(solver.check(), timeout_ms) else None

    def is_possible(self, formula: Any, timeout_ms: int) -> bool:
        """Tell whether a formula has a model at all: one solver is asked of all of them in turn.

        Raises:
            NotAnalysedError: it took too long.
        """
        solver = self._solver
        solver.set("timeout", timeout_ms)
        solver.add(*self._axioms[self._axioms_added :])  # conditions bring names, and names bring axioms
        self._axioms_added = len(self._axioms)
        solver.push()
        try:
            solver.add(formula)
            return _is_sat(solver.check(), timeout_ms)
        finally:
            solver.pop()

    def _plainest(self, solver: Any, timeout_ms: int) -> Any:
        """Find a model in which little stands out: whoever reads a witness should see what matters, and no more."""
        until = time.monotonic() + timeout_ms / 1000
        model, kept = solver.model(), []
        for wish in self._wishes():
            if time.monotonic() > until:
                break
            if z3.is_true(model.eval(wish, model_completion=True)):
                kept.append(wish)
            elif solver.check(*kept, wish) == z3.sat:
                kept.append(wish)
                model = solver.model()
        return model

    def _wishes(self) -> Iterator[Any]:
        """What is plain, the most telling first: nothing marked, nothing cited, nothing in sets, agencies by name."""
        named = self._variables
        for name in ("resource.holder", "principal.agency"):
            if name in named:
                yield named[name].at < max(1, len(self._universes["Agency"].names))
        yield from (z3.Not(variable) for variable in named.values() if isinstance(variable, z3.BoolRef))
        for name, variable in named.items():
            if isinstance(variable, _Names) and not name.startswith("agency"):
                yield z3.Not(z3.Or(*variable.has))
        for name, value in _PLAIN.items():
            if name in named and value in self._universes[named[name].type].names:
                yield named[name].at == self._place(named[name].type, value)
        if "context.now" in named:
            yield named["context.now"] == _PLAIN_NOW

    def question(self, model: Any, record_type: str) -> Question:
        """Write a model as a question."""
        return _Writing(self, model, record_type).question()

    # --- formulas ---------------------------------------------------------------------------------------------------

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
                return self._same(self._member(left, "agency"), _Name("Agency", self._place("Agency", code)))
            if kind == "Unit":
                return self._bool(f"unit:{code}")
        if left == _Path(("resource",)):
            if kind == "Agency":
                return self._same(self._member(left, "holder"), _Name("Agency", self._place("Agency", code)))
            if kind == "Source":
                return self._same(self._variable("source", "Source"), _Name("Source", self._place("Source", code)))
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
                if isinstance(above, _Name):
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
                return self._bool(f"like:{json.dumps(body, sort_keys=True)}")
            case _:
                raise NotAnalysedError(f"the construct {kind}")

    def _constant(self, value: Any) -> Any:
        if isinstance(value, bool):
            return z3.BoolVal(value)
        if isinstance(value, int):
            return z3.IntVal(value)
        if isinstance(value, str):
            return _Name("String", self._place("String", value))
        if isinstance(value, dict) and "__entity" in value:
            kind = value["__entity"]["type"].removeprefix("IPX::")
            return _Name(kind, self._place(kind, value["__entity"]["id"]))
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
        return z3.IntVal((found.of - _EPOCH) // timedelta(milliseconds=1))

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
                return self._variable("principal.agency", "Agency")
            case _Path(("principal",)) if name == "assurance":
                return self._variable("principal.assurance", "Long")
            case _Path(("principal",)) if name == "suspended":
                return self._variable("principal.suspended", "Bool")
            case _Path(("resource",)) if name == "holder":
                if self._holder is not None:
                    return _Name("Agency", self._place("Agency", self._holder))
                return self._variable("resource.holder", "Agency")
            case _Path(("resource",)) if name in self._facts:
                return self._variable(f"resource.{name}", self._facts[name].kind)
            case _Path(("context",)) if name == "approvals":
                return self._variable("context.approvals", "Set<Approval>")
            case _Path(("context",)) if name in _CONTEXT:
                return self._variable(f"context.{name}", _CONTEXT[name])
            case _Path(("context",)) if name in _PARTS:
                return _Path(("context", name))
            case _Path(("context", part)):
                return self._variable(f"context.{part}.{name}", _PARTS[part][name])
            case _Name("Agency", at) if name in {"kind", "jurisdictions", "suspended"}:
                return self._of_agency(at, name)
            case _:
                raise NotAnalysedError(f"the member {name}")

    def _of_agency(self, at: Any, name: str) -> Any:
        size = self._universes["Agency"].size
        each = [self._variable(f"agency{number}.{name}", _AGENCY[name]) for number in range(size)]
        if name == "jurisdictions":
            width = self._universes["Jurisdiction"].size
            return _Names("Jurisdiction", tuple(_pick(at, [one.has[j] for one in each]) for j in range(width)))
        if name == "kind":
            return _Name("AgencyKind", _pick(at, [one.at for one in each]))
        return _pick(at, each)

    def _has(self, left: Any, attr: str | list[str]) -> Any:
        name, *rest = attr if isinstance(attr, list) else [attr]
        match left:
            case _Path(("context",)) if name in _PARTS:
                there = self._bool(f"has:{name}")
            case _Path(("resource",)) if name in self._facts and self._facts[name].is_optional:
                there = self._bool(f"has:resource.{name}")
            case _:
                self._member(left, name)
                there = TRUE
        return z3.And(there, self._has(self._member(left, name), rest)) if rest else there

    def _set(self, members: Sequence[Any]) -> _Names:
        if {type(one) for one in members} != {_Name}:
            raise NotAnalysedError("a set that is empty or not of names")
        kind = members[0].type
        size = self._universes[kind].size
        return _Names(kind, tuple(z3.Or(*(one.at == number for one in members)) for number in range(size)))

    def _names(self, value: Any) -> _Names:
        if not isinstance(value, _Names):
            raise NotAnalysedError("a statement about something that is no set of names")
        return value

    def _contains(self, kind: str, left: Any, right: Any) -> Any:
        names = self._names(left)
        if kind == "contains":
            if not isinstance(right, _Name) or right.type != names.type:
                raise NotAnalysedError("contains of another type")
            return _pick(right.at, names.has)
        other = self._names(right)
        pairs = list(zip(names.has, other.has, strict=True))
        if kind == "containsAny":
            return z3.Or(*(z3.And(mine, theirs) for mine, theirs in pairs))
        return z3.And(*(z3.Implies(theirs, mine) for mine, theirs in pairs))

    def _same(self, left: Any, right: Any) -> Any:
        match left, right:
            case _Name(), _Name():
                return left.at == right.at if left.type == right.type else FALSE
            case _Names(), _Names():
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

    # --- variables --------------------------------------------------------------------------------------------------

    def _place(self, kind: str, name: str) -> int:
        names = self._universe(kind).names
        if name not in names:
            raise NotAnalysedError(f"a name of {kind} that was not counted")
        return names.index(name)

    def _universe(self, kind: str) -> _Universe:
        if kind not in self._universes:
            raise NotAnalysedError(f"names of the type {kind}")
        return self._universes[kind]

    def _bool(self, name: str) -> Any:
        return self._variables.setdefault(name, z3.Bool(name))

    def _variable(self, name: str, kind: str) -> Any:
        known = self._variables.get(name)
        if known is None:
            known = self._variables[name] = self._made(name, kind)
        return known

    def _made(self, name: str, kind: str) -> Any:
        if kind == "Bool":
            return z3.Bool(name)
        if kind in {"Long", "datetime"}:
            number = z3.Int(name)
            low, high = (0, 10) if kind == "Long" else _YEARS
            self._axioms.append(z3.And(number >= low, number <= high))
            return number
        if kind.startswith("Set<"):
            inner = kind[4:-1]
            size = self._universe(inner).size
            return _Names(inner, tuple(z3.Bool(f"{name}[{number}]") for number in range(size)))
        at = z3.Int(name)
        self._axioms.append(z3.And(at >= 0, at < self._universe(kind).size))
        return _Name(kind, at)

    def _name_agencies(self) -> None:
        """State what the register says of the agencies that policies mention."""
        for number, code in enumerate(self._universes["Agency"].names):
            known = self._registry.get(code)
            if known is None:
                continue
            kinds, places = self._universes["AgencyKind"], self._universes["Jurisdiction"]
            if known.kind in kinds.names:
                kind = self._variable(f"agency{number}.kind", "AgencyKind")
                self._axioms.append(kind.at == kinds.names.index(known.kind))
            has = self._variable(f"agency{number}.jurisdictions", "Set<Jurisdiction>").has
            self._axioms += (one == (name in known.jurisdictions) for one, name in zip(has, places.names, strict=False))


_AGENCY: Final = {"kind": "AgencyKind", "jurisdictions": "Set<Jurisdiction>", "suspended": "Bool"}


def _pick(at: Any, each: Sequence[Any]) -> Any:
    """Give the one at a place, whatever the place is."""
    if isinstance(at, int):
        return each[at]
    chosen = each[-1]
    for number in range(len(each) - 2, -1, -1):
        chosen = z3.If(at == number, each[number], chosen)
    return chosen


def _is_sat(answer: Any, timeout_ms: int) -> bool:
    if answer == z3.unknown:
        raise NotAnalysedError(f"undecided within {timeout_ms} ms")
    return bool(answer == z3.sat)


def _entity(tree: Json) -> Mapping[str, str]:
    try:
        return tree["Value"]["__entity"]  # type: ignore[no-any-return]
    except (KeyError, TypeError):
        raise NotAnalysedError("an entity that is no constant") from None


def _universes(catalogue: Catalogue, policies: Sequence[CompiledPolicy], holder: str | None) -> dict[str, _Universe]:
    """Count names and statements about sets, so that each type's universe is just large enough."""
    mentioned: dict[str, dict[str, None]] = {kind: {} for kind in ("String", "PartyKey", "Agency", "Source")}
    statements: set[str] = set()
    if holder is not None:
        mentioned["Agency"][holder] = None
    for policy in policies:
        tree = policy.tree
        for node in _nodes([tree[part] for part in ("principal", "resource", "conditions")]):
            for kind, name in _names_in(node):
                mentioned.setdefault(kind, {})[name] = None
            statements |= {json.dumps(node, sort_keys=True) for kind in _SET_STATEMENTS & node.keys()}
    spare = _SCALARS + len(statements)
    found = {kind: _Universe(list(names), len(names) + spare) for kind, names in mentioned.items()}
    for kind, values in catalogue.enums.items():
        named = [value for value in mentioned.get(kind, {}) if value in values]
        rest = [value for value in values if value not in named][: len(named) + spare]
        found[kind] = _Universe([*named, *rest], len(named) + len(rest))
    return found


def _names_in(node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if isinstance(node.get("type"), str) and isinstance(node.get("id"), str):
        yield node["type"].removeprefix("IPX::"), node["id"]
    value = node.get("Value")
    if isinstance(value, str):
        yield "String", value
    elif isinstance(value, list):
        yield from (("String", one) for one in value if isinstance(one, str))


def _nodes(root: Any) -> Iterator[Mapping[str, Any]]:
    stack = [root]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            yield value
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)


class _Writing:
    """Writes one model as a question; what it leaves open is plain."""

    def __init__(self, analysis: Analysis, model: Any, record_type: str) -> None:
        self._analysis = analysis
        self._model = model
        self._record_type = record_type

    def question(self) -> Question:
        known = self._analysis._variables  # noqa: SLF001  (the other half of the analysis)
        holder = self._analysis._holder or self._name("resource.holder", "Agency")  # noqa: SLF001
        asking = self._name("principal.agency", "Agency")
        supplier = self._name("context.delegation.supplier", "Agency") if self._true("has:delegation") else None
        units = frozenset(name.removeprefix("unit:") for name in known if name.startswith("unit:") and self._true(name))
        return Question(
            client=Client(
                "witness", units, self._number("principal.assurance", 2), suspended=self._true("principal.suspended")
            ),
            asking=self._agency(asking),
            supplier=self._agency(supplier) if supplier else None,
            holder=self._agency(holder),
            source=self._name("source", "Source"),
            record_type=self._record_type,
            record=Record("witness", self._facts(holder)),
            groups=frozenset(),
            purpose=self._name("context.purpose", "Purpose"),
            legal_basis=self._name("context.legal_basis", "String"),
            mode=self._name("context.mode", "Mode"),
            now=_EPOCH + timedelta(milliseconds=self._number("context.now", _PLAIN_NOW)),
            approvals=self._names("context.approvals", "Approval"),
            case_reference=CaseReference(
                self._name("context.case_reference.number", "String"),
                self._name("context.case_reference.jurisdiction", "Jurisdiction"),
                self._true("context.case_reference.active"),
                self._true("context.case_reference.verified"),
                self._names("context.case_reference.defendants", "PartyKey"),
            )
            if self._true("has:case_reference")
            else None,
            representing=Representation(
                self._name("context.representing.party", "PartyKey"),
                self._names("context.representing.right_keys", "String"),
                self._true("context.representing.verified"),
            )
            if self._true("has:representing")
            else None,
            delegation=Delegation(
                supplier,
                self._true("context.delegation.active"),
                self._true("context.delegation.covers_purpose"),
            )
            if supplier
            else None,
        )

    def _facts(self, holder: str) -> dict[str, Fact]:
        facts: dict[str, Fact] = {"holder": holder}
        for fact in self._analysis._facts.values():  # noqa: SLF001
            name = f"resource.{fact.name}"
            if fact.name == "holder" or (fact.is_optional and not self._true(f"has:{name}")):
                continue
            if fact.kind == "Bool":
                facts[fact.name] = self._true(name)
            elif fact.kind == "datetime":
                facts[fact.name] = _EPOCH + timedelta(milliseconds=self._number(name, 0))
            elif fact.kind.startswith("Set<"):
                facts[fact.name] = self._names(name, fact.kind[4:-1])
            else:
                facts[fact.name] = self._name(name, fact.kind)
        return facts

    def _agency(self, code: str) -> Agency:
        known = self._analysis._registry.get(code)  # noqa: SLF001
        number = self._all("Agency").index(code)
        suspended = self._true(f"agency{number}.suspended")
        if known is not None and f"agency{number}.kind" in self._analysis._variables:  # noqa: SLF001
            return Agency(code, known.kind, known.jurisdictions, suspended)
        kind = self._name(f"agency{number}.kind", "AgencyKind")
        return Agency(code, kind, self._names(f"agency{number}.jurisdictions", "Jurisdiction"), suspended)

    def _all(self, kind: str) -> list[str]:
        """Give all names of a type; unnamed ones get names that say so."""
        universe = self._analysis._universes[kind]  # noqa: SLF001
        unnamed = range(universe.size - len(universe.names))
        return [*universe.names, *(f"other-{kind.lower()}-{number + 1}" for number in unnamed)]

    def _eval(self, expression: Any) -> Any:
        return self._model.eval(expression, model_completion=True)

    def _true(self, name: str) -> bool:
        variable = self._analysis._variables.get(name)  # noqa: SLF001
        return variable is not None and z3.is_true(self._eval(variable))

    def _number(self, name: str, otherwise: int) -> int:
        variable = self._analysis._variables.get(name)  # noqa: SLF001
        return otherwise if variable is None else int(self._eval(variable).as_long())

    def _name(self, name: str, kind: str) -> str:
        variable = self._analysis._variables.get(name)  # noqa: SLF001
        if variable is None and name in _PLAIN:
            return _PLAIN[name]
        if variable is None and kind == "String":
            return ""
        names = self._all(kind)
        return (
            names[-1 if kind in {"Agency", "Source", "String", "PartyKey"} else 0]
            if variable is None
            else names[int(self._eval(variable.at).as_long())]
        )

    def _names(self, name: str, kind: str) -> frozenset[str]:
        variable = self._analysis._variables.get(name)  # noqa: SLF001
        if variable is None:
            return frozenset()
        return frozenset(
            one for one, has in zip(self._all(kind), variable.has, strict=True) if z3.is_true(self._eval(has))
        )
