"""From what a holder's system gave to a record under a signature, with the facts that policies may read."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog

from gateway.clock import Clock
from gateway.evidence.errors import ForeignSealError
from gateway.evidence.seals import Seals
from gateway.exchange.holders import HeldRecord, Unavailable
from gateway.records.facts import Fact, PartyKeys, facts
from gateway.records.record import Record, claims, make_record
from gateway.records.states import raised
from ipx.errors import EvidenceError
from ipx.sdjwt import Issued, Presentation

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """A record that can be redacted: signed, with every field behind a disclosure of its own."""

    record: Record
    issued: Issued | Presentation
    sealed_by: Literal["holder", "gateway"]
    digest: str
    """Of the holder's bytes and everything that made a record of them, hexadecimal; policies know the record by it."""
    facts: Mapping[str, Fact]
    closed: Mapping[str, str]
    """Groups that act as sealed here, with the state that closes them: no policy opens them."""


class RecordSeals:
    """Seals records for holders that cannot sign; a holder's own signature is checked instead."""

    def __init__(self, seals: Seals, party_keys: PartyKeys, clock: Clock) -> None:
        self._seals = seals
        self._party_keys = party_keys
        self._clock = clock

    def seal(self, held: HeldRecord) -> SealedRecord | Unavailable:
        record = self._record(held)
        digest = hashlib.sha256()
        for part in (held.source.sha256.encode(), str(record.envelope.record_id).encode(), held.found.raw):
            digest.update(hashlib.sha256(part).digest())
        try:
            issued = self._issued(held, record, digest.digest())
        except (EvidenceError, ForeignSealError) as error:
            log.error("record not sealed", source=held.source.name, reason=str(error))  # noqa: TRY400  (no trace wanted)
            return Unavailable("verify", "signature_invalid")
        today = self._clock().date()
        return SealedRecord(
            record=record,
            issued=issued,
            sealed_by=record.envelope.sealed_by,
            digest=digest.hexdigest(),
            facts=facts(record, on=today, party_keys=self._party_keys),
            closed={
                group: state.state
                for group, state in raised(record, on=today).items()
                if state.classification == "sealed"
            },
        )

    def _issued(self, held: HeldRecord, record: Record, digest: bytes) -> Issued | Presentation:
        if held.found.signature is not None:
            token = held.found.signature.value.decode("ascii")
            return self._seals.verify(record.envelope.holder, str(record.envelope.record_id), token)
        made = claims(record, issued_at=held.found.fetched_at)
        return self._seals.seal(
            record.envelope.holder, digest, made.payload, [path[0] for path in made.hidden], decoys=made.decoys
        )

    def _record(self, held: HeldRecord) -> Record:
        as_of: datetime = held.mapped.revised or held.found.fetched_at
        return make_record(
            held.record_id,
            held.mapped.fields,
            source=held.source.name,
            source_ref=held.mapped.source_ref,
            jurisdiction=held.source.jurisdiction,
            revision=as_of.isoformat(),
            as_of=as_of,
            recorded_at=held.found.fetched_at,
            sealed_by="gateway" if held.found.signature is None else "holder",
        )
