"""What counts as odd: six simple methods over what was asked on one day and in the four weeks before it.

Each is a rule with numbers that stand here and in docs/auditors.md; none of them learns, guesses or accuses.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from statistics import median
from typing import Final

VOLUME, HOURS, PAIR, PROBING, PURPOSE, BULK = "volume", "hours", "new_pair", "probing", "purpose", "bulk"
KINDS: Final = (VOLUME, HOURS, PAIR, PROBING, PURPOSE, BULK)

DAYS: Final = 28
"""How far back what is usual is looked for."""
KNOWN_DAYS: Final = 7
"""Days with exchanges that are needed to say what is usual."""
VOLUME_TIMES: Final = 3
VOLUME_LEAST: Final = 30
HOURS_KNOWN: Final = 200
"""Requests of a system in the days before, from which its hours are known."""
HOURS_LEAST: Final = 5
PROBING_LEAST: Final = 10
PROBING_SHARE: Final = 0.5
BULK_LEAST: Final = 60
BULK_TIMES: Final = 3
SILENT: Final = ("no_information", "sealed")
"""Reasons of refusals that tell of a record that is not there, or is sealed."""

FITTING: Final[Mapping[str, frozenset[str]]] = {
    "ip_office": frozenset({"examination", "notify_owner", "public_information", "statistics"}),
    "customs": frozenset({"border_enforcement", "notify_owner", "statistics"}),
    "court": frozenset({"court_proceeding", "punitive_damages", "statistics"}),
    "regulator": frozenset({"market_surveillance", "punitive_damages", "notify_owner", "statistics"}),
    "arbitration": frozenset({"arbitration", "statistics"}),
    "copyright_office": frozenset({"examination", "notify_owner", "public_information", "statistics"}),
    "association": frozenset({"public_information", "statistics"}),
    "foreign_office": frozenset({"examination", "public_information", "statistics"}),
    "public": frozenset({"public_information", "statistics"}),
}
"""Purposes that fit each kind of agency."""

REASONS: Final[Mapping[str, str]] = {
    VOLUME: "%(count)s requests on this day; usual for this agency are %(usual)s a day.",
    HOURS: "%(count)s requests at hours when this system asked nothing in the %(days)s days before.",
    PAIR: "The first requests of this agency to this holder: %(count)s on this day.",
    PROBING: "%(silent)s of %(count)s requests were for records that are not there or are sealed.",
    PURPOSE: "%(count)s requests for a purpose that does not fit this kind of agency.",
    BULK: "One person asked for %(count)s different records on this day; "
    "usual for a person of this agency are %(usual)s.",
}
"""Each kind's reason in words."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What one system asked of one holder for one purpose within one hour (UTC)."""

    day: date
    hour: int
    requester: str
    holder: str
    client: str
    purpose: str
    count: int
    silent: int
    """Of them, refused for one of `SILENT`."""


@dataclass(frozen=True, slots=True)
class PersonDay:
    """How many different records one person asked for on one day."""

    day: date
    requester: str
    person: str
    records: int


@dataclass(frozen=True, slots=True)
class Odd:
    """One thing to be looked at; `numbers` fill in the reason of its kind."""

    kind: str
    requester: str
    holder: str
    subject: str
    numbers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """A day with the four weeks before it, as far as an exchange came in."""

    day: date
    slots: Iterable[Slot]
    persons: Iterable[PersonDay] = ()
    agency_kinds: Mapping[str, str] = field(default_factory=dict)
    known_pairs: frozenset[tuple[str, str]] = frozenset()
    """Requester and holder that had exchanged anything before this day, however long ago."""
    is_settled: bool = True
    """The gateway has run for four weeks: before that, every pair is new."""


def odd_things(seen: Seen) -> list[Odd]:
    """Find what is odd about a day."""
    slots = list(seen.slots)
    today = [slot for slot in slots if slot.day == seen.day]
    before = [slot for slot in slots if seen.day - timedelta(days=DAYS) <= slot.day < seen.day]
    return [
        *_volume(today, before),
        *_hours(today, before),
        *(_pairs(today, seen.known_pairs) if seen.is_settled else ()),
        *_probing(today),
        *_purposes(today, seen.agency_kinds),
        *_bulk(seen.day, seen.persons),
    ]


