"""What queues delivered: kept encrypted, the newest version of each record, before the broker forgets the message."""

import base64
import hmac
import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from connectors.kinds.queue_messages import Delivered, Kept, filed
from connectors.quarantine import Reason
from gateway.agencies.models import Source
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.intake.models import DeliveredRecord
from gateway.keywrap import KeyWrap
from ipx.jws import Json, dump_json


class DeliveredRecords:
    """The `Deliveries` out of which sources of kind `queue` are read, by every process alike."""

    def __init__(self, database: Database, wrap: KeyWrap, clock: Clock, *, digest_key: bytes) -> None:
        self._database = database
        self._wrap = wrap
        self._clock = clock
        self._digest_key = digest_key

    def file(self, source: str, delivered: Sequence[Delivered]) -> None:
        """Keep all, in one transaction.

        Raises:
            StoreUnavailableError: nothing was kept; the messages stay in their queue.
        """
        with self._database.write() as session:
            # Two processes that read one queue take turns: numbers become visible in their order.
            session.get(Source, source, with_for_update=True)
            last = session.scalar(select(func.max(DeliveredRecord.number)).where(DeliveredRecord.source == source)) or 0
            for one in delivered:
                last += self._put(session, source, one, last + 1)

    def find(self, source: str, key: str) -> Kept | None:
        with self._database.read() as session:
            row = session.get(DeliveredRecord, (source, self._place(source, "key", key.encode())))
        return None if row is None else self._opened(row)

    def after(self, source: str, number: int, limit: int) -> Sequence[Kept]:
        query = (
            select(DeliveredRecord)
            .where(DeliveredRecord.source == source, DeliveredRecord.number > number)
            .order_by(DeliveredRecord.number)
            .limit(limit)
        )
        with self._database.read() as session:
            return [self._opened(row) for row in session.scalars(query)]

    def settled(self, source: str, number: int) -> None:
        newest = select(func.max(DeliveredRecord.number)).where(DeliveredRecord.source == source)
        with self._database.write() as session:
            last = session.scalar(newest) or 0  # it stays, whatever it is: no number is given twice
            session.execute(
                delete(DeliveredRecord).where(
                    DeliveredRecord.source == source,
                    DeliveredRecord.has_key.is_(False),
                    DeliveredRecord.number <= min(number, last - 1),
                )
            )

    def newest(self, source: str) -> datetime | None:
        with self._database.read() as session:
            newest: datetime | None = session.scalar(
                select(func.max(DeliveredRecord.revised)).where(DeliveredRecord.source == source)
            )
            return newest

    def _put(self, session: Session, source: str, new: Delivered, number: int) -> int:
        """Keep one under a number; 0 where it is no change."""
        known = None
        if new.key is not None:
            known = session.get(DeliveredRecord, (source, self._place(source, "key", new.key.encode())))
        made = filed(None if known is None else self._opened(known).delivered, new)
        if made is None:
            return 0
        place = (
            self._place(source, "key", made.key.encode())
            if made.key is not None
            else self._place(source, "content", made.content)
        )
        if made.key is None and session.get(DeliveredRecord, (source, place)) is not None:
            return 0
        session.merge(
            DeliveredRecord(
                source=source,
                place=place,
                number=number,
                has_key=made.key is not None,
                revised=made.revised,
                received_at=self._clock(),
                sealed=self._wrap.wrap(dump_json(_written(made)), _context(source, place)),
            )
        )
        session.flush()
        return 1

    def _place(self, source: str, kind: str, value: bytes) -> bytes:
        return hmac.digest(self._digest_key, b"\0".join((source.encode(), kind.encode(), value)), "sha256")

    def _opened(self, row: DeliveredRecord) -> Kept:
        inner = json.loads(self._wrap.unwrap(row.sealed, _context(row.source, row.place)))
        delivered = Delivered(
            key=inner["key"],
            revised=row.revised,
            is_deleted=inner["is_deleted"],
            raw=base64.b64decode(inner["raw"]),
            position=inner["position"],
            findings=tuple(Reason(finding) for finding in inner["findings"]),
        )
        return Kept(row.number, delivered)


def _written(one: Delivered) -> Json:
    return {
        "key": one.key,
        "is_deleted": one.is_deleted,
        "raw": base64.b64encode(one.raw).decode(),
        "position": one.position,
        "findings": [str(finding) for finding in one.findings],
    }


def _context(source: str, place: bytes) -> str:
    return f"delivered-record:{source}:{place.hex()}"
