"""What every kind of source offers, and the values that pass between a source and the gateway."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Literal, NewType, Protocol

from connectors.breaker import BreakerState
from connectors.deadline import Deadline
from connectors.quarantine import Reason
from connectors.row_filter import Op, RowFilter
from ipx.values import value

RecordKey = NewType("RecordKey", str)
"""The canonical text of a record's key field (`018222197`), as the source's mapping makes it."""

PageMark = NewType("PageMark", str)
Watermark = NewType("Watermark", str)
"""How far changes have been read. Opaque, made by one source for itself; stored only after the records are."""

Operation = Literal["fetch", "search", "changes"]


class FailReason(StrEnum):
    """Why a call brought nothing. Closed: stored with exchanges and shown to callers; never a holder's own words."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BREAKER_OPEN = "breaker_open"
    NOT_READY = "not_ready"
    """The record, or a file that could hold it, is being delivered at this moment."""
    RECORD_UNREADABLE = "record_unreadable"
    """The source holds something unreadable that could be the record asked for."""
    TOO_MANY_ROWS = "too_many_rows"
    REFUSED_ACCOUNT = "refused_account"
    """The account of the source file can write; nothing is read with it."""
    MISCONFIGURED = "misconfigured"
    """The source answers, but lacks what its source file names (a table, a column)."""
    UNSUPPORTED = "unsupported"
    THROTTLED = "throttled"
    """The source asks for less; `retry_after` says when to ask again."""
    BAD_ANSWER = "bad_answer"
    """The source answered something that its source file does not call a success."""


SOURCE_DOWN = frozenset({FailReason.TIMEOUT, FailReason.UNREACHABLE})
"""Failures that speak of the source's health; only these open its breaker."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The holder's own signature over `Found.raw`."""

    form: Literal["jws", "sd-jwt", "xmldsig"]
    value: bytes = field(repr=False)


@value
class Found:
    """A record as its source carries it.

    `raw` is what a signature is checked over and what hashes are made of: the bytes of the file; of a CSV file the
    header line and the record's own lines; for a database, which has no bytes of its own, our canonical JSON of the row
    with its child rows. A file may hold several records: `position` says which of them, counted from 0.
    """

    raw: bytes = field(repr=False)
    media_type: str
    source_ref: str
    revised: datetime | None
    signature: Signature | None
    fetched_at: datetime
    key: RecordKey | None = None
    """Under which key the source gave it; None where its key cannot be read. `apply` holds the record against it."""
    position: int = 0
    findings: tuple[Reason, ...] = ()
    """What only the source can see (a second record under the same key, an older revision); `apply` quarantines."""
    sha256: bytes = field(init=False, compare=False, repr=False)
    """Of `raw`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha256", sha256(self.raw).digest())


@dataclass(frozen=True, slots=True)
class Absent:
    """The source says that it has no such record. It could be asked, and answered."""


@dataclass(frozen=True, slots=True)
class Failed:
    """No record and no statement about it. Details are in the operator's log, never here."""

    reason: FailReason
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows that pass what the source could evaluate; `left_to_filter` must still be applied to each."""

    found: tuple[Found, ...]
    next: PageMark | None
    complete: bool
    left_to_filter: RowFilter


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new or altered since a watermark, at least once. Not `complete`: call again with `next` at once."""

    found: tuple[Found, ...]
    deleted: tuple[RecordKey, ...]
    next: Watermark
    complete: bool


@dataclass(frozen=True, slots=True)
class Capabilities:
    operations: frozenset[Operation]
    pushdown: Mapping[str, frozenset[Op]]
    """By field, which comparisons the source itself evaluates."""
    deletions: bool
    """Whether the source tells what it deleted. If not, catalogue and subscriptions say so aloud."""
    signs: Literal["jws", "sd-jwt", "xmldsig"] | None
    rows_max: int


@dataclass(frozen=True, slots=True)
class Health:
    state: Literal["ok", "degraded", "down", "unknown"]
    last_success: datetime | None
    lag: timedelta | None
    """How far behind the present the newest record is that was seen; None where the source tells no time."""
    breaker: BreakerState
    quota_left: int | None = None
    note: str = ""
    """A few words for operators: how many files, which table. No record data."""


class Connector(Protocol):
    """A way to one source. Built from a source file; holds a pool and nothing else. Safe to call from many threads."""

    def capabilities(self) -> Capabilities: ...

    def fetch(self, key: RecordKey, deadline: Deadline) -> Found | Absent | Failed: ...

    def search(self, wanted: RowFilter, mark: PageMark | None, deadline: Deadline) -> Page | Failed: ...

    def changes(self, since: Watermark | None, deadline: Deadline) -> Changes | Failed: ...

    def health(self) -> Health:
        """Cheap, without record data."""
        ...

    def close(self) -> None: ...
