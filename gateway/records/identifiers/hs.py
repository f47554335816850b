"""Editions of the Harmonized System: which one is in force on a day, and whether it knows a code.

The lists themselves belong to the World Customs Organization and are not shipped: an operator puts them into a folder,
one file `hs-<year>.csv` an edition with a column `hscode`.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

EDITIONS = (1988, 1992, 1996, 2002, 2007, 2012, 2017, 2022, 2028)
"""Each enters into force on 1 January (International Convention on the Harmonized System, article 16)."""

INTERNATIONAL_DIGITS = 6


def edition_on(day: date) -> int | None:
    """The edition in force on a day; None before 1988."""
    return max((year for year in EDITIONS if year <= day.year), default=None)


@dataclass(frozen=True, slots=True)
class Editions:
    """The editions an operator has configured, by year."""

    codes: Mapping[int, frozenset[str]]

    @classmethod
    def read(cls, folder: Path) -> "Editions":
        return cls({year: _codes(path) for year in EDITIONS if (path := folder / f"hs-{year}.csv").is_file()})

    def knows(self, code: str, day: date) -> bool | None:
        """Whether the international part of a code stands in the edition in force; None if that list is not here."""
        codes = self.codes.get(edition_on(day) or 0)
        return None if codes is None else code[:INTERNATIONAL_DIGITS] in codes


def _codes(path: Path) -> frozenset[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return frozenset(row["hscode"] for row in csv.DictReader(file))
