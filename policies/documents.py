"""One question as Cedar sees it: the entities it is about, and its context.

Names of people and systems enter Cedar as `{"type", "id"}` objects only, never spliced into Cedar text.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from policies.question import Agency, Client, Fact, Question
from policies.reference import CODE
from policies.schema import Attribute, Catalogue, entity_type

Document = dict[str, Any]
Uid = tuple[str, str]


class OutsideCatalogueError(Exception):
    """A question or a fact that the catalogue does not know. Names the attribute, never its value."""


def documents(catalogue: Catalogue, question: Question) -> tuple[str, str]:
    """Write a question's entities and its context, each as the JSON text Cedar reads.

    Raises:
        OutsideCatalogueError: a fact is missing, unknown or of the wrong kind, a name is malformed.
    """
    return json.dumps(entities(catalogue, question)), json.dumps(context(catalogue, question))


def client_uid(question: Question) -> Uid:
    return "IPX::Client", question.client.id


def record_uid(question: Question) -> Uid:
    """The record's entity; its name is its digest, never its number."""
    if question.record is None:
        raise OutsideCatalogueError("record")
    return f"IPX::{entity_type(question.record_type)}", question.record.digest


def present(found: list[Document]) -> frozenset[Uid]:
    """Name the entities that stand in a set of entity documents."""
    return frozenset((document["uid"]["type"], document["uid"]["id"]) for document in found)


def required(question: Question) -> frozenset[Uid]:
    """The entities without which an unconditional permit would answer about nobody and nothing (safety rule 3)."""
    agencies = {question.asking.code, question.holder.code}
    if question.supplier is not None:
        agencies.add(question.supplier.code)
    uids = {client_uid(question), ("IPX::Source", question.source), *(("IPX::Agency", code) for code in agencies)}
    if question.record is not None:
        uids.add(record_uid(question))
    return frozenset(uids)


def entities(catalogue: Catalogue, question: Question) -> list[Document]:
    """The five to seven entities of one question: agencies, units, client, source, record.

    The client stands below the agency on whose behalf it asks; a supplier's own rights never reach the question.
    """
    named = [agency for agency in (question.supplier, question.holder, question.asking) if agency is not None]
    agencies = {agency.code: agency for agency in named}
    if any(agencies[agency.code] != agency for agency in named):
        raise OutsideCatalogueError("two agencies under one code")
    if not question.source:
        raise OutsideCatalogueError("source")
    found = [_agency(agency) for agency in agencies.values()]
    found += (_entity("Unit", unit, {}, [("Agency", question.asking.code)]) for unit in question.client.units)
    found.append(_client(question.client, question.asking.code))
    found.append(_entity("Source", question.source, {}, [("Agency", question.holder.code)]))
    if question.record is not None:
        found.append(_record(catalogue, question, question.record.digest, question.record.facts))
    return found


def context(catalogue: Catalogue, question: Question) -> Document:
    """What a policy may read about the request itself."""
    written: Document = {
        "purpose": _word(catalogue, "Purpose", question.purpose),
        "legal_basis": question.legal_basis,
        "mode": _word(catalogue, "Mode", question.mode),
        "now": instant(question.now),
        "approvals": [_word(catalogue, "Approval", approval) for approval in sorted(question.approvals)],
        "overdue_acknowledgements": _count("overdue_acknowledgements", question.overdue_acknowledgements),
    }
    case, representing, delegation = question.case_reference, question.representing, question.delegation
    if case is not None:
        written["case_reference"] = {
            "number": case.number,
            "jurisdiction": _word(catalogue, "Jurisdiction", case.jurisdiction),
            "active": case.active,
            "verified": case.verified,
            "defendants": [_reference("PartyKey", key) for key in sorted(case.defendants)],
        }
    if representing is not None:
        written["representing"] = {
            "party": _reference("PartyKey", representing.party),
            "right_keys": sorted(representing.right_keys),
            "verified": representing.verified,
        }
    if (delegation is None) != (question.supplier is None):
        raise OutsideCatalogueError("delegation")
    if delegation is not None and question.supplier is not None:
        if delegation.supplier != question.supplier.code:
            raise OutsideCatalogueError("delegation.supplier")
        written["delegation"] = {
            "supplier": _reference("Agency", delegation.supplier),
            "active": delegation.active,
            "covers_purpose": delegation.covers_purpose,
        }
    return written


