"""What a receiver must do with what it gets: a closed vocabulary, written as annotations of permits.

Several permits make an answer heavier, never lighter.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Onward = Literal["none", "owner_only"]

DESCRIPTIVE = frozenset({"id", "title", "doc", "legal_basis", "reason"})
"""Annotations that oblige nobody."""

ADDRESSEES = frozenset({"holder", "owner", "auditor"})
RECALL_EVENTS = frozenset({"reversed", "corrected", "sealed"})

_COUNT = re.compile(r"[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class Obligations:
    """All obligations of one answer; the default is none.

    `retain_days`: the receiver deletes after so many days and confirms. `min_count`: fewer rows than this are
    answered with none. `watermark`: the exchange's id in whatever is rendered. `encrypt`: the answer is encrypted to
    the client's key. `onward`: no onward release, or to the right's owner only. `notify`: who hears of the release.
    `recall_on`: what at the holder sends a recall, which the receiver acknowledges.
    """

    retain_days: int | None = None
    min_count: int | None = None
    watermark: bool = False
    encrypt: bool = False
    onward: Onward | None = None
    notify: frozenset[str] = field(default_factory=frozenset)
    recall_on: frozenset[str] = field(default_factory=frozenset)

    def document(self) -> dict[str, object]:
        """The members that oblige to something, as JSON; lists are sorted."""
        written: dict[str, object] = {
            "retain_days": self.retain_days,
            "min_count": self.min_count,
            "watermark": self.watermark,
            "encrypt": self.encrypt,
            "onward": self.onward,
            "notify": sorted(self.notify),
            "recall_on": sorted(self.recall_on),
        }
        return {name: value for name, value in written.items() if value}


@dataclass(frozen=True, slots=True)
class UnknownObligation:
    """An annotation outside the vocabulary, or a value it cannot have: what cannot be read cannot be kept."""

    annotation: str


def read(annotations: Mapping[str, str | None]) -> Obligations | UnknownObligation:
    """Read a policy's annotations; the first that cannot be read is named.

    An annotation without value is None in Cedar's JSON form and an empty text in its syntax tree: both are the same.
    """
    found = Obligations()
    for name, written in annotations.items():
        if name in DESCRIPTIVE:
            continue
        one = _read_one(name, written or "")
        if one is None:
            return UnknownObligation(name)
        found = _heavier(found, one)
    return found


def merge(found: Iterable[Obligations]) -> Obligations:
    """Unite obligations, taking the strictest value of each; the order does not matter."""
    whole = Obligations()
    for one in set(found):
        whole = _heavier(whole, one)
    return whole


def _read_one(name: str, value: str) -> Obligations | None:  # noqa: PLR0911 -- one line a word of the vocabulary
    match name:
        case "retain_days" if _COUNT.fullmatch(value):
            return Obligations(retain_days=int(value))
        case "min_count" if _COUNT.fullmatch(value):
            return Obligations(min_count=int(value))
        case "watermark" if not value:
            return Obligations(watermark=True)
        case "encrypt" if not value:
            return Obligations(encrypt=True)
        case "onward":
            return next((Obligations(onward=known) for known in get_args(Onward) if known == value), None)
        case "notify" if (words := _words(value, ADDRESSEES)) is not None:
            return Obligations(notify=words)
        case "recall_on" if (words := _words(value, RECALL_EVENTS)) is not None:
            return Obligations(recall_on=words)
    return None


def _words(value: str, known: frozenset[str]) -> frozenset[str] | None:
    words = value.split()
    return frozenset(words) if words and known.issuperset(words) else None


def _heavier(one: Obligations, other: Obligations) -> Obligations:
    return Obligations(
        retain_days=_chosen(min, one.retain_days, other.retain_days),
        min_count=_chosen(max, one.min_count, other.min_count),
        watermark=one.watermark or other.watermark,
        encrypt=one.encrypt or other.encrypt,
        onward=_stricter(one.onward, other.onward),
        notify=one.notify | other.notify,
        recall_on=one.recall_on | other.recall_on,
    )


def _chosen(choose: Callable[[int, int], int], one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return choose(one, other)


def _stricter(one: Onward | None, other: Onward | None) -> Onward | None:
    return "none" if "none" in {one, other} else one or other
