"""Walking a policy's typed tree."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from cedarpy import pst

_ASKS_FOR_APPROVALS = frozenset({"contains", "contains_any", "contains_all"})


def nodes(root: Any) -> Iterator[Any]:
    """Give every node under a node, a tuple or a mapping of nodes, in no particular order."""
    stack = [root]
    while stack:
        value = stack.pop()
        if isinstance(value, tuple):
            stack.extend(value)
        elif isinstance(value, Mapping):
            stack.extend(value.values())
        elif is_dataclass(value) and not isinstance(value, type):
            yield value
            stack.extend(getattr(value, field.name) for field in fields(value))


def approvals_against(expr: pst.Expr, *, is_positive: bool) -> bool:
    """Tell whether an expression reads the approvals so that one more of them could turn it against the release.

    Args:
        expr: the expression.
        is_positive: whether the release grows when the expression becomes true.
    """
    match expr:
        case pst.BinaryOp(op="and" | "or", left=left, right=right):
            return any(approvals_against(side, is_positive=is_positive) for side in (left, right))
        case pst.UnaryOp(op="not", arg=arg):
            return approvals_against(arg, is_positive=not is_positive)
        case pst.IfThenElse(cond, then_expr, else_expr):
            branches = (approvals_against(branch, is_positive=is_positive) for branch in (then_expr, else_expr))
            return _reads_approvals(cond) or any(branches)
        case pst.BinaryOp(op=op, left=left, right=right) if op in _ASKS_FOR_APPROVALS and _is_approvals(left):
            return not is_positive or _reads_approvals(right)
        case _:
            return _reads_approvals(expr)


def _is_approvals(expr: pst.Expr) -> bool:
    return expr == pst.GetAttr(pst.Var("context"), "approvals")


def _reads_approvals(expr: pst.Expr) -> bool:
    return any(_is_approvals(node) for node in nodes(expr))
