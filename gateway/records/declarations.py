"""Reads a record type from its declaration: one TOML file in `types/` says fields, groups, facts, states and rules.

Nothing about a single type is code: a new type is a new file. A declaration that contradicts itself (a field in two
groups, a rule about a field that is not there) does not load.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources.abc import Traversable
from typing import Any, Literal, get_args

from marshmallow import fields

from gateway.records import rules
from gateway.records.codes import code_table
from gateway.records.fact_rules import FactRules, State, read_fact_rules, read_states
from gateway.records.identifiers import RULES
from gateway.records.shapes import Kind, Shapes, StrictSchema, has_raw
from gateway.records.values import Checked, text

Classification = Literal["public", "official", "confidential", "sealed"]

CLEAR = frozenset(
    {
        *("iss", "sub", "iat", "record_type", "schema_version", "source", "revision"),
        *("as_of", "recorded_at", "status", "sealed_by", "language"),
        *("exp", "nbf", "aud", "jti", "cnf", "vct", "_sd", "_sd_alg", "..."),
        *("record_id", "holder", "sealed_groups"),
    }
)
"""Names that no field may have: claims that are always clear, those that RFC 7519 and RFC 9901 reserve, and what the
envelope has besides."""

_SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_GROUP = re.compile(rf"{_SNAKE.pattern}(?:\.{_SNAKE.pattern})*")
_TYPE_KEYS = frozenset(
    {"schema_version", "published_register", "includes", "groups", "facts", "states", "rules", "labels"}
)
LANGUAGES = ("en", "zh")
_GROUP_KEYS = frozenset({"class", "personal", "law", "fields"})
_EXTENSIONS = {"class": "confidential", "fields": {"extensions": {"is": "any"}}}
"""In every type: what a mapping did not know is kept, and granted by no default policy."""
_EXTENSION_LABELS = {"en": {"extensions": "what no field holds"}, "zh": {"extensions": "字段以外的内容"}}
_FIELD_KEYS = frozenset({"is", "st96", "numbers", "forms"})


class DeclarationError(ValueError):
    """A declaration that cannot become a record type; the message names file, field and fault."""


@dataclass(frozen=True, slots=True)
class Group:
    """A field group: the smallest thing a policy grants."""

    classification: Classification
    personal: bool = False
    law: str | None = None
    """What implies the class or a default grant: a lead for a lawyer, not advice."""


@dataclass(frozen=True, slots=True)
class RecordType:
    name: str
    schema_version: int
    schema: StrictSchema
    """Strict, and built once: loading leaves no trace in it. Every field's metadata says `group`, `is` (its kind) and
    `st96` (the ST.96 element, or None)."""
    groups: Mapping[str, Group]
    """By full name (`trademark.biblio`), with those of the envelope (`record.links`)."""
    fields: Mapping[str, str]
    """Field → full name of its group."""
    is_published_register: bool
    """Then a record is named by the office's own number, else by an opaque one."""
    facts: FactRules
    states: tuple[State, ...]
    refuse: tuple[rules.Rule, ...]
    flag: tuple[rules.Rule, ...]
    past_dates: tuple[tuple[str, ...], ...]
    """Paths to days that cannot lie in the future."""
    labels: Mapping[str, Mapping[str, str]]
    """Language → name of the type or of a group → the words that people read; empty where the bundles have them."""

    def group_of(self, field: str) -> str | None:
        return self.fields.get(field)

    def fields_of(self, group: str) -> tuple[str, ...]:
        return tuple(field for field, known in self.fields.items() if known == group)


@dataclass(frozen=True, slots=True)
class _Declared:
    """A field as its declaration writes it."""

    name: str
    group: str
    kind: Kind
    about: Mapping[str, Any]


def read_record_types(folder: Traversable, own: Traversable | None = None) -> dict[str, RecordType]:
    """Read every declaration of a folder; files that begin with `_` are parts of others.

    Args:
        folder: the declarations of this project.
        own: further ones, of an operator: they may use the parts and shapes of the first and bring their own, but
            replace nothing.

    Raises:
        DeclarationError: the first declaration that is at fault.
    """
    parts = _parts(folder)
    for name, document in (_parts(own) if own is not None else {}).items():
        if name == "_shapes":
            taken = sorted(document.keys() & parts["_shapes"].keys())
            _require(not taken, name, f"shapes of this project are declared again: {', '.join(taken)}")
            parts["_shapes"] = {**parts["_shapes"], **document}
        else:
            _require(name not in parts, name, "is a declaration of this project")
            parts[name] = document
    shapes = Shapes(parts["_shapes"])
    return {
        name: _record_type(name, document, parts, shapes)
        for name, document in sorted(parts.items())
        if not name.startswith("_")
    }


def _parts(folder: Traversable) -> dict[str, dict[str, Any]]:
    return {name.removesuffix(".toml"): _read(entry) for name, entry in _toml_files(folder)}


