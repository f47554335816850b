"""The catalogue: every record type with its field groups, read once from the declarations in `types/`."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from gateway.records.declarations import Classification, Group, RecordType, read_record_types

__all__ = ["CATALOGUE", "Catalogue", "Classification", "Group", "RecordType"]


@dataclass(frozen=True, slots=True)
class Catalogue:
    types: Mapping[str, RecordType]

    @classmethod
    def read(cls, folder: Traversable) -> "Catalogue":
        """Read all declarations of a folder.

        Raises:
            DeclarationError: one of them is at fault.
        """
        return cls(read_record_types(folder))

    def group(self, name: str) -> Group | None:
        """A group by its full name; those of the envelope stand in every type."""
        return next((known.groups[name] for known in self.types.values() if name in known.groups), None)


CATALOGUE = Catalogue.read(resources.files("gateway.records").joinpath("types"))
