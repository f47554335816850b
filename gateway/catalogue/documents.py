"""A record type as JSON: what a caller may ask for by group, and what an answer of it may hold."""

from typing import Any

from gateway.records.catalogue import Catalogue, RecordType
from policies.cards import labels


def summary(known: RecordType) -> dict[str, Any]:
    return {
        "record_type": known.name,
        "schema_version": known.schema_version,
        "label": _label(known.name),
        "published_register": known.is_published_register,
    }


def document(known: RecordType) -> dict[str, Any]:
    """Give a type with its groups in their order; those of the envelope (`record.links`) come last."""
    return {**summary(known), "groups": [_group(known, name) for name in known.groups]}


def index(catalogue: Catalogue) -> dict[str, Any]:
    return {"items": [summary(known) for known in catalogue.types.values()], "complete": True}


def _group(known: RecordType, name: str) -> dict[str, Any]:
    about = known.groups[name]
    return {
        "group": name,
        "label": _label(name),
        "class": about.classification,
        "personal": about.personal,
        **({"law": about.law} if about.law else {}),
        "fields": [_field(known, field) for field in known.fields_of(name)],
    }


def _field(known: RecordType, field: str) -> dict[str, Any]:
    metadata = known.schema.fields[field].metadata
    kind = metadata["is"]
    said = kind[0] if isinstance(kind, list) else kind
    return {
        "field": field,
        "kind": said.removesuffix("!"),
        "list": isinstance(kind, list),
        "required": said.endswith("!"),
        **({"st96": metadata["st96"]} if metadata["st96"] else {}),
    }


def _label(name: str) -> dict[str, str]:
    """The words for a type or a group in each language."""
    table = "action" if "." in name else "type"
    english, chinese = labels("en")[table], labels("zh")[table]
    return {"en": english.get(name, name), "zh": chinese.get(name, name)}
