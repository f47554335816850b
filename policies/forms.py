"""A policy read onto a form.

A form is taken for a policy only if the text written back from it reads as the very same tree.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cedarpy import pst

from policies import cedar
from policies.form_text import NAMESPACE, write_form
from policies.form_values import Condition, Entity, Form, Joined, Moment, Operand, Path, Row, Scope

__all__ = ["Form", "NoForm", "form_of", "read_form", "write_form"]


class _NotOnFormError(Exception):
    """The policy uses something a form has no place for."""


@dataclass(frozen=True, slots=True)
class NoForm:
    """The policy can only be shown as text, and why."""

    reason: str


def read_form(text: str) -> Form | NoForm:
    """Read the one policy of a text that has passed the gate.

    Raises:
        PolicyTextError: the text is no Cedar.
    """
    found = cedar.parse(text)
    policies = [*found.static_policies.values(), *found.templates.values()]
    if len(policies) != 1:
        return NoForm("a form holds one policy")
    return form_of(policies[0])


def form_of(policy: pst.Template) -> Form | NoForm:
    """Put a policy's tree on a form, if the form says all of it."""
    try:
        form = _form(policy)
        written = cedar.parse(write_form(form))
    except (_NotOnFormError, cedar.PolicyTextError) as error:
        return NoForm(str(error) or "the policy uses what a form has no place for")
    again = next(iter([*written.static_policies.values(), *written.templates.values()]))
    if replace(again, id=policy.id) != policy:
        return NoForm("written back from the form the policy would be another tree")
    return form


def _form(policy: pst.Template) -> Form:
    kinds = [type(clause) for clause in policy.clauses]
    if kinds not in ([], [pst.When], [pst.Unless], [pst.When, pst.Unless]):
        raise _NotOnFormError("a form has one `when` and one `unless`")
    by_kind = {type(clause): clause.expr for clause in policy.clauses}
    actions: tuple[str, ...] | None
    match policy.action:
        case pst.ScopeAny():
            actions, is_one = None, False
        case pst.ActionEq(entity):
            actions, is_one = (entity.id,), True
        case pst.ActionIn(entities):
            actions, is_one = tuple(entity.id for entity in entities), False
    return Form(
        effect=policy.effect,
        annotations=tuple(policy.annotations.items()),
        principal=_read_scope(policy.principal),
        actions=actions,
        is_one_action=is_one,
        resource=_read_scope(policy.resource),
        when=tuple(_read(one) for one in _split(by_kind.get(pst.When), "and")),
        unless=tuple(_read(one) for one in _split(by_kind.get(pst.Unless), "or")),
    )


def _split(expr: pst.Expr | None, op: str) -> Iterator[pst.Expr]:
    """The parts of a chain as written, left to right: only `and` under `when`, only `or` under `unless`."""
    if isinstance(expr, pst.BinaryOp) and expr.op == op:
        yield from _split(expr.left, op)
        yield expr.right
    elif expr is not None:
        yield expr


def _read(expr: pst.Expr) -> Condition:  # noqa: PLR0911 -- one answer a kind of expression
    match expr:
        case pst.BinaryOp(op="and" | "or" as op):
            return Joined(tuple(_read(part) for part in _split(expr, op)), every=op == "and")
        case pst.UnaryOp(op="not", arg=arg):
            row = _read(arg)
            if isinstance(row, Joined) or row.is_negated:
                raise _NotOnFormError("a form negates single conditions only")
            return replace(row, is_negated=True)
        case pst.BinaryOp(op="contains" | "contains_any" | "contains_all" as op, left=left, right=right):
            return Row(op, _operand(left), _operand(right))
        case pst.BinaryOp(
            op="eq" | "not_eq" | "less" | "less_eq" | "greater" | "greater_eq" | "in" as op, left=left, right=right
        ):
            return Row(op, _operand(left), _operand(right))
        case pst.HasAttr(base=base, attrs=(name,)):
            root = _path(base)
            return Row("has", Path(root.root, (*root.names, name)))
        case pst.Is(base=base, entity_type=entity_type, in_expr=None):
            return Row("is", _path(base), _type(entity_type))
        case pst.UnaryOp(op="is_empty", arg=arg):
            return Row("is_empty", _path(arg))
        case _:
            return Row("is_true", _path(expr))


def _operand(expr: pst.Expr) -> Operand:  # noqa: PLR0911 -- one answer a kind of expression
    match expr:
        case pst.EntityLit(value=value):
            return _entity(value)
        case pst.StringLit(value=text):
            return text
        case pst.BoolLit(value=flag):
            return flag
        case pst.LongLit(value=number):
            return number
        case pst.UnaryOp(op="datetime", arg=pst.StringLit(value=text)):
            return Moment(text)
        case pst.Set(elements=elements):
            return tuple(_operand(element) for element in elements)
        case _:
            return _path(expr)


def _path(expr: pst.Expr) -> Path:
    match expr:
        case pst.Var(name=name):
            return Path(name, ())
        case pst.GetAttr(base=base, attr=attr):
            above = _path(base)
            return Path(above.root, (*above.names, attr))
        case _:
            raise _NotOnFormError("a form compares facts with constants and with each other only")


def _entity(uid: pst.EntityUid) -> Entity:
    return Entity(_type(uid.type), uid.id)


def _type(entity_type: pst.EntityType) -> str:
    if entity_type.namespace != (NAMESPACE,):
        raise _NotOnFormError(f"{entity_type} is no type of the catalogue")
    return entity_type.basename


def _read_scope(scope: pst.PrincipalOrResourceConstraint) -> Scope:
    match scope:
        case pst.ScopeAny():
            return Scope()
        case pst.ScopeEq(entity):
            return Scope(only=_entity_or_slot(entity))
        case pst.ScopeIn(entity):
            return Scope(within=_entity_or_slot(entity))
        case pst.ScopeIs(entity_type):
            return Scope(type=_type(entity_type))
        case pst.ScopeIsIn(entity_type, entity):
            return Scope(type=_type(entity_type), within=_entity_or_slot(entity))


def _entity_or_slot(entity: pst.EntityUid | pst.Slot) -> Entity | str:
    return f"?{entity.name}" if isinstance(entity, pst.Slot) else _entity(entity)
