"""The names that an analysis of policies tells apart: for each type a small universe of them is enough.

Names are compared only for being the same: those that the policies mention suffice, with one for each variable and one
witness for each distinct statement about a set.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import z3  # type: ignore[import-untyped]

from policies.compiled import CompiledPolicy
from policies.schema import Catalogue

_SET_STATEMENTS: Final = frozenset({"contains", "containsAll", "containsAny", "isEmpty", "==", "!="})
_SCALARS: Final = 6
"""At least as many variables as any one type of name has."""


class NotAnalysedError(Exception):
    """A construct this analysis has no formula for; says which."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name of some type: a place in that type's universe."""

    type: str
    at: Any


@dataclass(frozen=True, slots=True)
class Names:
    """A set of names: for each place of the universe whether it is in."""

    type: str
    has: tuple[Any, ...]


@dataclass(slots=True)
class Universe:
    """The names of one type: those that were mentioned, then unnamed ones."""

    names: list[str]
    size: int


def universes(catalogue: Catalogue, policies: Sequence[CompiledPolicy], holder: str | None) -> dict[str, Universe]:
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
    found = {kind: Universe(list(names), len(names) + spare) for kind, names in mentioned.items()}
    for kind, values in catalogue.enums.items():
        named = [value for value in mentioned.get(kind, {}) if value in values]
        rest = [value for value in values if value not in named][: len(named) + spare]
        found[kind] = Universe([*named, *rest], len(named) + len(rest))
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


def pick(at: Any, each: Sequence[Any]) -> Any:
    """Give the one at a place, whatever the place is."""
    if isinstance(at, int):
        return each[at]
    chosen = each[-1]
    for number in range(len(each) - 2, -1, -1):
        chosen = z3.If(at == number, each[number], chosen)
    return chosen
