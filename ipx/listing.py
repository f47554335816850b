"""What a gateway lists of the exchanges that an agency took part in: one line each, its receipt included."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ipx.errors import FormatError
from ipx.jws import Json, text

Side = Literal["requester", "holder"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a receipt is logged, and what opens the log's commitment to it."""

    index: int
    entry: str
    salt: str
    """base64url of 32 bytes."""


@dataclass(frozen=True, slots=True)
class Listed:
    exchange: str
    client: str
    requester: str
    holder: str
    record_type: str
    outcome: str
    received_at: str
    receipt: str
    place: Place | None
    """None once the exchange was erased: nothing ties its receipt to the log any more."""
    answer: str
    """`kept`, `expired` (only its fields are gone, it can still be proved) or `erased`."""


def read_listed(value: Json) -> Listed:
    """Read one line.

    Raises:
        FormatError: a member is missing or of another type.
    """
    if not isinstance(value, dict):
        raise FormatError("The list holds something else than exchanges.")
    return Listed(
        exchange=text(value, "id"),
        client=text(value, "client"),
        requester=text(value, "requester"),
        holder=text(value, "holder"),
        record_type=text(value, "record_type"),
        outcome=text(value, "outcome"),
        received_at=text(value, "received_at"),
        receipt=text(value, "receipt"),
        place=read_place(value.get("log")),
        answer=text(value, "answer"),
    )


def read_place(value: Json) -> Place | None:
    """Read where an exchange is logged, from a line or from an answer.

    Raises:
        FormatError: it is there but not whole.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise FormatError("An exchange does not say where it is logged.")
    index = value.get("index")
    if type(index) is not int or index < 0:
        raise FormatError("An exchange does not say at which place of the log it stands.")
    return Place(index, text(value, "entry"), text(value, "salt"))
