"""Past questions read back from what was kept of them: the entity and context documents exactly as asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from policies.question import Agency, CaseReference, Client, Delegation, Fact, Question, Record, Representation
from policies.schema import Catalogue, entity_type


class SnapshotError(Exception):
    """A snapshot that is none, or of another form than this version writes."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One past question: the exchange's id, and what was asked, of all groups and without approvals given later.

    Without a record where the holder was not called, or had none. `is_query`: it stands for the choice of rows of a
    request for several records, and is followed by one snapshot for each row that was decided.
    """

    exchange: str
    question: Question
    is_query: bool = False


def read_snapshots(
    exchange: str, data: bytes, catalogue: Catalogue, record_type: str, holder: str
) -> tuple[Snapshot, ...]:
    """Read the documents of one exchange: one question, or that of a query and those of its rows.

    Args:
        exchange: its id.
        data: JSON with `entities` and `context`, each as JSON text; `rows` of a query have the same members.
        catalogue: the one in force; what it lacks makes a snapshot unreadable.
        record_type: what was asked for.
        holder: the code of the agency that holds it.

    Raises:
        SnapshotError: the documents cannot be read.
    """
    try:
        whole = json.loads(data)
        rows = whole.get("rows")
        questions = [
            _question(json.loads(one["entities"]), json.loads(one["context"]), catalogue, record_type, holder)
            for one in (whole, *(rows or ()))
        ]
    except (KeyError, TypeError, ValueError, StopIteration, AttributeError) as error:
        raise SnapshotError(f"exchange {exchange}: {type(error).__name__}") from error
    first = Snapshot(exchange, questions[0], is_query=rows is not None)
    return (first, *(Snapshot(exchange, question) for question in questions[1:]))


def _question(
    entities: list[dict[str, Any]], context: Mapping[str, Any], catalogue: Catalogue, record_type: str, holder: str
) -> Question:
    by_type: dict[str, list[dict[str, Any]]] = {}
    for entity in entities:
        by_type.setdefault(entity["uid"]["type"].removeprefix("IPX::"), []).append(entity)
    agencies = {entity["uid"]["id"]: _agency(entity) for entity in by_type["Agency"]}
    client = by_type["Client"][0]
    asking = _id(client["attrs"]["agency"])
    units = frozenset(entity["uid"]["id"] for entity in by_type.get("Unit", ()))
    records = by_type.get(entity_type(record_type), ())
    case, owner, mandate = (context.get(name) for name in ("case_reference", "representing", "delegation"))
    return Question(
        client=Client(client["uid"]["id"], units, client["attrs"]["assurance"], client["attrs"]["suspended"]),
        asking=agencies[asking],
        supplier=agencies[_id(mandate["supplier"])] if mandate else None,
        holder=agencies[holder],
        source=by_type["Source"][0]["uid"]["id"],
        record_type=record_type,
        record=_record(records[0], catalogue) if records else None,
        groups=frozenset(),
        purpose=_id(context["purpose"]),
        legal_basis=context["legal_basis"],
        mode=_id(context["mode"]),
        now=datetime.fromisoformat(context["now"]["__extn"]["arg"]),
        approvals=frozenset(map(_id, context["approvals"])),
        case_reference=CaseReference(
            case["number"],
            _id(case["jurisdiction"]),
            case["active"],
            case["verified"],
            frozenset(map(_id, case["defendants"])),
        )
        if case
        else None,
        representing=Representation(_id(owner["party"]), frozenset(owner["right_keys"]), owner["verified"])
        if owner
        else None,
        delegation=Delegation(_id(mandate["supplier"]), mandate["active"], mandate["covers_purpose"])
        if mandate
        else None,
        overdue_acknowledgements=context.get("overdue_acknowledgements", 0),  # what was kept before it was asked for
    )


def _agency(entity: Mapping[str, Any]) -> Agency:
    attributes = entity["attrs"]
    return Agency(
        entity["uid"]["id"],
        _id(attributes["kind"]),
        frozenset(map(_id, attributes["jurisdictions"])),
        attributes["suspended"],
    )


def _record(entity: Mapping[str, Any], catalogue: Catalogue) -> Record:
    kinds = {fact.name: fact.kind for fact in catalogue.facts}
    facts = {name: _fact(kinds.get(name, ""), value) for name, value in entity["attrs"].items()}
    return Record(entity["uid"]["id"], facts)


def _fact(kind: str, value: Any) -> Fact:
    if isinstance(value, list):
        return frozenset(_id(one) if isinstance(one, dict) else one for one in value)
    if kind == "datetime":
        return datetime.fromisoformat(value["__extn"]["arg"])
    return _id(value) if isinstance(value, dict) else value


def _id(value: Mapping[str, Any]) -> str:
    return str(value["__entity"]["id"])
