"""Records that cannot be served: kept encrypted with all reasons, counted, and driven through again when mended."""

import base64
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import structlog
from sqlalchemy import func, select

from connectors.deadline import Deadline
from connectors.mapping import Mapped
from connectors.protocol import Absent, Found, RecordKey
from connectors.quarantine import Quarantined, Reason
from gateway.agencies.models import Agency, Source
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import GatewayError, UnknownError
from gateway.exchange.holders import Holders, SourceRef, Unavailable
from gateway.intake.models import QuarantinedRecord
from gateway.keywrap import KeyWrap
from ipx.ids import uuid7

log = structlog.get_logger(__name__)

End = Literal["mapped", "absent", "replaced"]
"""The record passes now; its source has it no more; it fails otherwise now, which is an entry of its own."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One entry with what is encrypted of it."""

    id: str
    source: str
    reasons: Sequence[dict[str, Any]]
    times: int
    first_at: datetime
    last_at: datetime
    ended: str | None
    key: str | None
    source_ref: str
    media_type: str
    position: int
    findings: tuple[str, ...]
    revised: datetime | None
    raw: bytes = field(repr=False)


class Quarantine:
    def __init__(self, database: Database, wrap: KeyWrap, clock: Clock, *, digest_key: bytes) -> None:
        self._database = database
        self._wrap = wrap
        self._clock = clock
        self._digest_key = digest_key

    def keep(self, source: SourceRef, found: Found, outcome: Quarantined) -> str | None:
        """Keep a record; the same one again is counted. Gives the entry's id, None where it could not be stored."""
        try:
            return self._kept(source, found, outcome)
        except GatewayError as error:
            # Whoever asked is told of the failure all the same; the record comes again with the next asking.
            log.error("quarantine not stored", source=source.name, error=type(error).__name__)  # noqa: TRY400  (no trace wanted)
            return None

    def listed(self, source: str | None = None, *, ended: bool = False) -> list[QuarantinedRecord]:
        """Entries, the newest first, without what is encrypted."""
        query = select(QuarantinedRecord).order_by(QuarantinedRecord.last_at.desc(), QuarantinedRecord.id.desc())
        if source is not None:
            query = query.where(QuarantinedRecord.source == source)
        if not ended:
            query = query.where(QuarantinedRecord.ended_at.is_(None))
        with self._database.read() as session:
            return list(session.scalars(query))

    def open_count(self, source: str) -> int:
        query = select(func.count()).where(QuarantinedRecord.source == source, QuarantinedRecord.ended_at.is_(None))
        with self._database.read() as session:
            return session.scalar(query) or 0

    def entry(self, entry_id: str) -> Kept:
        """Give one entry, decrypted.

        Raises:
            UnknownError: there is none.
        """
        with self._database.read() as session:
            row = session.get(QuarantinedRecord, entry_id)
        if row is None:
            raise UnknownError(f"there is no entry {entry_id}; `ipx-gateway quarantine list` shows those that exist")
        inner = json.loads(self._wrap.unwrap(row.sealed, _context(row.id)))
        return Kept(
            id=row.id,
            source=row.source,
            reasons=row.reasons,
            times=row.times,
            first_at=row.first_at,
            last_at=row.last_at,
            ended=row.ended,
            key=inner["key"],
            source_ref=inner["source_ref"],
            media_type=inner["media_type"],
            position=inner["position"],
            findings=tuple(inner["findings"]),
            revised=datetime.fromisoformat(inner["revised"]) if inner["revised"] else None,
            raw=base64.b64decode(inner["raw"]),
        )

    def end(self, entry_id: str, how: End) -> None:
        with self._database.write() as session:
            row = session.get(QuarantinedRecord, entry_id)
            if row is not None and row.ended_at is None:
                row.ended_at, row.ended = self._clock(), how

    def _kept(self, source: SourceRef, found: Found, outcome: Quarantined) -> str:
        inner = {
            "key": outcome.key or found.key,
            "source_ref": found.source_ref,
            "media_type": found.media_type,
            "position": found.position,
            "findings": [str(finding) for finding in found.findings],
            "revised": found.revised.isoformat() if found.revised else None,
            "raw": base64.b64encode(found.raw).decode(),
        }
        reasons = [
            {"field": why.field, "reason": str(why.reason), "where": why.where, "detail": why.detail}
            for why in outcome.reasons
        ]
        digest = hmac.new(self._digest_key, json.dumps([source.name, inner, reasons]).encode(), "sha256").digest()
        now = self._clock()
        with self._database.write() as session:
            known = session.scalar(
                select(QuarantinedRecord).where(QuarantinedRecord.digest == digest).with_for_update()
            )
            if known is not None:
                known.times += 1
                known.last_at = now
                known.ended_at = known.ended = None
                return known.id
            entry_id = uuid7()
            session.add(
                QuarantinedRecord(
                    id=entry_id,
                    source=source.name,
                    digest=digest,
                    source_sha256=source.sha256,
                    reasons=reasons,
                    sealed=self._wrap.wrap(json.dumps(inner).encode(), _context(entry_id)),
                    times=1,
                    first_at=now,
                    last_at=now,
                )
            )
            return entry_id


