"""A form as policy text again, laid out as the shipped policies are."""

from collections.abc import Mapping

from policies.form_values import Condition, Entity, Form, Joined, Moment, Operand, Operator, Path, Row, Scope

NAMESPACE = "IPX"

_INFIX: Mapping[Operator, str] = {
    "eq": "==",
    "not_eq": "!=",
    "less": "<",
    "less_eq": "<=",
    "greater": ">",
    "greater_eq": ">=",
    "in": "in",
}
_METHODS: Mapping[Operator, str] = {
    "contains": "contains",
    "contains_any": "containsAny",
    "contains_all": "containsAll",
}


def write_form(form: Form) -> str:
    """Write a form as policy text."""
    head = "".join(f"@{name}({_quoted(value)})\n" if value else f"@{name}\n" for name, value in form.annotations)
    actions = "action"
    if form.actions is not None:
        names = [f"{NAMESPACE}::Action::{_quoted(name)}" for name in form.actions]
        listed = "[\n    " + ",\n    ".join(names) + "\n  ]"
        actions = f"action == {names[0]}" if form.is_one_action else f"action in {listed}"
    parts = (_scope("principal", form.principal), actions, _scope("resource", form.resource))
    scope = f"{form.effect} (\n  " + ",\n  ".join(parts) + "\n)"
    when = " &&\n  ".join(_condition(one) for one in form.when)
    unless = " ||\n  ".join(_condition(one) for one in form.unless)
    clauses = "".join(f"\n{word} {{\n  {body}\n}}" for word, body in (("when", when), ("unless", unless)) if body)
    return f"{head}{scope}{clauses};\n"


def _scope(variable: str, scope: Scope) -> str:
    if scope.only is not None:
        return f"{variable} == {_written(scope.only)}"
    is_type = f" is {NAMESPACE}::{scope.type}" if scope.type is not None else ""
    within = f" in {_written(scope.within)}" if scope.within is not None else ""
    return f"{variable}{is_type}{within}"


def _written(entity: Entity | str) -> str:
    return entity if isinstance(entity, str) else f"{NAMESPACE}::{entity.type}::{_quoted(entity.id)}"


def _condition(condition: Condition) -> str:
    if isinstance(condition, Joined):
        return "(" + (" && " if condition.every else " || ").join(_condition(one) for one in condition.of) + ")"
    text = _row(condition)
    if not condition.is_negated:
        return text
    return (
        f"!{text}" if condition.operator in {"is_true", "is_empty"} or condition.operator in _METHODS else f"!({text})"
    )


def _row(row: Row) -> str:
    left = _side(row.left)
    if row.operator in _INFIX and row.right is not None:
        return f"{left} {_INFIX[row.operator]} {_side(row.right)}"
    if row.operator in _METHODS and row.right is not None:
        return f"{left}.{_METHODS[row.operator]}({_side(row.right)})"
    match row.operator, row.left:
        case "has", Path(root, (*above, name)):
            return f"{Path(root, tuple(above))} has {name}"
        case "is", _:
            return f"{left} is {NAMESPACE}::{row.right}"
        case "is_empty", _:
            return f"{left}.isEmpty()"
        case _:
            return left


def _side(operand: Operand) -> str:  # noqa: PLR0911 -- one answer a kind of operand
    match operand:
        case Path():
            return str(operand)
        case Entity():
            return _written(operand)
        case Moment(text):
            return f"datetime({_quoted(text)})"
        case str():
            return _quoted(operand)
        case bool():
            return "true" if operand else "false"
        case int():
            return str(operand)
        case tuple():
            return "[" + ", ".join(_side(member) for member in operand) + "]"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
