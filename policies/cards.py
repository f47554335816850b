"""A policy as a card a lawyer reads, in English or Chinese: drawn from its form, so it never says more or less."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from cedarpy import pst

from policies.bundle_files import BUNDLES
from policies.form_values import Condition, Entity, Form, Joined, Moment, Operand, Path, Row, Scope
from policies.forms import NoForm, form_of, read_form, write_form
from policies.obligations import DESCRIPTIVE
from policies.schema import ACKNOWLEDGE, RELEASE

__all__ = ["Card", "NoCard", "card", "read_form", "write_form"]

Language = Literal["en", "zh"]
Labels = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Card:
    """What a policy says: a headline, the conditions that must all hold, exceptions of which one is enough, duties."""

    headline: str
    conditions: tuple[str, ...]
    exceptions: tuple[str, ...]
    obligations: tuple[str, ...]
    between: str = field(default=" · ", repr=False)

    def __str__(self) -> str:
        return self.between.join((self.headline, *self.conditions, *self.exceptions, *self.obligations))


@dataclass(frozen=True, slots=True)
class NoCard:
    """The policy is shown as text only, and why."""

    reason: str


def card(policy: pst.Template, language: Language, names: Mapping[str, str] | None = None) -> Card | NoCard:
    """Draw a policy's card.

    Args:
        policy: its tree, from `engine.parse`.
        language: of the card.
        names: of agencies, units and sources by their code; a code without name is shown itself.
    """
    form = form_of(policy)
    if isinstance(form, NoForm):
        return NoCard(form.reason)
    return _Drawing(labels(language), names or {}).card(form)


_ADDED: dict[str, dict[str, dict[str, str]]] = {}


def add_labels(language: str, words: Mapping[str, str]) -> None:
    """Take words for record types and groups that the bundles do not have: those of an operator's own declarations.

    Args:
        language: whose words they are.
        words: name of a record type or of a group → word.
    """
    added = _ADDED.setdefault(language, {"type": {}, "action": {}})
    for name, word in words.items():
        added["action" if "." in name else "type"][name] = word
    labels.cache_clear()


@cache
def labels(language: Language) -> Labels:
    """Give the words and sentence patterns of a language."""
    found: dict[str, dict[str, str]] = tomllib.loads((BUNDLES / f"labels.{language}.toml").read_text("utf-8"))
    for table, words in _ADDED.get(language, {}).items():
        found[table] = {**words, **found[table]}
    return found


class _Drawing:
    def __init__(self, labels: Labels, names: Mapping[str, str]) -> None:
        self._labels = labels
        self._names = names

    def card(self, form: Form) -> Card:
        pattern = self._labels["pattern"]
        is_permit = form.effect == "permit"
        only_if, never_if = ("only_if", "never_if") if is_permit else ("forbid_if", "forbid_unless")
        return Card(
            headline=pattern[form.effect].format(
                who=self._who(form.principal), what=self._what(form), records=self._records(form.resource)
            ),
            conditions=tuple(pattern[only_if].format(condition=self._condition(one)) for one in form.when),
            exceptions=tuple(pattern[never_if].format(condition=self._condition(one)) for one in form.unless),
            obligations=tuple(self._obligations(form)),
            between=pattern["between"],
        )

    def _who(self, scope: Scope) -> str:
        who = self._labels["who"]
        match scope:
            case Scope(only=Entity(id=code)):
                return who["one"].format(name=self._named(code))
            case Scope(within=Entity(type="Agency", id=code)):
                return who["agency"].format(name=self._named(code))
            case Scope(within=Entity(id=code)):
                return who["unit"].format(name=self._named(code))
            case Scope(within=str()) | Scope(only=str()):
                return who["slot"]
            case _:
                return who["any"]

    def _records(self, scope: Scope) -> str:
        records = self._labels["records"]
        kind = self._type(scope.type) if scope.type is not None else records["any"]
        match scope:
            case Scope(only=Entity(type=name, id=code)):
                return records["one"].format(type=self._type(name), name=self._named(code))
            case Scope(within=Entity(id=code)):
                return records["in_source"].format(type=kind, name=self._named(code))
            case Scope(within=str()) | Scope(only=str()):
                return records["slot"].format(type=kind)
            case _:
                return records["of_type"].format(type=kind)

    def _what(self, form: Form) -> str:
        """Existence and release go with every grant of groups: they are named only where one of them is missing."""
        if form.actions is None:
            return self._labels["pattern"]["everything"]
        groups = [name for name in form.actions if name not in {ACKNOWLEDGE, RELEASE}]
        is_usual = form.effect == "permit" and groups and {ACKNOWLEDGE, RELEASE} <= set(form.actions)
        shown = groups if is_usual else form.actions
        return self._list(self._labels["action"].get(name, name) for name in shown)

    def _condition(self, condition: Condition) -> str:
        if isinstance(condition, Joined):
            pattern = self._labels["pattern"]
            parts = pattern["and" if condition.every else "or"].join(self._condition(one) for one in condition.of)
            return pattern["all" if condition.every else "any"].format(parts=parts)
        return self._row(condition)

    def _row(self, row: Row) -> str:
        patterns = self._labels["row"]
        sentences = self._labels["fails" if row.is_negated else "holds"]
        if row.operator in {"is_true", "has"} and str(row.left) in sentences:
            return sentences[str(row.left)]
        left, right = self._operand(row.left), self._operand(row.right) if row.right is not None else ""
        match row:
            case Row(operator="contains", left=Path("context", ("approvals",))):
                text = patterns["approved"].format(right=right)
            case Row(operator="contains", left=tuple()):
                pattern = patterns["not_one_of" if row.is_negated else "one_of"]
                return pattern.format(left=left, right=right)
            case Row(operator="is", right=str(name)):
                text = patterns["is"].format(right=self._type(name))
            case Row(operator=operator, right=int()) if f"{operator}_number" in patterns:
                text = patterns[f"{operator}_number"].format(left=left, right=right)
            case Row(operator=operator):
                text = patterns[operator].format(left=left, right=right)
        return patterns["not"].format(row=text) if row.is_negated else text

    def _operand(self, operand: Operand) -> str:
        match operand:
            case Path():
                return self._labels["fact"].get(str(operand), str(operand))
            case Entity(name, identifier):
                known = self._labels["value"].get(f"{name}.{identifier}", self._names.get(identifier, identifier))
                return self._quote(known)
            case Moment(text):
                return text
            case tuple():
                return self._list(self._operand(member) for member in operand)
            case _:
                return self._quote(str(operand))

    def _obligations(self, form: Form) -> list[str]:
        sentences, words = self._labels["obligation"], self._labels["obligation_value"]
        found = []
        for name, written in form.annotations:
            if name in DESCRIPTIVE:
                continue
            value = self._list(words.get(word, word) for word in written.split())
            found.append(sentences.get(name, f"@{name}({{value}})").format(value=value))
        return found

    def _type(self, entity_type: str) -> str:
        by_entity = {"".join(part.capitalize() for part in name.split("_")): name for name in self._labels["type"]}
        return self._labels["type"].get(by_entity.get(entity_type, ""), entity_type)

    def _named(self, code: str) -> str:
        return self._quote(self._names.get(code, code))

    def _quote(self, text: str) -> str:
        return self._labels["pattern"]["quoted"].format(text=text)

    def _list(self, parts: Iterable[str]) -> str:
        return self._labels["pattern"]["list"].join(parts)
