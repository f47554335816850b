"""Who was given a record of one holder: when, which field groups, under which receipt, and what became of recalls."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.evidence.errors import ErasedError
from gateway.evidence.payloads import Payloads
from gateway.exchange.finished import REQUEST
from gateway.exchange.models import Exchange, ExchangePayload, ExchangeRecord, Recall, RecallAddressee, RecallExchange
from gateway.records.catalogue import CATALOGUE
from gateway.records.record_ids import RecordId
from ipx.encoding import b64url_bytes
from ipx.jws import Json, parse_object

PAGE_RELEASES: Final = 200
"""The largest page."""


@dataclass(frozen=True, slots=True)
class ReleaseRecall:
    """A recall that reached one who was given the record, and its answer."""

    id: str
    kind: str
    made_at: datetime
    state: str
    is_overdue: bool
    action: str | None
    acknowledged_at: datetime | None

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "made_at": _instant(self.made_at),
            "state": self.state,
            "overdue": self.is_overdue,
            "action": self.action,
            "acknowledged_at": _instant(self.acknowledged_at),
        }


@dataclass(frozen=True, slots=True)
class Release:
    exchange_id: str
    requester: str
    client_id: str
    purpose: str
    released_at: datetime
    groups: Sequence[str] | None
    """Asked for and not withheld, in the order of the alphabet; of an answer with several records: not withheld from
    all of them. None once the exchange was erased, and with it what was asked."""
    withheld: Sequence[str]
    """What was asked for and not handed over; of an answer with several records: of one of them at least."""
    receipt: str
    """As signed."""
    is_of_several: bool
    """The record came among others, as the answer to a query."""
    recalls: Sequence[ReleaseRecall]
    """The oldest first."""

    def document(self) -> dict[str, Any]:
        return {
            "exchange": self.exchange_id,
            "requester": self.requester,
            "client": self.client_id,
            "purpose": self.purpose,
            "released_at": _instant(self.released_at),
            "groups": None if self.groups is None else list(self.groups),
            "withheld": list(self.withheld),
            "of_several": self.is_of_several,
            "receipt": self.receipt,
            "recalls": [one.document() for one in self.recalls],
        }


class Releases:
    def __init__(self, database: Database, payloads: Payloads, clock: Clock) -> None:
        self._database = database
        self._payloads = payloads
        self._clock = clock

    def of(self, record: RecordId, *, before: str | None = None, limit: int = 50) -> Sequence[Release]:
        """List the exchanges by which a record was handed over, the newest first.

        Args:
            record: its name; the agency in it is the holder.
            before: exchange id of the last one of the page before.
            limit: at most so many, no more than 200; a shorter list is the last.
        """
        sha256 = hashlib.sha256(str(record).encode()).digest()
        several = select(ExchangeRecord.exchange_id).where(ExchangeRecord.record_sha256 == sha256)
        asked = select(Exchange.id).where(Exchange.record_sha256 == sha256).union(several)
        query = select(Exchange).where(
            Exchange.id.in_(asked), Exchange.holder == record.agency, Exchange.state == "released"
        )
        if before is not None:
            query = query.where(Exchange.id < before)
        with self._database.read() as session:
            rows = session.scalars(query.order_by(Exchange.id.desc()).limit(min(limit, PAGE_RELEASES))).all()
            ids = [row.id for row in rows]
            kept = select(ExchangePayload.exchange_id, ExchangePayload.ciphertext).where(
                ExchangePayload.exchange_id.in_(ids), ExchangePayload.name == REQUEST
            )
            requests: dict[str, bytes] = dict(session.execute(kept).all())
            recalls = self._recalls(session, ids, sha256)
        return [self._release(row, sha256, requests.get(row.id), recalls.get(row.id, ())) for row in rows]

    def _release(
        self, row: Exchange, sha256: bytes, request: bytes | None, recalls: Sequence[ReleaseRecall]
    ) -> Release:
        receipt = row.receipt or ""
        told = _members(receipt)
        signed = self._asked(row, request)
        return Release(
            exchange_id=row.id,
            requester=row.requester,
            client_id=row.client_id,
            purpose=row.purpose,
            released_at=row.finished_at or row.received_at,
            groups=None if signed is None else released_groups(row.record_type, signed, told),
            withheld=sorted(_groups(told.get("withheld"))),
            receipt=receipt,
            is_of_several=row.record_sha256 != sha256,
            recalls=recalls,
        )

    def _asked(self, row: Exchange, request: bytes | None) -> Mapping[str, Json] | None:
        """Read the members of the signed request; None where it is kept no longer."""
        if request is None or row.wrapped_key is None:
            return None
        try:
            signed = self._payloads.of(row.id, row.wrapped_key, row.class_key).decrypt(REQUEST, request)
        except ErasedError:
            return None
        return _members(signed.decode("ascii"))

    def _recalls(self, session: Session, ids: Sequence[str], sha256: bytes) -> Mapping[str, Sequence[ReleaseRecall]]:
        """Find the recalls of this record by the exchanges that they reached."""
        query = (
            select(RecallExchange.exchange_id, Recall, RecallAddressee)
            .join(Recall, Recall.id == RecallExchange.recall_id)
            .join(
                RecallAddressee,
                (RecallAddressee.recall_id == Recall.id) & (RecallAddressee.agency == RecallExchange.requester),
            )
            .where(RecallExchange.exchange_id.in_(ids), Recall.record_sha256 == sha256)
            .order_by(Recall.id)
        )
        now, found = self._clock(), dict[str, list[ReleaseRecall]]()
        for exchange_id, recall, addressee in session.execute(query):
            is_overdue = addressee.state == "open" and addressee.due_at is not None and addressee.due_at <= now
            found.setdefault(exchange_id, []).append(
                ReleaseRecall(
                    id=recall.id,
                    kind=recall.kind,
                    made_at=recall.made_at,
                    state=addressee.state,
                    is_overdue=is_overdue,
                    action=addressee.action,
                    acknowledged_at=addressee.acknowledged_at,
                )
            )
        return found


def released_groups(record_type: str, request: Mapping[str, Json], receipt: Mapping[str, Json]) -> list[str]:
    """Name what was asked for and not withheld; of an answer with several records: not withheld from all of them.

    Args:
        record_type: of what was asked for.
        request: members of the signed request.
        receipt: members of the receipt of its release.
    """
    named = request.get("groups")
    asked = {str(group) for group in named} if isinstance(named, list) else set[str]()
    records = receipt.get("records")
    nowhere = _groups(receipt.get("withheld"))
    if isinstance(records, list):
        nowhere = set.intersection(*map(_groups, records)) if records else set()
    return sorted((asked or set(CATALOGUE.types[record_type].groups)) - nowhere)


def _members(token: str) -> Mapping[str, Json]:
    """Read the members of a token that was verified when it was taken or made."""
    return parse_object(b64url_bytes(token.split(".")[1]))


def _groups(withheld: Json) -> set[str]:
    items = withheld if isinstance(withheld, list) else []
    return {str(item["group"]) for item in items if isinstance(item, dict)}


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")
