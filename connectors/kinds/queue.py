"""Kind `queue`: records that a holder's system sends to a message queue, one by one as they change.

A queue holds each message once: what was read is kept by the gateway before it is acknowledged, and records are
fetched from there. So each process sees the same records, whichever of them read the message.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.breaker import BreakerState
from connectors.deadline import Deadline
from connectors.formats.document import Limits
from connectors.kinds.queue_broker import Broker, BrokerLimits
from connectors.kinds.queue_messages import Delivered, Deliveries, Kept, filed, read_message
from connectors.kinds.refreshing import Refreshing
from connectors.mapping import RecordMapping
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
    Watermark,
)
from connectors.references import Resolver
from connectors.row_filter import RowFilter
from connectors.source_file import parse_duration

BATCH_RECORDS = 200
PEEKED_MESSAGES = 1000
"""Most that a dry run looks at; they stay in the queue."""


class QueueConnector:
    def __init__(
        self,
        mapping: RecordMapping,
        reach: Mapping[str, Any],
        broker: Broker,
        deliveries: Deliveries | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._mapping = mapping
        self._source = mapping.source.name
        self._broker = broker
        self._is_peeking = deliveries is None
        self._deliveries = Peeked() if deliveries is None else deliveries
        self._is_complete: bool = reach["complete"]
        self._media_type = f"application/{mapping.source.read.format}"
        self._clock = clock
        self._waiting = 0
        self._refreshing = Refreshing(
            self._source, self._read, parse_duration(reach.get("refresh", "PT10S")).total_seconds()
        )

    def capabilities(self) -> Capabilities:
        return Capabilities(
            frozenset({"fetch", "changes"}),
            {},
            deletions=self._mapping.source.read.deleted is not None,
            signs=None,
            rows_max=BATCH_RECORDS,
        )

    def fetch(self, key: RecordKey, deadline: Deadline) -> Found | Absent | Failed:
        """Give the present state, after the queue was read. What still waits in it could be the record asked for."""
        failed = self._refreshing.wait(deadline)
        if failed is not None:
            return failed
        kept = self._deliveries.find(self._source, key)
        if kept is not None and kept.delivered.findings:
            return self._found(kept)
        if self._waiting:
            return Failed(FailReason.NOT_READY)
        if kept is None:
            return Absent() if self._is_complete else Failed(FailReason.NOT_READY)
        return Absent() if kept.delivered.is_deleted else self._found(kept)

    def search(self, wanted: RowFilter, mark: PageMark | None, deadline: Deadline) -> Page | Failed:
        del wanted, mark, deadline  # what is kept is encrypted
        return Failed(FailReason.UNSUPPORTED)

    def changes(self, since: Watermark | None, deadline: Deadline) -> Changes | Failed:
        if since is not None and not since.isdecimal():
            return Failed(FailReason.MISCONFIGURED)
        failed = self._refreshing.wait(deadline)
        if failed is not None:
            return failed
        start = int(since or "0")
        self._deliveries.settled(self._source, start)
        kept = self._deliveries.after(self._source, start, BATCH_RECORDS + 1)
        taken = kept[:BATCH_RECORDS]
        following = taken[-1].number if taken else start
        deleted = [one.delivered.key for one in taken if _is_deletion(one.delivered)]
        return Changes(
            tuple(self._found(one) for one in taken if not _is_deletion(one.delivered)),
            tuple(RecordKey(key) for key in deleted if key is not None),
            Watermark(str(following)),
            complete=len(kept) <= BATCH_RECORDS,
        )

    def health(self) -> Health:
        newest = self._deliveries.newest(self._source)
        lag = self._clock() - newest if newest else None
        note = f"{self._waiting} messages wait" if self._waiting else "read to its end"
        return Health("ok" if newest else "unknown", None, lag, BreakerState.CLOSED, note=note)

    def close(self) -> None:
        self._refreshing.close()

    def _read(self) -> None:
        self._waiting = self._broker.read(self._take, acknowledge=not self._is_peeking)

    def _take(self, messages: Sequence[bytes]) -> None:
        self._deliveries.file(self._source, [one for raw in messages for one in read_message(self._mapping, raw)])

    def _found(self, kept: Kept) -> Found:
        one = kept.delivered
        return Found(
            raw=one.raw,
            media_type=self._media_type,
            source_ref=f"{self._source}#{kept.number}",
            revised=one.revised,
            signature=None,
            fetched_at=self._clock(),
            key=None if one.key is None else RecordKey(one.key),
            position=one.position,
            findings=one.findings,
        )


class Peeked:
    """Deliveries of a dry run: in memory, for nothing is taken from the queue."""

    def __init__(self) -> None:
        self._numbered: list[Kept] = []
        self._last = 0

    def file(self, source: str, delivered: Sequence[Delivered]) -> None:
        del source
        for new in delivered:
            known = next((kept for kept in self._numbered if new.key and kept.delivered.key == new.key), None)
            made = filed(known.delivered if known else None, new)
            if made is None or (made.key is None and any(k.delivered.content == made.content for k in self._numbered)):
                continue
            if known is not None and made.key is not None:
                self._numbered.remove(known)
            self._last += 1
            self._numbered.append(Kept(self._last, made))

    def find(self, source: str, key: str) -> Kept | None:
        del source
        return next((kept for kept in self._numbered if kept.delivered.key == key), None)

    def after(self, source: str, number: int, limit: int) -> Sequence[Kept]:
        del source
        return [kept for kept in self._numbered if kept.number > number][:limit]

    def settled(self, source: str, number: int) -> None:
        pass

    def newest(self, source: str) -> datetime | None:
        del source
        return max((kept.delivered.revised for kept in self._numbered if kept.delivered.revised), default=None)


def open_connector(
    mapping_of: Callable[[Limits], RecordMapping],
    reach: Mapping[str, Any],
    resolver: Resolver,
    clock: Callable[[], datetime],
    deliveries: Deliveries | None,
) -> tuple[QueueConnector, RecordMapping]:
    """Open a queue. Nothing is read yet.

    Args:
        mapping_of: compiles the mapping within limits of size.
        reach: that part of the source file.
        resolver: of references.
        clock: gives the present instant.
        deliveries: keeps what was read; None: messages are looked at and stay where they are.

    Raises:
        SourceFileError: a reference without value, a certificate that cannot be read.
    """
    limits = dict(reach.get("limits", {}))
    messages = min(limits.pop("messages", 10_000), PEEKED_MESSAGES if deliveries is None else 10_000)
    mapping = mapping_of(Limits(**{"records": 100, **limits}))
    broker = Broker(reach, resolver, BrokerLimits(messages=messages))
    return QueueConnector(mapping, reach, broker, deliveries, clock), mapping


def _is_deletion(one: Delivered) -> bool:
    return one.is_deleted and one.key is not None and not one.findings
