"""Values that every question makes anew: frozen for the type checker, which is who finds an assignment.

A dataclass that is frozen at run time too sets each field through a wrapper, at ten times the price of an assignment.
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

Made = TypeVar("Made")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(made: type[Made]) -> type[Made]:
    """Make a dataclass with slots, whose fields nobody may assign; equal values are one key of a dict."""
    return dataclass(slots=True, unsafe_hash=True)(made)
