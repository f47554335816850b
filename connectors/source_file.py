"""The source file: YAML in, a checked value out. Everything wrong with it is told at once, and no secret is in it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from hashlib import sha256
from importlib import resources
from typing import Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from connectors import strict_yaml
from connectors.errors import SourceFault, SourceFileError
from connectors.formats.document import ReadRules
from connectors.mapping_packs import Pack, Shelf, merged, read_pack, shipped
from connectors.reach_rules import reach_faults
from connectors.references import references_in

Kind = Literal["files", "sql", "rest", "upload", "push", "soap", "drop", "store", "queue", "office"]
Remedy = Literal["quarantine", "flag", "null"]

_DURATION = re.compile(r"P(?:(\d+)W|(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?)")


@dataclass(frozen=True, slots=True)
class Licence:
    name: str
    onward: Literal["none", "attribution", "free"]
    """Whether a requester may pass the record on. Shown in every answer."""


@dataclass(frozen=True, slots=True)
class Freshness:
    expect: timedelta
    stale: timedelta
    follow: timedelta | None = None
    """How often the gateway itself reads what changed; None: only when an operator says so."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A source file that says only what it may. References in `reach` are still references."""

    name: str
    holder: str
    record_type: str
    schema_version: int
    kind: Kind
    licence: Licence
    freshness: Freshness
    reach: Mapping[str, Any]
    read: ReadRules
    key: str
    revised: Any
    """The entry that reads a record's revision, or None."""
    fields: Mapping[str, Any]
    """The mapping's entries by catalogue field, in the order of the file."""
    on_error: Mapping[str, Remedy]
    default_remedy: Remedy
    pack: str | None
    sha256: str
    """Over the text of the file and of the pack it includes: another digest means that records may map otherwise."""

    def remedy(self, field: str) -> Remedy:
        return self.on_error.get(field, self.default_remedy)


def read_source(text: str, shelf: Shelf = shipped) -> SourceFile:
    """Read and check a source file.

    Args:
        text: the YAML.
        shelf: where a pack that it includes is looked up.

    Raises:
        SourceFileError: with all faults; their texts hold no value of the file that could be a secret.
    """
    return _read_shipped(text) if shelf is shipped else _read(text, shelf)


def _read(text: str, shelf: Shelf) -> SourceFile:
    document = _parsed(text)
    pack = None
    if isinstance(document.get("pack"), str):
        pack = read_pack(document["pack"], shelf)
        document = merged(pack, document)
    if isinstance(document.get("source"), dict) and document["source"].get("kind") == "push":
        document = {"reach": {}, **document}
    faults = [SourceFault(_pointer(error), _said(error)) for error in _flat(_validator().iter_errors(document))]
    if not faults:
        faults = list(_further_faults(document, pack))
    if faults:
        raise SourceFileError(sorted(set(faults), key=lambda fault: (fault.pointer, fault.detail)))
    return _value(document, pack, text)


@lru_cache(maxsize=256)
def _read_shipped(text: str) -> SourceFile:
    """Read one whose pack comes with the program: the same text gives the same value, which nobody changes.

    Reading takes some twenty milliseconds, and pages that show how all sources are do it for each of them.
    """
    return _read(text, shipped)