def _volume(today: list[Slot], before: list[Slot]) -> Iterator[Odd]:
    """An agency that asks at least 30 times, and more than three times its median day."""
    counts, days = Counter[str](), defaultdict[str, Counter[date]](Counter)
    for slot in today:
        counts[slot.requester] += slot.count
    for slot in before:
        days[slot.requester][slot.day] += slot.count
    for requester, count in sorted(counts.items()):
        known = days[requester].values()
        if len(known) >= KNOWN_DAYS and count >= VOLUME_LEAST and count > VOLUME_TIMES * median(known):
            yield Odd(VOLUME, requester, "", "", {"count": count, "usual": round(median(known))})


def _hours(today: list[Slot], before: list[Slot]) -> Iterator[Odd]:
    """A system whose hours are known, with five requests in hours when it, and an hour around, asked nothing."""
    known, now = defaultdict[str, Counter[int]](Counter), defaultdict[tuple[str, str], Counter[int]](Counter)
    for slot in before:
        known[slot.client][slot.hour] += slot.count
    for slot in today:
        now[slot.requester, slot.client][slot.hour] += slot.count
    for (requester, client), hours in sorted(now.items()):
        usual = known[client]
        if usual.total() < HOURS_KNOWN:
            continue
        count = sum(asked for hour, asked in hours.items() if not any(usual[(hour + off) % 24] for off in (-1, 0, 1)))
        if count >= HOURS_LEAST:
            yield Odd(HOURS, requester, "", client, {"count": count, "days": DAYS})


def _pairs(today: list[Slot], known: frozenset[tuple[str, str]]) -> Iterator[Odd]:
    """An agency that asks a holder for the first time."""
    counts = Counter[tuple[str, str]]()
    for slot in today:
        counts[slot.requester, slot.holder] += slot.count
    for (requester, holder), count in sorted(counts.items()):
        if (requester, holder) not in known:
            yield Odd(PAIR, requester, holder, "", {"count": count})


def _probing(today: list[Slot]) -> Iterator[Odd]:
    """A system that gets at least ten answers of "nothing there" from a holder, and they are at least half of all."""
    counts, silent = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    for slot in today:
        key = (slot.requester, slot.holder, slot.client)
        counts[key] += slot.count
        silent[key] += slot.silent
    for (requester, holder, client), count in sorted(silent.items()):
        whole = counts[requester, holder, client]
        if count >= PROBING_LEAST and count >= PROBING_SHARE * whole:
            yield Odd(PROBING, requester, holder, client, {"silent": count, "count": whole})


def _purposes(today: list[Slot], agency_kinds: Mapping[str, str]) -> Iterator[Odd]:
    """An agency that asks for a purpose which is not among those of its kind."""
    counts = Counter[tuple[str, str]]()
    for slot in today:
        fitting = FITTING.get(agency_kinds.get(slot.requester, ""))
        if fitting is not None and slot.purpose not in fitting:
            counts[slot.requester, slot.purpose] += slot.count
    for (requester, purpose), count in sorted(counts.items()):
        yield Odd(PURPOSE, requester, "", purpose, {"count": count})


def _bulk(day: date, persons: Iterable[PersonDay]) -> Iterator[Odd]:
    """A person who asks for at least 60 records, and more than three times the median of the agency's persons."""
    usual, now = defaultdict[str, list[int]](list), list[PersonDay]()
    for one in persons:
        if one.day == day:
            now.append(one)
        elif day - timedelta(days=DAYS) <= one.day < day:
            usual[one.requester].append(one.records)
    for one in sorted(now, key=lambda one: (one.requester, one.person)):
        known = round(median(usual[one.requester])) if usual[one.requester] else 0
        if one.records >= BULK_LEAST and one.records > BULK_TIMES * known:
            yield Odd(BULK, one.requester, "", one.person, {"count": one.records, "usual": known})
