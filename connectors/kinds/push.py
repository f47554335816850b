"""Kind `push`: a holder hands its signed records over itself; they are kept here and fetched like any others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from connectors.breaker import BreakerState
from connectors.deadline import Deadline
from connectors.protocol import (
    Absent,
    Capabilities,
    Changes,
    Failed,
    FailReason,
    Found,
    Health,
    Page,
    PageMark,
    RecordKey,
    Signature,
    Watermark,
)
from connectors.row_filter import RowFilter
from connectors.signed_mapping import MEDIA_TYPE

BATCH_RECORDS = 200


@dataclass(frozen=True, slots=True)
class Pushed:
    """One record as its holder signed it. `number` counts what a source was given, each version anew."""

    key: str
    number: int
    token: str = field(repr=False)
    revised: datetime


class Inbox(Protocol):
    """Where pushed records are kept; the gateway hands it in."""

    def find(self, source: str, key: str) -> Pushed | None: ...

    def after(self, source: str, number: int, limit: int) -> Sequence[Pushed]:
        """The newest version of each record that came after a number, in order."""
        ...

    def newest(self, source: str) -> datetime | None: ...


class PushConnector:
    def __init__(self, source: str, inbox: Inbox, clock: Callable[[], datetime]) -> None:
        self._source = source
        self._inbox = inbox
        self._clock = clock

    def capabilities(self) -> Capabilities:
        return Capabilities(
            frozenset({"fetch", "changes"}), {}, deletions=False, signs="sd-jwt", rows_max=BATCH_RECORDS
        )

    def fetch(self, key: RecordKey, deadline: Deadline) -> Found | Absent | Failed:
        del deadline  # it is our own database that is asked
        pushed = self._inbox.find(self._source, key)
        return Absent() if pushed is None else self._found(pushed)

    def search(self, wanted: RowFilter, mark: PageMark | None, deadline: Deadline) -> Page | Failed:
        del wanted, mark, deadline  # what is kept is encrypted
        return Failed(FailReason.UNSUPPORTED)

    def changes(self, since: Watermark | None, deadline: Deadline) -> Changes | Failed:
        del deadline
        if since is not None and not since.isdecimal():
            return Failed(FailReason.MISCONFIGURED)
        start = int(since or "0")
        pushed = self._inbox.after(self._source, start, BATCH_RECORDS + 1)
        taken = pushed[:BATCH_RECORDS]
        following = taken[-1].number if taken else start
        found = tuple(self._found(one) for one in taken)
        return Changes(found, (), Watermark(str(following)), complete=len(pushed) <= BATCH_RECORDS)

    def health(self) -> Health:
        newest = self._inbox.newest(self._source)
        lag: timedelta | None = self._clock() - newest if newest else None
        return Health("ok" if newest else "unknown", None, lag, BreakerState.CLOSED, note="pushed by its holder")

    def close(self) -> None:
        pass

    def _found(self, pushed: Pushed) -> Found:
        raw = pushed.token.encode("ascii")
        return Found(
            raw=raw,
            media_type=MEDIA_TYPE,
            source_ref=f"{self._source}#{pushed.number}",
            revised=pushed.revised,
            signature=Signature("sd-jwt", raw),
            fetched_at=self._clock(),
            key=RecordKey(pushed.key),
        )
