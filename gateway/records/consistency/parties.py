"""Parties across records: one strong number under two names, and one name with two strong numbers."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.records.catalogue import CATALOGUE
from gateway.records.consistency.compared import Collection, Compared, Oddity, one_writing


def one_number_two_names(collection: Collection) -> Iterator[Oddity]:
    """A company that changed its name, or a number that was given wrongly: names alone never tell which."""
    known: dict[str, tuple[str, Compared]] = {}
    for record, _, name, number in _numbered(collection):
        first_name, first = known.setdefault(number, (name, record))
        if one_writing(first_name) != one_writing(name):
            yield Oddity(
                "one_number_two_names",
                f"{number} is {name} here and {first_name} there",
                (record.name, first.name),
                _field_of(record, name),
            )


def one_name_two_numbers(collection: Collection) -> Iterator[Oddity]:
    """Two parties of one name and one kind of number: they are two, and must not be merged."""
    known: dict[tuple[str, str], tuple[str, Compared]] = {}
    for record, kind, name, number in _numbered(collection):
        first_number, first = known.setdefault((kind, one_writing(name)), (number, record))
        if first_number != number:
            yield Oddity(
                "one_name_two_numbers",
                f"{name} has {number} here and {first_number} there: two parties of one name",
                (record.name, first.name),
                _field_of(record, name),
            )


def _numbered(collection: Collection) -> Iterator[tuple[Compared, str, str, str]]:
    """Give each party that has name and number: record, kind of number, name, number."""
    seen: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for record in collection.records:
        for party in _parties(record):
            for number in _numbers(party):
                if (party["name"], number) not in seen[id(record)]:
                    seen[id(record)].add((party["name"], number))
                    yield record, number.partition(":")[0], party["name"], number


def _parties(record: Compared) -> Iterator[Mapping[str, Any]]:
    if record.record_type == "party":
        yield record.fields
        return
    for field in CATALOGUE.types[record.record_type].facts.parties:
        value = record.fields.get(field)
        for party in value if isinstance(value, list) else [value] if value else []:
            if party.get("name"):
                yield party


def _numbers(party: Mapping[str, Any]) -> Sequence[str]:
    own = [f"{kind}:{party[field]}" for kind, field in (("CN.uscc", "uscc"), ("lei", "lei")) if party.get(field)]
    return [*own, *party.get("identifiers", ())]


def _field_of(record: Compared, name: str) -> str:
    if record.record_type == "party":
        return "name"
    for field in CATALOGUE.types[record.record_type].facts.parties:
        value = record.fields.get(field)
        if any(party.get("name") == name for party in (value if isinstance(value, list) else [value] if value else [])):
            return field
    return "name"
