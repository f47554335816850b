"""Chains of title: does whoever conveys or licenses a right have it, and does an entry's reference lead somewhere."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.records.consistency.compared import Collection, Compared, Oddity, day_of, names_of, said

_CONVEYS: Final = frozenset({"assignment", "merger", "name_change"})
_LICENSES: Final = frozenset({"licence_exclusive", "licence_nonexclusive"})
"""A sublicence is the licensee's to give, a compulsory one an authority's."""

Parties = Sequence[Mapping[str, Any]]


def broken_chain(collection: Collection) -> Iterator[Oddity]:
    """An assignor that did not have the right: neither the assignee before nor, at the beginning, its first owner."""
    for key, events in collection.chains.items():
        last: Compared | None = None
        for event in events:
            if event.fields["event_type"] not in _CONVEYS or not event.fields.get("assignors"):
                continue
            if last is not None:
                before = last.fields.get("assignees")
                if before and not names_of(event.fields["assignors"]) & names_of(before):
                    yield Oddity(
                        "broken_chain",
                        f"{said(event.fields['assignors'])} conveyed {key} on {day_of(event.fields)}; before that "
                        f"it had gone to {said(before)}",
                        (event.name, last.name),
                        "assignors",
                    )
            last = event
        if last is not None:
            yield from _register_names_another(collection, key, last)


def _register_names_another(collection: Collection, key: str, last: Compared) -> Iterator[Oddity]:
    right = collection.rights.get(key)
    owners, assignees = right.fields.get("owners") if right else None, last.fields.get("assignees")
    if right is not None and owners and assignees and not names_of(owners) & names_of(assignees):
        yield Oddity(
            "owner_behind_chain",
            f"the register names {said(owners)} as owner of {key}; the last entry conveyed it to {said(assignees)}",
            (right.name, last.name),
            "owners",
        )


def licence_by_another(collection: Collection) -> Iterator[Oddity]:
    """A licence whose licensor did not own the right on that day."""
    for key, events in collection.chains.items():
        for event in events:
            licensors = event.fields.get("licensors")
            if event.fields["event_type"] not in _LICENSES or not licensors:
                continue
            owners, source = _owners_on(collection, key, day_of(event.fields), event)
            if owners and not names_of(licensors) & names_of(owners):
                yield Oddity(
                    "licence_by_non_owner",
                    f"{said(licensors)} licensed {key} on {day_of(event.fields)}; then it belonged to {said(owners)}",
                    (event.name, source),
                    "licensors",
                )


def _owners_on(collection: Collection, key: str, day: str, but: Compared) -> tuple[Parties, str]:
    """Find out who owned a right on a day, and from which record that is known; nobody where none says it."""
    conveyances = [
        event for event in collection.chains.get(key, ()) if event is not but and event.fields["event_type"] in _CONVEYS
    ]
    for event in reversed(conveyances):
        if day_of(event.fields) <= day and event.fields.get("assignees"):
            return event.fields["assignees"], event.name
    later = next((event for event in conveyances if event.fields.get("assignors")), None)
    if later is not None:
        return later.fields["assignors"], later.name
    right = collection.rights.get(key)
    return (right.fields.get("owners", ()), right.name) if right is not None else ((), "")


def entries_that_point_nowhere(collection: Collection) -> Iterator[Oddity]:
    """A correction, a release or a sublicence of an entry that is not there, or of one of another kind."""
    events = {event.fields["record_number"]: event for event in collection.of("ownership_event")}
    for event in events.values():
        for field, kinds in (
            ("corrects", None),
            ("release_of", {"pledge"}),
            ("sublicence_of", _LICENSES | {"sublicence"}),
        ):
            number = event.fields.get(field)
            if number is None:
                continue
            meant = events.get(number)
            if meant is None:
                yield Oddity(
                    "points_nowhere", f"{field} names the entry {number}, which is not there", (event.name,), field
                )
            elif kinds is not None and meant.fields["event_type"] not in kinds:
                kind = str(meant.fields["event_type"]).replace("_", " ")
                yield Oddity(
                    "points_elsewhere",
                    f"{field} names the entry {number}, which is a {kind}",
                    (event.name, meant.name),
                    field,
                )