def _toml_files(folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.name.endswith(".toml"):
            yield entry.name, entry


def _read(entry: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(entry.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DeclarationError(f"{entry.name}: {error}") from error


def _record_type(name: str, document: Mapping[str, Any], parts: Mapping[str, Any], shapes: Shapes) -> RecordType:
    _require(bool(_SNAKE.fullmatch(name)), name, "a type is named in snake case")
    _require(not document.keys() - _TYPE_KEYS, name, f"unknown keys {document.keys() - _TYPE_KEYS}")
    groups: dict[str, Group] = {}
    declared: dict[str, _Declared] = {}
    _add_groups(name, document, groups, declared)
    for part in document.get("includes", ()):
        _add_groups(name, parts[f"_{part}"], groups, declared)
    _add_group(f"{name}.extensions", _EXTENSIONS, groups, declared)
    _add_groups("record", parts["_envelope"], groups, declared)
    labels = [_EXTENSION_LABELS, *(parts[f"_{part}"].get("labels", {}) for part in document.get("includes", ()))]
    try:
        return _assemble(name, document, groups, declared, shapes, labels)
    except (ValueError, LookupError, TypeError) as error:
        raise DeclarationError(f"{name}: {error}") from error


def _assemble(
    name: str,
    document: Mapping[str, Any],
    groups: Mapping[str, Group],
    declared: Mapping[str, _Declared],
    shapes: Shapes,
    labels: list[Mapping[str, Any]],
) -> RecordType:
    built: dict[str, fields.Field[Any]] = {}
    for field in declared.values():
        metadata = {"group": field.group, "is": field.kind, "st96": field.about.get("st96")}
        built[field.name] = shapes.field(field.kind, metadata=metadata)
        if has_raw(field.kind):
            raw = metadata | {"is": "text", "st96": None}
            _require(f"{field.name}_raw" not in declared, name, f"{field.name}_raw is taken by a coded field")
            built[f"{field.name}_raw"] = Checked(text, metadata=raw)
    kinds = {field: value.metadata["is"] for field, value in built.items()}
    judged = document.get("rules", {})
    title = "".join(part.capitalize() for part in name.split("_"))
    found = RecordType(
        name=name,
        schema_version=document["schema_version"],
        schema=StrictSchema.from_dict(built, name=f"{title}Schema")(),  # type: ignore[arg-type]
        groups=groups,
        fields={field: str(value.metadata["group"]) for field, value in built.items()},
        is_published_register=document.get("published_register", False),
        facts=read_fact_rules(document.get("facts", {}), kinds),
        states=(),
        refuse=(*_rules_of_fields(declared), *(rules.read_rule(about, kinds) for about in judged.get("refuse", ()))),
        flag=tuple(rules.read_rule(about, kinds) for about in judged.get("flag", ())),
        past_dates=tuple((field.name, *path) for field in declared.values() for path in shapes.past_dates(field.kind)),
        labels=_labels(name, [*labels, document.get("labels", {})], groups),
    )
    return replace(found, states=read_states(name, document.get("states", ()), groups))


def _labels(name: str, all_said: list[Mapping[str, Any]], groups: Mapping[str, Group]) -> dict[str, dict[str, str]]:
    """Read the tables `[labels.<language>]` of a type and of what it includes.

    Each has a word for `type` and for each group by its short name.
    """
    own = {group for group in groups if group.startswith(f"{name}.")}
    found: dict[str, dict[str, str]] = {}
    for language, words in (pair for said in all_said for pair in said.items()):
        _require(language in LANGUAGES, name, f"labels are in {' or '.join(LANGUAGES)}, not in {language}")
        named = {name if short == "type" else f"{name}.{short}": word for short, word in words.items()}
        _require(named.keys() <= {name, *own}, name, f"labels.{language} names a group that is not there")
        _require(all(isinstance(word, str) and word for word in named.values()), name, "a label is a text")
        found.setdefault(language, {}).update(named)
    return found


def _rules_of_fields(declared: Mapping[str, _Declared]) -> Iterator[rules.Rule]:
    for field in declared.values():
        for kind in (*field.about.get("numbers", {}).values(), *field.about.get("forms", {}).values()):
            _require(kind in RULES, field.name, f"no identifier is called {kind}")
        for office in field.about.get("numbers", {}):
            _require(office in code_table("st3").words, field.name, f"{office} is no office")
        if "numbers" in field.about:
            _require("office" in declared, field.name, "numbers by office in a type without an office")
            numbers = {"field": field.name, "office": "office", "numbers": field.about["numbers"]}
            yield rules.Rule("number_of_office", numbers)
        if "forms" in field.about:
            yield rules.Rule("written_form", {"field": field.name, "forms": field.about["forms"]})


def _add_groups(
    prefix: str, document: Mapping[str, Any], groups: dict[str, Group], declared: dict[str, _Declared]
) -> None:
    for short, about in document.get("groups", {}).items():
        _require(bool(_GROUP.fullmatch(short)), prefix, f"group {short} is not in snake case")
        _add_group(f"{prefix}.{short}", about, groups, declared)


def _add_group(name: str, about: Mapping[str, Any], groups: dict[str, Group], declared: dict[str, _Declared]) -> None:
    _require(name not in groups, name, "declared twice")
    _require(not about.keys() - _GROUP_KEYS, name, f"unknown keys {about.keys() - _GROUP_KEYS}")
    _require(about.get("class") in get_args(Classification), name, "has no class, or an unknown one")
    _require(bool(about.get("fields")), name, "has no field")
    groups[name] = Group(about["class"], about.get("personal", False), about.get("law"))
    for field, said in about["fields"].items():
        _require(bool(_SNAKE.fullmatch(field)), name, f"field {field} is not in snake case")
        _require(field not in declared, name, f"field {field} stands in two groups")
        _require(field not in CLEAR, name, f"field {field} has the name of a clear claim")
        _require("is" in said and not said.keys() - _FIELD_KEYS, name, f"field {field} lacks its kind or says too much")
        declared[field] = _Declared(field, name, said["is"], said)


def _require(condition: bool, where: str, fault: str) -> None:  # noqa: FBT001  (reads as a sentence at every call)
    if not condition:
        raise DeclarationError(f"{where}: {fault}")