def parse_duration(text: str) -> timedelta:
    """Read an ISO 8601 duration of weeks, or of days and time (`P7D`, `PT5M`); the schema has checked its form."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _parsed(text: str) -> dict[str, Any]:
    try:
        document = strict_yaml.load(text)
    except strict_yaml.YamlError as error:
        raise SourceFileError([SourceFault("", str(error))]) from error
    if not isinstance(document, dict):
        raise SourceFileError([SourceFault("", "must be a mapping of keys")])
    return document


def _value(document: Mapping[str, Any], pack: Pack | None, text: str) -> SourceFile:
    source, read = document["source"], document.get("read", {})
    on_error = dict(document.get("on_error", {}))
    default = on_error.pop("default", "quarantine")
    for name, entry in document.get("map", {}).items():
        if isinstance(entry, dict) and "on_error" in entry:
            on_error[name] = entry["on_error"]
    digest = sha256(text.encode())
    if pack:
        digest.update(bytes.fromhex(pack.sha256))
    return SourceFile(
        name=source["name"],
        holder=source["holder"],
        record_type=source["record_type"],
        schema_version=source["schema_version"],
        kind=source["kind"],
        licence=Licence(**document["licence"]),
        freshness=Freshness(**{name: parse_duration(value) for name, value in document["freshness"].items()}),
        reach=document["reach"],
        read=_read_rules(source["kind"], read, document["reach"]),
        key=document["key"],
        revised=document.get("revised"),
        fields=document.get("map", {}),
        on_error=on_error,
        default_remedy=default,
        pack=pack.name if pack else None,
        sha256=digest.hexdigest(),
    )


def _read_rules(kind: Kind, read: Mapping[str, Any], reach: Mapping[str, Any]) -> ReadRules:
    format_ = "row" if kind == "sql" else "xml"
    # An item cut out of an API's list is a document of its own.
    is_cut = kind in ("rest", "soap", "office") and read.get("format") == "xml" and "items" in reach
    whole = {"records": "/*"} if is_cut else {}
    return ReadRules(**{"format": format_, **whole, **read})


def _further_faults(document: Mapping[str, Any], pack: Pack | None) -> Iterator[SourceFault]:
    """What a schema cannot say: one part against another."""
    source, fields = document["source"], document.get("map", {})
    if pack and (pack.record_type, pack.schema_version) != (source["record_type"], source["schema_version"]):
        yield SourceFault("/pack", f"maps to {pack.record_type} {pack.schema_version}")
    yield from reach_faults(document)
    key = fields.get(document["key"])
    is_read = isinstance(key, dict) and key.get("required") and key.keys() & {"path", "any"}
    if source["kind"] != "push" and not is_read:
        yield SourceFault("/key", "must name a field of /map with a path, and required: true")
    for name in document.get("on_error", {}):
        if name != "default" and name not in fields:
            yield SourceFault(f"/on_error/{name}", "is no field of /map")
    if "extensions" in fields:
        yield SourceFault("/map/extensions", "is made of what is not mapped, it cannot be mapped")
    if not parse_duration(document["freshness"].get("follow", "PT1S")):
        yield SourceFault("/freshness/follow", "is no time at all")
    if parse_duration(document["freshness"]["stale"]) < parse_duration(document["freshness"]["expect"]):
        yield SourceFault("/freshness/stale", "is shorter than what is expected")
    try:
        list(references_in(document["reach"], "/reach"))
    except SourceFileError as error:
        yield from error.faults


@cache
def _validator() -> Draft202012Validator:
    file = resources.files("connectors") / "source_file.schema.json"
    return Draft202012Validator(json.loads(file.read_text(encoding="utf-8")))


def _flat(errors: Any) -> Iterator[ValidationError]:
    """Of a choice that no branch fits, the faults of the branch that was meant: the one that fails deepest or least."""
    for error in errors:
        if error.validator != "oneOf" or not error.context:
            yield error
            continue
        branches: dict[int, list[ValidationError]] = {}
        for nested in error.context:
            branches.setdefault(nested.schema_path[0], []).append(nested)
        meant = [
            found
            for found in branches.values()
            if not any(item.validator in ("required", "type") and len(item.path) == 0 for item in found)
        ]
        if len(meant) == 1:
            yield from _flat(meant[0])
        else:
            yield error


def _pointer(error: ValidationError) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error.absolute_path)


def _said(error: ValidationError) -> str:
    """A fault in our words: the library's would repeat the value, which may be a secret written in the wrong place."""
    rule: Any = error.validator_value
    instance: Any = error.instance
    schema: Any = error.schema
    match error.validator:
        case "additionalProperties":
            said = f"unknown key: {', '.join(sorted(set(instance) - set(schema.get('properties', {}))))}"
        case "required":
            said = f"is missing: {', '.join(name for name in rule if name not in instance)}"
        case "enum":
            said = f"must be one of: {', '.join(map(str, rule))}"
        case "type":
            said = f"must be {rule}"
        case "pattern" if "description" in schema:
            said = f"must be {schema['description']}"
        case "pattern" | "minLength" | "maxLength" | "minimum" | "maximum" | "minProperties" | "minItems":
            said = f"must keep to {error.validator} {rule}"
        case "oneOf":
            said = "has none of the forms that are allowed here"
        case _:
            said = f"breaks the rule {error.validator}"
    return said
