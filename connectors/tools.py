"""What a mapping needs of the record catalogue, handed in so that this room does not import the gateway."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Complaint = tuple[str, str, str]
"""Field, reason (a word of `quarantine.Reason`), detail for operators without values of the record."""


@dataclass(frozen=True, slots=True)
class MappingTools:
    """Functions of the catalogue.

    `number(kind, text)` gives an identifier in its canonical form (`records.md`, section 5).
    `code(table, text)` translates a source's code by a versioned table.
    Both raise ValueError for a text they refuse; its attribute `reason`, if it has one, is a word of
    `quarantine.Reason`. Both raise LookupError for a kind or table that does not exist.
    `validate(record_type, fields)` judges a mapped record as a whole and gives everything that is wrong with it.
    `oddities(record_type, fields)` gives what is odd about one that passes: for operators, never a reason to refuse.
    """

    number: Callable[[str, str], str]
    code: Callable[[str, str], str]
    validate: Callable[[str, Mapping[str, Any]], Sequence[Complaint]]
    oddities: Callable[[str, Mapping[str, Any]], Sequence[Complaint]] = lambda _type, _fields: ()