def instant(moment: datetime) -> Document:
    """Cedar reads `Z`, exactly three decimals; what `isoformat` writes is refused.

    Raises:
        OutsideCatalogueError: the instant has no zone.
    """
    return {"__extn": {"fn": "datetime", "arg": instant_text(moment)}}


def instant_text(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise OutsideCatalogueError("an instant without zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _agency(agency: Agency) -> Document:
    if CODE.fullmatch(agency.code) is None:
        raise OutsideCatalogueError("agency.code")
    return _entity(
        "Agency",
        agency.code,
        {
            "kind": _reference("AgencyKind", agency.kind),
            "jurisdictions": [_reference("Jurisdiction", name) for name in sorted(agency.jurisdictions)],
            "suspended": agency.suspended,
        },
    )


def _client(client: Client, asking: str) -> Document:
    if not client.id:
        raise OutsideCatalogueError("client.id")
    return _entity(
        "Client",
        client.id,
        {"agency": _reference("Agency", asking), "assurance": client.assurance, "suspended": client.suspended},
        [("Agency", asking), *(("Unit", unit) for unit in sorted(client.units))],
    )


def _record(catalogue: Catalogue, question: Question, digest: str, facts: Mapping[str, Fact]) -> Document:
    if not digest:
        raise OutsideCatalogueError("record.digest")
    if facts.get("holder") != question.holder.code:
        raise OutsideCatalogueError("holder")
    known = {attribute.name for attribute in catalogue.facts}
    if not facts.keys() <= known:
        raise OutsideCatalogueError("a fact outside the catalogue")
    attributes: Document = {}
    for attribute in catalogue.facts:
        if attribute.name in facts:
            attributes[attribute.name] = _fact(attribute, facts[attribute.name])
        elif not attribute.is_optional:
            raise OutsideCatalogueError(attribute.name)
    return _entity(entity_type(question.record_type), digest, attributes, [("Source", question.source)])


def _fact(attribute: Attribute, value: Fact) -> Any:
    kind = attribute.kind.removeprefix("Set<").removesuffix(">")
    if kind == attribute.kind:
        return _value(attribute.name, kind, value)
    if not isinstance(value, frozenset):
        raise OutsideCatalogueError(attribute.name)
    return [_value(attribute.name, kind, member) for member in sorted(value)]


def _value(name: str, kind: str, value: Fact) -> Any:
    match kind, value:
        case ("Bool", bool()) | ("String", str()):
            return value
        case "datetime", datetime():
            return instant(value)
        case (("Bool" | "String" | "datetime"), _):
            raise OutsideCatalogueError(name)
        case _, str():
            return _reference(kind, value)
        case _:
            raise OutsideCatalogueError(name)


def _count(name: str, number: int) -> int:
    if type(number) is not int or not 0 <= number < 1 << 63:
        raise OutsideCatalogueError(name)
    return number


def _word(catalogue: Catalogue, name: str, word: str) -> Document:
    """A word of a code list. Checked here because Cedar does not check the context while the action is unknown."""
    if word not in catalogue.enums[name]:
        raise OutsideCatalogueError(name)
    return _reference(name, word)


def _reference(name: str, identifier: str) -> Document:
    return {"__entity": {"type": f"IPX::{name}", "id": identifier}}


def _entity(name: str, identifier: str, attributes: Document, above: list[tuple[str, str]] | None = None) -> Document:
    return {
        "uid": {"type": f"IPX::{name}", "id": identifier},
        "attrs": attributes,
        "parents": [{"type": f"IPX::{kind}", "id": parent} for kind, parent in above or ()],
    }
