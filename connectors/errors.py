"""What breaks the work of this room. What a caller expects (an absent record, a dead database) is a value instead."""

from collections.abc import Sequence
from dataclasses import dataclass


class ConnectorError(Exception):
    """Root of all errors of this room."""


@dataclass(frozen=True, slots=True)
class SourceFault:
    """One thing wrong in a source file: where (JSON Pointer, RFC 6901; empty for the whole) and what. No secrets."""

    pointer: str
    detail: str


class SourceFileError(ConnectorError):
    """A source file or pack that says what it may not, or refers to something that is not there; all faults at once."""

    def __init__(self, faults: Sequence[SourceFault]) -> None:
        super().__init__("; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in faults))
        self.faults = tuple(faults)


class SourceRefusedError(ConnectorError):
    """The source can be reached and must not be used as it is: its account can write, a table or column is missing."""