@dataclass(frozen=True, slots=True)
class Driven:
    """What became of an entry: ended, or still quarantined or out of reach with a reason."""

    id: str
    outcome: Literal["mapped", "absent", "replaced", "quarantined", "failed"]
    reasons: tuple[str, ...] = ()


class Redrive:
    """Puts entries through their source again: the record as it is there now, else the bytes that were kept."""

    def __init__(self, database: Database, quarantine: Quarantine, holders: Holders, clock: Clock) -> None:
        self._database = database
        self._quarantine = quarantine
        self._holders = holders
        self._clock = clock

    def run(self, entry_id: str, deadline: Deadline) -> Driven:
        """Drive one entry.

        Raises:
            UnknownError: there is no such entry, or its source is gone.
        """
        kept = self._quarantine.entry(entry_id)
        source = source_ref(self._database, kept.source)
        opened = self._holders.opened(source, deadline)
        if isinstance(opened, Unavailable):
            return Driven(entry_id, "failed", (opened.reason,))
        found = self._now(kept, opened.connector, deadline)
        if isinstance(found, Absent):
            return self._ended(entry_id, "absent")
        match opened.apply(found):
            case Mapped():
                return self._ended(entry_id, "mapped")
            case Quarantined() as still:
                again = self._quarantine.keep(source, found, still)
                reasons = tuple(sorted({str(why.reason) for why in still.reasons}))
                if again is not None and again != entry_id:
                    self._quarantine.end(entry_id, "replaced")
                    return Driven(again, "replaced", reasons)
                return Driven(entry_id, "quarantined", reasons)

    def _now(self, kept: Kept, connector: Any, deadline: Deadline) -> Found | Absent:
        answer = connector.fetch(RecordKey(kept.key), deadline) if kept.key is not None else None
        if isinstance(answer, Found | Absent):
            return answer
        return Found(
            raw=kept.raw,
            media_type=kept.media_type,
            source_ref=kept.source_ref,
            revised=kept.revised,
            signature=None,
            fetched_at=self._clock(),
            key=None if kept.key is None else RecordKey(kept.key),
            position=kept.position,
            findings=tuple(Reason(finding) for finding in kept.findings),
        )

    def _ended(self, entry_id: str, how: End) -> Driven:
        self._quarantine.end(entry_id, how)
        return Driven(entry_id, how)


def source_ref(database: Database, name: str) -> SourceRef:
    """Give a registered source as exchanges know it.

    Raises:
        UnknownError: there is none of this name.
    """
    with database.read() as session:
        row = session.execute(
            select(Source, Agency).join(Agency, Agency.code == Source.holder).where(Source.name == name)
        ).one_or_none()
    if row is None:
        raise UnknownError(f"there is no source {name}; `ipx-gateway source list` shows those that exist")
    source, agency = row
    return SourceRef(source.name, source.sha256, source.holder, source.record_type, agency.jurisdictions[0])


def _context(entry_id: str) -> str:
    return f"quarantined-record:{entry_id}"
