"""The parts of a policy as a form: who, which records, which groups, one row per condition."""

from dataclasses import dataclass
from typing import Literal

Operator = Literal[
    "is_true",
    "has",
    "is",
    "in",
    "is_empty",
    "eq",
    "not_eq",
    "less",
    "less_eq",
    "greater",
    "greater_eq",
    "contains",
    "contains_any",
    "contains_all",
]


@dataclass(frozen=True, slots=True)
class Path:
    """A fact: `context.case_reference.active`."""

    root: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((self.root, *self.names))


@dataclass(frozen=True, slots=True)
class Entity:
    """A word of a code list, an agency, a source: type without namespace, and id."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant as the policy writes it."""

    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One condition. `right` is None where the operator has one side; of `is` it is a type's name."""

    operator: Operator
    left: "Operand"
    right: "Operand | None" = None
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """Several conditions of which all, or any, must hold."""

    of: tuple["Condition", ...]
    every: bool


Operand = Path | Entity | Moment | str | int | bool | tuple["Operand", ...]
Condition = Row | Joined


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom or which records a policy is about: a type, what they are in, or one entity; `?…` stands for a slot."""

    type: str | None = None
    within: Entity | str | None = None
    only: Entity | str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """`actions` is None for all; `is_one_action` tells `==` from a list. Any of `unless` takes the policy away."""

    effect: str
    annotations: tuple[tuple[str, str], ...]
    principal: Scope
    actions: tuple[str, ...] | None
    is_one_action: bool
    resource: Scope
    when: tuple[Condition, ...]
    unless: tuple[Condition, ...]
