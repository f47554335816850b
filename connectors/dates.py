"""Civil dates and instants out of a source's texts. Strict: a date must write back to the very text it was read from.

`2026022` would else be read by `%Y%m%d` as 2 February. A civil date with an offset (`2018-04-17-04:00`) is that civil
date: the offset is cut, not applied, for applying it would move filing dates by a day.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.formats.document import WHITE_SPACE
from connectors.quarantine import Reason, UnfitValueError

_OFFSET = re.compile(r"(?:Z|[+-]\d{2}:\d{2})$")
_DIRECTIVES = re.compile(r"%(.)")
_WORD = re.compile(r"[^\W\d_]+")
_LONE_DIGIT = re.compile(r"(?<!\d)\d(?!\d)")
_ALLOWED = frozenset("YmdHMSfj%")
"""Directives that do not depend on the language the process runs in."""

_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)(Z|[+-]\d{2}:?\d{2})?", re.ASCII)


_MONTHS = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
}
"""Months as each language writes them in a date: the process's own language is never asked."""


def date_step(argument: Any) -> Callable[[Any], str]:
    """Make a `date` transform from its list of formats, or from `{formats, months: language}` for names of months.

    Raises:
        ValueError: no formats, one that is not a civil date's, or names of months in a language that is not known.
    """
    match argument:
        case [_, *_]:
            formats, months = argument, None
        case {"formats": [_, *_] as formats, "months": str(language), **rest} if not rest and language in _MONTHS:
            months = {name: f"{number:02}" for number, name in enumerate(_MONTHS[language].split(), start=1)}
        case _:
            raise ValueError(f"needs a list of formats, or {{formats, months: one of {', '.join(_MONTHS)}}}")
    for pattern in formats:
        _require_format(pattern, _ALLOWED | {"B"} if months else _ALLOWED)

    def step(value: Any) -> str:
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise UnfitValueError(Reason.BAD_DATE)
        text = str(value).strip(WHITE_SPACE)
        found = read_date(text, formats) if months is None else _read_named(text, formats, months)
        if found is None and _OFFSET.search(text):
            found = read_date(_OFFSET.sub("", text), formats)
        if found is None:
            raise UnfitValueError(Reason.BAD_DATE)
        return found.isoformat()

    return step


def read_date(text: str, formats: Sequence[str]) -> date | None:
    """Read a civil date by the formats that write it back unchanged; None if none does, or two do and disagree."""
    found = set()
    for pattern in formats:
        try:
            instant = datetime.strptime(text, pattern)  # noqa: DTZ007  (a civil date has no zone)
        except ValueError:
            continue
        if instant.strftime(pattern) == text:
            found.add(instant.date())
    return found.pop() if len(found) == 1 else None


def _read_named(text: str, formats: Sequence[str], months: Mapping[str, str]) -> date | None:
    """Read `4. Dezember 2008`: the month by its name, the day with or without a zero in front."""
    numbered = _WORD.sub(lambda word: months.get(word[0], word[0]), text)
    padded = _LONE_DIGIT.sub(lambda digit: f"0{digit[0]}", numbered)
    return read_date(padded, [pattern.replace("%B", "%m") for pattern in formats])


def datetime_step(argument: Any) -> Callable[[Any], str]:
    """Make a `datetime` transform: texts without an offset are read in the zone given.

    Raises:
        ValueError: no zone of the time zone database.
    """
    zone = zone_of(argument)

    def step(value: Any) -> str:
        if not isinstance(value, str):
            raise UnfitValueError(Reason.BAD_DATE)
        instant = read_instant(value.strip(WHITE_SPACE), zone)
        if instant is None:
            raise UnfitValueError(Reason.BAD_DATE)
        return write_instant(instant)

    return step


def zone_of(name: Any) -> ZoneInfo:
    """Look up a time zone.

    Raises:
        ValueError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (TypeError, ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise ValueError(f"{name!r} is no time zone") from error


def read_instant(text: str, zone: ZoneInfo) -> datetime | None:
    """Read `2020-08-12T09:10:19`, with or without fraction and offset; None if it is not an instant of that zone.

    An hour that daylight saving skips is no instant; of an hour it repeats, the first is meant.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    day, time_of_day, offset = match.groups()
    try:
        instant = datetime.fromisoformat(f"{day}T{time_of_day}{offset or ''}")
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
        universal = instant.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return universal if universal.astimezone(zone).replace(tzinfo=None) == instant else None


def write_instant(instant: datetime) -> str:
    """Write an instant as records carry it: UTC with `Z`, a fraction only where there is one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _require_format(pattern: Any, allowed: frozenset[str]) -> None:
    if not isinstance(pattern, str):
        raise ValueError("a format must be a text")  # noqa: TRY004  (a fault of the source file)
    named = set(_DIRECTIVES.findall(pattern))
    if not named <= allowed:
        raise ValueError(f"format {pattern!r} depends on a language or a zone")
    if not ({"Y", "m", "d"} <= named or {"Y", "B", "d"} <= named or {"Y", "j"} <= named):
        raise ValueError(f"format {pattern!r} does not give day, month and year")
