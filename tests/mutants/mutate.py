"""Mutants of a verifier: each refuses a little less, or at another moment, than the module it was made from.

Three kinds: a `raise` removed; an operand of a refusing condition removed or negated; a boundary of it moved by one.
A condition refuses where its body raises, or where it accepts by leaving early and what follows raises.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

BOUNDARIES = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
LEAVING = (ast.Return, ast.Continue, ast.Break, ast.Yield)


@dataclass(frozen=True)
class Mutant:
    """One change to one module. `name` stays the same while the lines around it move."""

    module: Path
    line: int
    where: str
    what: str
    _place: int
    _change: Callable[[ast.AST], None]

    @property
    def name(self) -> str:
        return f"{self.module} {self.where}: {self.what}"

    def tree(self) -> ast.Module:
        """Give the changed module."""
        tree = ast.parse(self.module.read_text("utf-8"))
        changed = next(islice(ast.walk(tree), self._place, None))
        self._change(changed)
        ast.fix_missing_locations(changed)
        return tree


def mutants(module: Path) -> list[Mutant]:
    """Make all mutants of a module, each under a name of its own."""
    tree = ast.parse(module.read_text("utf-8"))
    nodes = list(ast.walk(tree))
    places = {id(node): place for place, node in enumerate(nodes)}
    names: dict[str, int] = {}
    found = []
    for where, holder in _functions(tree):
        for node, line, what, change in _changes(holder):
            count = names[f"{where}{what}"] = names.get(f"{where}{what}", 0) + 1
            unique = what if count == 1 else f"{what} #{count}"
            found.append(Mutant(module, line, where, unique, places[id(node)], change))
    return found


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Name every function; nested ones belong to the one around them."""

    def walk(node: ast.AST, path: tuple[str, ...]) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                yield ".".join((*path, child.name)), child
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, (*path, child.name))

    yield from walk(tree, ())


Change = tuple[ast.AST, int, str, Callable[[ast.AST], None]]
"""The node that is changed, its line, what is changed in words, and how."""


def _changes(function: ast.AST) -> Iterator[Change]:
    for node in ast.walk(function):
        for block in ("body", "orelse", "finalbody"):
            statements = getattr(node, block, None)
            if not isinstance(statements, list):
                continue
            for at, statement in enumerate(statements):
                if isinstance(statement, ast.Raise):
                    yield node, statement.lineno, f"without `{_told(statement)}`", _dropping(block, at)
                if isinstance(statement, ast.If) and _refuses(statement, statements[at + 1 :]):
                    yield from _weaker(statement.test)


def _refuses(condition: ast.If, rest: list[ast.stmt]) -> bool:
    body = [*ast.walk(ast.Module(condition.body, []))]
    if any(isinstance(node, ast.Raise) for node in body):
        return True
    leaves = any(isinstance(node, LEAVING) for node in body)
    return leaves and any(isinstance(node, ast.Raise) for statement in rest for node in ast.walk(statement))


def _weaker(test: ast.expr) -> Iterator[Change]:
    """Change a condition at each of its operands."""
    for node in ast.walk(test):
        if isinstance(node, ast.BoolOp):
            for at, operand in enumerate(node.values):
                yield node, operand.lineno, f"without operand `{_told(operand)}`", _without_operand(at)
                yield node, operand.lineno, f"with operand `{_told(operand)}` negated", _negated(at)
        if isinstance(node, ast.Compare):
            for at, operator in enumerate(node.ops):
                if type(operator) in BOUNDARIES:
                    yield node, node.lineno, f"with a moved boundary `{_told(node)}` ({at + 1})", _moved(at)
            if len(node.ops) > 1:
                for at in range(len(node.ops)):
                    yield node, node.lineno, f"without link {at + 1} of `{_told(node)}`", _without_link(at)


def _dropping(block: str, at: int) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        getattr(node, block)[at] = ast.Pass()

    return change


def _without_operand(at: int) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        node.values[at] = ast.Constant(value=isinstance(node.op, ast.And))

    return change


def _negated(at: int) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        node.values[at] = ast.UnaryOp(ast.Not(), node.values[at])

    return change


def _moved(at: int) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        node.ops[at] = BOUNDARIES[type(node.ops[at])]()

    return change


def _without_link(at: int) -> Callable[[ast.AST], None]:
    """Let one comparison of a chain hold for anything."""

    def change(node: ast.AST) -> None:
        operands = [node.left, *node.comparators]
        if at == 0:
            node.left, node.ops, node.comparators = operands[1], node.ops[1:], operands[2:]
        else:
            node.ops, node.comparators = node.ops[:at], operands[1 : at + 1]

    return change


def _told(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 90 else text[:87] + "..."
