"""One condition of a policy as the three inputs of a form row: fact, operator, value; or as Cedar text."""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from gateway.admin.policies.facts import fact_kinds
from policies.form_text import write_form
from policies.form_values import Condition, Entity, Form, Joined, Moment, Operand, Operator, Path, Row, Scope
from policies.forms import read_form
from policies.schema import Catalogue
from policies.untrusted import examine

RowOperator = Literal[
    "is_true",
    "is_false",
    "is_given",
    "is_not_given",
    "eq",
    "not_eq",
    "one_of",
    "none_of",
    "contains",
    "lacks",
    "contains_any",
    "contains_all",
    "is_empty",
    "is_not_empty",
    "less",
    "less_eq",
    "greater",
    "greater_eq",
]
OPERATORS: Final[tuple[RowOperator, ...]] = get_args(RowOperator)

_ONE_SIDED: Final[dict[str, tuple[Operator, bool]]] = {
    "is_true": ("is_true", False),
    "is_false": ("is_true", True),
    "is_given": ("has", False),
    "is_not_given": ("has", True),
    "is_empty": ("is_empty", False),
    "is_not_empty": ("is_empty", True),
}
_COMPARING: Final = frozenset({"eq", "not_eq", "less", "less_eq", "greater", "greater_eq"})
_SETS: Final[dict[str, tuple[Operator, bool]]] = {
    "contains": ("contains", False),
    "lacks": ("contains", True),
    "contains_any": ("contains_any", False),
    "contains_all": ("contains_all", False),
}
_PATH: Final = re.compile(r"(principal|resource|context)((?:\.[a-z_][a-z0-9_]*)+)")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{3})?Z)?")
_ELEMENT: Final = re.compile(r"Set<(\w+)>")
_NUMBER: Final = re.compile(r"\d{1,18}")


class RowError(Exception):
    """A row cannot be read: `part` is the input at fault, `code` what is wrong, for a sentence of the page."""

    def __init__(self, part: Literal["fact", "operator", "value", "text"], code: str, detail: str = "") -> None:
        super().__init__(code)
        self.part = part
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class RowInput:
    """The inputs of one row as typed. `text` is Cedar, for a condition that the other three cannot say."""

    fact: str = ""
    operator: str = ""
    value: str = ""
    text: str = ""

    @property
    def is_blank(self) -> bool:
        return not self.fact.strip() and not self.text.strip()


def row_input(condition: Condition, catalogue: Catalogue) -> RowInput:
    """Put a condition on a row; as text if it would not come back the same."""
    if isinstance(condition, Row):
        shown = _shown(condition)
        try:
            if shown is not None and _read(shown, catalogue) == condition:
                return shown
        except RowError:
            pass
    return RowInput(text=condition_text(condition))


def condition(row: RowInput, catalogue: Catalogue) -> tuple[Condition, ...]:
    """Read a row that is not blank; a text may hold several conditions that must all hold.

    Raises:
        RowError: it says nothing the form knows.
    """
    return _from_text(row.text) if row.text.strip() else (_read(row, catalogue),)


def condition_text(condition: Condition) -> str:
    """Write a condition as Cedar on one line."""
    written = write_form(_around((condition,)))
    body = written.partition("when {\n")[2].rpartition("\n}")[0]
    return " ".join(line.strip() for line in body.splitlines())


def _around(when: tuple[Condition, ...]) -> Form:
    return Form("permit", (), Scope(), None, is_one_action=False, resource=Scope(), when=when, unless=())


def _from_text(text: str) -> tuple[Condition, ...]:
    policy = f"permit (principal, action, resource) when {{ {text} }};"
    findings = examine([policy])[0]
    if findings:
        raise RowError("text", "not_cedar", findings[0].message)
    form = read_form(policy)
    if not isinstance(form, Form) or form != _around(form.when):
        raise RowError("text", "no_condition")
    return (Joined(form.when, every=True),) if len(form.when) > 1 else form.when


def _shown(row: Row) -> RowInput | None:  # noqa: PLR0911 -- one answer a kind of row
    match row:
        case Row(operator="has", left=Path() as path):
            return RowInput(str(path), "is_not_given" if row.is_negated else "is_given")
        case Row(operator="is_true", left=Path() as path):
            return RowInput(str(path), "is_false" if row.is_negated else "is_true")
        case Row(operator="is_empty", left=Path() as path):
            return RowInput(str(path), "is_not_empty" if row.is_negated else "is_empty")
        case Row(operator="contains", left=tuple() as members, right=Path() as path):
            return RowInput(str(path), "none_of" if row.is_negated else "one_of", " ".join(map(_word, members)))
        case Row(operator="contains", left=Path() as path, right=right) if right is not None:
            return RowInput(str(path), "lacks" if row.is_negated else "contains", _word(right))
        case Row(left=Path() as path, right=right) if right is not None and not row.is_negated:
            return RowInput(str(path), row.operator, _word(right))
    return None


def _word(operand: Operand) -> str:
    match operand:
        case Entity(_, identifier):
            return identifier
        case Moment(text):
            return text
        case tuple():
            return " ".join(map(_word, operand))
        case _:
            return str(operand)


def _read(row: RowInput, catalogue: Catalogue) -> Row:
    fact = row.fact.strip()
    kind = fact_kinds(catalogue).get(fact)
    if kind is None:
        raise RowError("fact", "unknown_fact", fact)
    path = _path(fact)
    if row.operator in _ONE_SIDED:
        operator, is_negated = _ONE_SIDED[row.operator]
        return Row(operator, path, is_negated=is_negated)
    value = row.value.strip()
    if not value:
        raise RowError("value", "no_value")
    if row.operator in {"one_of", "none_of"}:
        members = tuple(_operand(word, kind, catalogue) for word in value.split())
        return Row("contains", members, path, is_negated=row.operator == "none_of")
    if row.operator in _COMPARING:
        return Row(_comparing(row.operator), path, _operand(value, kind, catalogue))
    if row.operator in _SETS:
        element = _ELEMENT.fullmatch(kind)
        if element is None:
            raise RowError("operator", "no_set", fact)
        operator, is_negated = _SETS[row.operator]
        right: Operand
        if operator == "contains" or _PATH.fullmatch(value):
            right = _operand(value, element[1], catalogue)
        else:
            right = tuple(_operand(word, element[1], catalogue) for word in value.split())
        return Row(operator, path, right, is_negated=is_negated)
    raise RowError("operator", "unknown_operator", row.operator)


def _comparing(name: str) -> Operator:
    return next(known for known in get_args(Operator) if known == name)


def _path(text: str) -> Path:
    match = _PATH.fullmatch(text)
    if match is None:
        raise RowError("fact", "unknown_fact", text)
    return Path(match[1], tuple(match[2].split(".")[1:]))


def _operand(text: str, kind: str, catalogue: Catalogue) -> Operand:  # noqa: PLR0911 -- one answer a kind
    if _PATH.fullmatch(text):
        if text not in fact_kinds(catalogue):
            raise RowError("value", "unknown_fact", text)
        return _path(text)
    if kind in catalogue.enums:
        if text not in catalogue.enums[kind]:
            raise RowError("value", "unknown_word", text)
        return Entity(kind, text)
    match kind:
        case "Agency" if _WORD.fullmatch(text):
            return Entity(kind, text)
        case "Long" if _NUMBER.fullmatch(text):
            return int(text)
        case "Bool" if text in {"true", "false"}:
            return text == "true"
        case "datetime" if _MOMENT.fullmatch(text):
            return Moment(text)
        case "String":
            return text
        case _:
            raise RowError("value", "wrong_kind", kind)
