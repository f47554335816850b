"""From what a holder's system gave to a record under a signature, with the facts that policies may read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final, Literal

import structlog

from connectors.protocol import Signature
from connectors.signed_mapping import read_unverified
from gateway.clock import Clock
from gateway.evidence.errors import ForeignSealError
from gateway.evidence.seals import Seals
from gateway.exchange.holders import NAMELESS, HeldRecord, Unavailable
from gateway.records.facts import Fact, PartyKeys, facts
from gateway.records.record import Record, claims, make_record
from gateway.records.record_ids import RecordId, RecordIdError, parse_record_id
from gateway.records.signed_record import read_record
from gateway.records.states import raised
from ipx.errors import EvidenceError
from ipx.sdjwt import MAX_BYTES, Issued, Presentation, digest, redact
from policies.engine import Record as KnownRecord

log = structlog.get_logger(__name__)

REMEMBERED_CHARACTERS: Final = 64 << 10
REMEMBERED_SETS: Final = 8

Presented = tuple[tuple[str, ...], tuple[str, ...]]
"""Of a redacted record: the disclosures that are left, and their digests, sorted."""


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """A record that can be redacted: signed, with every field behind a disclosure of its own."""

    record: Record
    issued: Issued | Presentation
    sealed_by: Literal["holder", "gateway"]
    known: KnownRecord
    """The record as policies know it, with the groups that its states close."""
    _presented: dict[frozenset[str], Presented] = field(default_factory=dict, compare=False)

    @property
    def digest(self) -> str:
        """Of the holder's bytes and everything that made a record of them, hexadecimal."""
        return self.known.digest

    @property
    def facts(self) -> Mapping[str, Fact]:
        return self.known.facts

    def presented(self, groups: frozenset[str]) -> Presented:
        """Redact the record to these groups; of a small one the last few are kept, for many ask alike."""
        known = self._presented.get(groups)
        if known is None:
            fields, hidden = self.record.record_type.fields, self.issued.disclosures
            paths = [path for path in hidden if len(path) == 1 and fields.get(str(path[0])) in groups]
            presentation = redact(self.issued, paths)
            disclosures = tuple(presentation.split("~")[1:-1])
            known = disclosures, tuple(sorted(map(digest, disclosures)))
            if len(presentation) <= REMEMBERED_CHARACTERS and len(self._presented) < REMEMBERED_SETS:
                self._presented[groups] = known
        return known


class RecordSeals:
    """Seals records for holders that cannot sign; a holder's own signature is checked instead."""

    def __init__(self, seals: Seals, party_keys: PartyKeys, clock: Clock) -> None:
        self._seals = seals
        self._party_keys = party_keys
        self._clock = clock

    def seal(self, held: HeldRecord) -> SealedRecord | Unavailable:
        name = sha256(_hashed(held.source.sha256) + _hashed(str(held.record_id)) + held.found.sha256).digest()
        today, holder = self._clock().date(), held.record_id.agency
        derived_from = (today, held.source.jurisdiction, held.mapped.revised)
        try:
            beside = self._seals.beside(holder, name) if held.found.signature is None else None
            if beside is not None and derived_from in beside:
                sealed: SealedRecord = beside[derived_from]
                return sealed
            sealed = self._sealed(held, name, today)
            if len(sealed.issued.jwt) + sum(len(text) + 1 for text in sealed.issued.disclosures.values()) >= MAX_BYTES:
                return Unavailable("verify", "record_too_large")
        except (EvidenceError, ForeignSealError) as error:
            log.error("record not sealed", source=held.source.name, reason=str(error))  # noqa: TRY400  (no trace wanted)
            return Unavailable("verify", "signature_invalid")
        if held.found.signature is None and (beside := self._seals.beside(holder, name)) is not None:
            beside[derived_from] = sealed
        return sealed

    def _sealed(self, held: HeldRecord, digest: bytes, today: date) -> SealedRecord:
        record, issued = self._issued(held, digest)
        return SealedRecord(
            record=record,
            issued=issued,
            sealed_by=record.envelope.sealed_by,
            known=KnownRecord(
                digest.hex(),
                facts(record, on=today, party_keys=self._party_keys),
                {
                    group: state.state
                    for group, state in raised(record, on=today).items()
                    if state.classification == "sealed"
                },
            ),
        )

    def _issued(self, held: HeldRecord, digest: bytes) -> tuple[Record, Issued | Presentation]:
        if held.found.signature is not None:
            return self._signed(held, held.found.signature)
        record = self._record(held)
        made = claims(record, issued_at=held.found.fetched_at)
        issued = self._seals.seal(
            record.envelope.holder, digest, made.payload, [path[0] for path in made.hidden], decoys=made.decoys
        )
        return record, issued

    def _signed(self, held: HeldRecord, signature: Signature) -> tuple[Record, Presentation]:
        """Check a holder's own signature, and read the record out of what it is over: of nothing else."""
        name = held.record_id
        if name.local == NAMELESS:  # a register's record that is only looked at; it still names itself
            name = _named(signature, name)
        presentation = self._seals.verify(name.agency, str(name), signature.value.decode("ascii"))
        record = read_record(
            presentation.claims, name, source_ref=held.mapped.source_ref, jurisdiction=held.source.jurisdiction
        )
        if record is None:
            raise ForeignSealError("the holder signed something that is no record")
        return record, presentation

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
            sealed_by="gateway",
        )


@lru_cache(maxsize=4096)
def _hashed(text: str) -> bytes:
    return sha256(text.encode()).digest()


def _named(signature: Signature, wanted: RecordId) -> RecordId:
    try:
        name = parse_record_id(str(read_unverified(signature.value.decode("ascii")).claims.get("sub")))
    except (EvidenceError, RecordIdError) as error:
        raise ForeignSealError("the holder signed something that is no record") from error
    if (name.agency, name.record_type) != (wanted.agency, wanted.record_type):
        raise ForeignSealError("the holder signed a record of another register")
    return name
