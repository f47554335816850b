"""What breaks the work. What a caller expects (a refusal, a failed holder) is a value instead.

Every concrete class has a row in the one table of `gateway/web/problem.py`; a test compares the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class GatewayError(Exception):
    """Root of all errors raised by this server on purpose."""


class SettingsError(GatewayError):
    """The environment lacks something; the server does not start. Names every missing setting at once."""


class UnknownError(GatewayError):
    """A registered thing (agency, client, key, source) was named that does not exist."""


class AlreadyExistsError(GatewayError):
    """A registered thing with this name exists."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One failing member of an input: where (JSON Pointer, RFC 6901), which rule, and what to do about it."""

    pointer: str
    code: str
    detail: str


class InvalidInputError(GatewayError):
    """Input that cannot be taken, with all failing members at once."""

    def __init__(self, faults: Sequence[Fault], *, slug: str = "invalid-field") -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults))
        self.faults = tuple(faults)
        self.slug = slug


class ChangedSinceSeenError(GatewayError):
    """A registered thing was changed by somebody else after the person who changes it now had looked at it."""


class StoreUnavailableError(GatewayError):
    """The database cannot be read or written; nothing was released."""
