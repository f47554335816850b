"""The catalogue: every record type with its field groups, read once from the declarations in `types/`."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from gateway.records.declarations import Classification, DeclarationError, Group, RecordType, read_record_types
from gateway.records.own_types import VARIABLE, own_folder
from policies.cards import add_labels

__all__ = ["CATALOGUE", "Catalogue", "Classification", "Group", "RecordType"]


@dataclass(frozen=True, slots=True)
class Catalogue:
    types: Mapping[str, RecordType]

    @classmethod
    def read(cls, folder: Traversable, own: Traversable | None = None) -> "Catalogue":
        """Read all declarations of a folder, and an operator's own.

        Raises:
            DeclarationError: one of them is at fault.
        """
        return cls(read_record_types(folder, own))

    def group(self, name: str) -> Group | None:
        """A group by its full name; those of the envelope stand in every type."""
        return next((known.groups[name] for known in self.types.values() if name in known.groups), None)


def _read_at_start() -> Catalogue:
    own = own_folder()
    try:
        return Catalogue.read(resources.files("gateway.records").joinpath("types"), own)
    except (DeclarationError, OSError, ValueError) as error:
        if own is None:
            raise
        # Nothing works without a catalogue, and who set the folder should not have to read a traceback.
        sys.exit(f"{VARIABLE} ({own}): {error}")


CATALOGUE = _read_at_start()
for _known in CATALOGUE.types.values():
    for _language, _words in _known.labels.items():
        add_labels(_language, _words)
