"""What is compared, and what a comparison finds."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from gateway.records.catalogue import CATALOGUE
from gateway.records.facts import right_keys

Fields = Mapping[str, Any]
WITHOUT_EFFECT: Final = frozenset({"pending", "refused", "cancelled"})
"""States of register events that changed nothing."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A mapped record, with the name by which its keeper finds it again."""

    name: str
    """Source and key, or a record's URN."""
    record_type: str
    fields: Fields


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that does not fit between records, or between members of lists that only a comparison reads."""

    kind: str
    """Names the check that found it."""
    sentence: str
    records: tuple[str, ...]
    """Names of the records that do not fit each other, the one that it was noticed at first."""
    field: str
    """Of the first of them."""


@dataclass
class Collection:
    """Records to be compared, by type and by the rights that they are about."""

    records: Sequence[Compared]
    _by_type: dict[str, list[Compared]] = field(init=False, default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for record in self.records:
            self._by_type[record.record_type].append(record)

    def of(self, record_type: str) -> Sequence[Compared]:
        return self._by_type.get(record_type, ())

    @cached_property
    def rights(self) -> Mapping[str, Compared]:
        """Records that are rights themselves, by their right key."""
        found: dict[str, Compared] = {}
        for record in self.records:
            rules = CATALOGUE.types[record.record_type].facts
            if rules.own_right is not None:
                own = next(right_keys(rules, record.fields), None)
                if own is not None:
                    found.setdefault(own, record)
        return found

    @cached_property
    def chains(self) -> Mapping[str, Sequence[Compared]]:
        """Register events by right key, in the order in which they took effect; those without a day are left out."""
        found: dict[str, list[Compared]] = defaultdict(list)
        for event in self.of("ownership_event"):
            if day_of(event.fields) and event.fields.get("event_status") not in WITHOUT_EFFECT:
                for key in event.fields.get("right_keys", ()):
                    found[key].append(event)
        return {key: sorted(events, key=lambda event: day_of(event.fields)) for key, events in found.items()}


def day_of(event: Fields) -> str:
    """Give the day on which an entry took effect between its parties; empty where none is said."""
    return str(event.get("effective_date") or event.get("executed_date") or event.get("recorded_date") or "")


def names_of(parties: Sequence[Mapping[str, Any]] | None) -> frozenset[str]:
    """Give what parties are told by: each name, in one writing, and each strong number."""
    found: set[str] = set()
    for party in parties or ():
        found.update(party.get("identifiers", ()))
        found.update(one_writing(party[name]) for name in ("name", "name_latin") if party.get(name))
    return frozenset(found)


def one_writing(text: str) -> str:
    """Write a name so that case, width of brackets, dots and commas make no difference; nothing else is alike."""
    plain = text.translate({ord("（"): "(", ord("）"): ")", ord("，"): ",", ord("．"): "."}).casefold()  # noqa: RUF001
    return " ".join("".join(sign for sign in plain if sign not in ".,").split())


def said(parties: Sequence[Mapping[str, Any]] | None) -> str:
    """Name parties in a sentence."""
    return " and ".join(str(party.get("name") or party.get("party_id")) for party in parties or ()) or "nobody"


def texts(value: Any) -> Iterator[str]:
    """Give the texts of a list of `{lang, text}`."""
    yield from (str(item["text"]) for item in value or () if item.get("text"))
