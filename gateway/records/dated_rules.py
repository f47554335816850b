"""Cross-field rules that depend on the day or on what the operator has configured."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gateway.records.identifiers.hs import Editions
from gateway.records.reasons import Finding

_YEAR_IN_BRACKETS = re.compile(r"[(（〔\[](\d{4})[)）〕\]]")  # noqa: RUF001  (Chinese case numbers are written so)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The day a record is judged on, and the editions of the Harmonized System at hand."""

    today: date
    editions: Editions


def not_past(fields: Mapping[str, Any], at: Circumstances, *, field: str) -> Iterator[Finding]:
    if field in fields and fields[field][:10] < at.today.isoformat():
        yield Finding(field, "contradictory", "has passed")


def not_past_while(
    fields: Mapping[str, Any], at: Circumstances, *, field: str, code: str, words: Sequence[str]
) -> Iterator[Finding]:
    """A right whose term has passed is not in force, whatever the register's status says."""
    if fields.get(code) in words:
        yield from not_past(fields, at, field=field)


def not_older_while(
    fields: Mapping[str, Any], at: Circumstances, *, field: str, months: int, code: str, words: Sequence[str]
) -> Iterator[Finding]:
    """A state that lasts for a limited time has not begun too long ago."""
    if fields.get(code) in words and field in fields:
        begun = date.fromisoformat(fields[field])
        if (at.today.year - begun.year) * 12 + at.today.month - begun.month - (at.today.day < begun.day) > months:
            yield Finding(field, "contradictory", f"more than {months} months ago")


def year_not_ahead(fields: Mapping[str, Any], at: Circumstances, *, field: str) -> Iterator[Finding]:
    match = _YEAR_IN_BRACKETS.search(fields.get(field, ""))
    if match and int(match[1]) > at.today.year:
        yield Finding(field, "future_date", "a number of a year to come")


def hs_edition(
    fields: Mapping[str, Any], at: Circumstances, *, field: str, member: str, on: Sequence[str]
) -> Iterator[Finding]:
    """A tariff code stands in the edition in force on the first of these days that is there."""
    day = next((date.fromisoformat(fields[name]) for name in on if name in fields), None)
    codes = [entry[member] for entry in fields.get(field, ()) if member in entry]
    if day and any(at.editions.knows(code, day) is False for code in codes):
        yield Finding(field, "bad_hs_edition", "a tariff code of another edition")


DATED_RULES: Mapping[str, Callable[..., Iterator[Finding]]] = {
    rule.__name__: rule for rule in (not_past, not_past_while, not_older_while, year_not_ahead, hs_edition)
}
