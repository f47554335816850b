"""Policies filter by facts, sources by fields: the part of a filter that a source can be asked with, meaning the same.

A fact that is exactly what a field says is asked for by that field; what holds of every record of the source is decided
here; a fact that has a field's name and may say something else is asked of nobody. All else goes on as it is: a source
file may say where such a fact stands.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.records.catalogue import CATALOGUE
from gateway.records.codes import code_table
from gateway.records.declarations import RecordType

Json = Any

FACT: Final = "fact"
"""The `op` of a node that no source knows: it is left to whoever decides each record."""
_DAYS: Final = frozenset({"date", "past_date", "date!", "past_date!"})


def for_source(document: Json, record_type: str, constants: Mapping[str, str]) -> Json:
    """Write a policy's row filter in the words of a source.

    Args:
        document: as `policies.rows.to_document` gives it.
        record_type: of the source.
        constants: facts that are alike in all its records, such as its jurisdiction.

    Returns:
        A filter that means the same for every record, with nodes `{"op": "fact", …}` where only the gateway can tell.
    """
    return _written(document, CATALOGUE.types[record_type], constants)


def _written(node: Json, known: RecordType, constants: Mapping[str, str]) -> Json:  # noqa: PLR0911  (a return a kind)
    match node:
        case {"op": "and" | "or", "parts": parts}:
            return {**node, "parts": [_written(part, known, constants) for part in parts]}
        case {"op": "not", "part": part}:
            return {**node, "part": _written(part, known, constants)}
        case {"field": name} if name in constants:
            return _constant(_holds(node, constants[name]))
        case {"field": "stage"}:
            return _stage(node, known)
        case {"field": "happened_on"}:
            return _day(node, known)
        case {"field": name} if name in known.fields:
            return {"op": FACT, "of": node}  # what the field says may be a part of the fact only
        case _:
            return node


def _stage(node: Json, known: RecordType) -> Json:
    """Ask by the coded field, where a type's stage is that of its word and of nothing else; it is always there."""
    clauses = known.facts.stage
    if len(clauses) != 1 or clauses[0].code is None or clauses[0].table is None:
        return {"op": FACT, "of": node}
    words = code_table(clauses[0].table).words
    passing = sorted(word for word, about in words.items() if _holds(node, about["stage"]))
    return {"op": "in", "field": clauses[0].code, "values": passing}


def _day(node: Json, known: RecordType) -> Json:
    """Ask by the days that the fact is the midnight of (UTC): the first of them that is there."""
    fields = known.facts.happened_on
    if any(known.schema.fields[field].metadata["is"] not in _DAYS for field in fields):
        return {"op": FACT, "of": node}
    ways, missing = [], list[Json]()
    for field in fields:
        ways.append({"op": "and", "parts": [*missing, _of_day(node, field)]})
        missing.append({"op": "not", "part": {"op": "exists", "field": field}})
    return (
        {"op": "or", "parts": ways} if len(ways) > 1 else _of_day(node, fields[0]) if fields else _constant(value=False)
    )


def _of_day(node: Json, field: str) -> Json:
    """Compare a day as its midnight compares with the instants."""
    there = {"op": "exists", "field": field}
    match node["op"]:
        case "exists":
            return there
        case "in":
            days = [day for day, is_midnight in map(_read_day, node["values"]) if is_midnight]
            return {"op": "in", "field": field, "values": days}
        case "eq" | "ne" as op:
            day, is_midnight = _read_day(node["value"])
            compared = {"op": op, "field": field, "value": day}
            return compared if is_midnight else (_constant(value=False) if op == "eq" else there)
        case "gt" | "le" as op:
            return {"op": op, "field": field, "value": _read_day(node["value"])[0]}
        case "ge" | "lt" as op:
            day, is_midnight = _read_day(node["value"])
            return {"op": op, "field": field, "value": day if is_midnight else _next(day)}
        case _:
            return {"op": FACT, "of": node}


def _read_day(instant: str) -> tuple[str, bool]:
    """Give an instant's day, and whether it is the day's first moment."""
    moment = datetime.fromisoformat(instant).astimezone(UTC)
    return moment.date().isoformat(), moment == moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _next(day: str) -> str:
    return (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()


def _holds(node: Json, value: str) -> bool:
    """Evaluate one comparison on a text that is there."""
    judge = _JUDGES.get(node["op"])
    return judge is not None and judge(node, value)


_JUDGES: Final[Mapping[str, Callable[[Json, str], bool]]] = {
    "eq": lambda node, value: bool(node["value"] == value),
    "ne": lambda node, value: isinstance(node["value"], str) and bool(node["value"] != value),
    "in": lambda node, value: value in node["values"],
    "exists": lambda _node, _value: True,
}


def _constant(value: bool) -> Json:  # noqa: FBT001  (it is the value)
    return {"op": "true" if value else "false"}
