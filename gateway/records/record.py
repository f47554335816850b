"""A record: its envelope, which everybody sees who gets any field, and its fields, each hidden until granted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from gateway.records.catalogue import CATALOGUE
from gateway.records.codes import code_table
from gateway.records.declarations import RecordType
from gateway.records.record_ids import RecordId
from gateway.records.shapes import Shapes, StrictSchema
from gateway.records.values import Checked, word_of

SealedBy = Literal["holder", "gateway"]

HOLDER_ENVELOPE = frozenset({"status", "language", "sealed_groups"})
"""What a source may say of a record besides its fields: where the revision stands, the language of its texts, and the
groups a court or secrecy order covers. `provenance`, `links` and `retention_until` it may say too: those are fields."""


class HolderEnvelopeSchema(StrictSchema):
    status = Checked(word_of(code_table("record-status")))
    language = Checked(word_of(code_table("iso639")))
    sealed_groups = Shapes({}).field(["group"])


@dataclass(frozen=True, slots=True)
class Envelope:
    record_id: RecordId
    schema_version: int
    source: str
    revision: str
    """Of the holder: its own number or the instant of its last change; later revisions compare greater."""
    as_of: datetime
    """When the record was so at the holder; what is judged by time (published, final) is judged at this instant."""
    recorded_at: datetime
    status: str
    sealed_by: SealedBy
    language: str
    sealed_groups: frozenset[str] = frozenset()
    """Groups under an order. Not signed: their names would tell what they hide."""

    @property
    def holder(self) -> str:
        return self.record_id.agency

    @property
    def record_type(self) -> str:
        return self.record_id.record_type


@dataclass(frozen=True, slots=True)
class Record:
    envelope: Envelope
    fields: Mapping[str, Any]
    """Every field that is there, with `provenance`, `links` and `retention_until` of the envelope; JSON values."""

    @property
    def record_type(self) -> RecordType:
        return CATALOGUE.types[self.envelope.record_type]

    @property
    def jurisdiction(self) -> str:
        return str(self.fields["provenance"]["jurisdiction"])


@dataclass(frozen=True, slots=True)
class Claims:
    """What an SD-JWT is issued from: all claims, which of them are hidden, and how many decoys go with them."""

    payload: Mapping[str, Any]
    hidden: tuple[tuple[str, ...], ...]
    decoys: int
    """Fills the digests up to the number of fields the type may have: absent and withheld look alike."""


def make_record(
    record_id: RecordId,
    said: Mapping[str, Any],
    *,
    source: str,
    source_ref: str,
    jurisdiction: str,
    revision: str,
    as_of: datetime,
    recorded_at: datetime,
    sealed_by: SealedBy,
    language: str = "en",
) -> Record:
    """Make a record of what a holder says, once `validate` has found nothing wrong with it.

    Args:
        record_id: its name.
        said: the mapped fields, with what `HOLDER_ENVELOPE` allows; what is missing of the envelope is filled in.
        source: name of the source.
        source_ref: where the source keeps it, as the connector says it.
        jurisdiction: of the holder, unless the source's `provenance` names another.
        revision: of the holder.
        as_of: when it was so at the holder.
        recorded_at: when it was fetched.
        sealed_by: whose signature it will carry.
        language: of its texts, unless the source says.
    """
    known = CATALOGUE.types[record_id.record_type]
    envelope = Envelope(
        record_id=record_id,
        schema_version=known.schema_version,
        source=source,
        revision=revision,
        as_of=as_of,
        recorded_at=recorded_at,
        status=said.get("status", "active"),
        sealed_by=sealed_by,
        language=said.get("language", language),
        sealed_groups=frozenset(said.get("sealed_groups", ())),
    )
    provenance = {"source_ref": source_ref, "jurisdiction": jurisdiction} | said.get("provenance", {})
    fields = {field: value for field, value in said.items() if field not in HOLDER_ENVELOPE}
    return Record(envelope, {**fields, "provenance": provenance})


def claims(record: Record, *, issued_at: datetime) -> Claims:
    """Write a record as the claims of an SD-JWT (`ipx-record+sd-jwt`): `iss` and `sub` are holder and record id."""
    envelope = record.envelope
    clear = {
        "iss": envelope.holder,
        "sub": str(envelope.record_id),
        "iat": int(issued_at.timestamp()),
        "record_type": envelope.record_type,
        "schema_version": envelope.schema_version,
        "source": envelope.source,
        "revision": envelope.revision,
        "as_of": _instant(envelope.as_of),
        "recorded_at": _instant(envelope.recorded_at),
        "status": envelope.status,
        "sealed_by": envelope.sealed_by,
        "language": envelope.language,
    }
    return Claims(
        payload={**clear, **record.fields},
        hidden=tuple((field,) for field in record.fields),
        decoys=len(record.record_type.fields) - len(record.fields),
    )


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
