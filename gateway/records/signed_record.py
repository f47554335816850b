"""A record read back from the claims of an SD-JWT that its holder signed itself."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.errors import Fault
from gateway.records.catalogue import CATALOGUE
from gateway.records.codes import code_table
from gateway.records.record import Envelope, Record
from gateway.records.record_ids import RecordId
from ipx.disclosures import CLEAR_CLAIMS

ENVELOPE = CLEAR_CLAIMS | {"_sd_alg"}
"""Claims that are not fields of the record."""

LINE = 200
"""Characters of a source's name and of a revision."""


def envelope_faults(claims: Mapping[str, Any], record: RecordId) -> tuple[datetime | None, list[Fault]]:
    """Judge the claims that must stand in clear, and read when the record was so.

    Returns:
        `as_of`, None where it cannot be read; and every fault.
    """
    known = CATALOGUE.types.get(record.record_type)
    faults = []
    if known is None:
        faults.append(Fault("/record_type", "unknown_record_type", "is not in the catalogue"))
    elif claims.get("schema_version") != known.schema_version:
        faults.append(Fault("/schema_version", "unknown_schema", f"must be {known.schema_version}"))
    for name, wanted in (("record_type", record.record_type), ("sealed_by", "holder")):
        if claims.get(name) != wanted:
            faults.append(Fault(f"/{name}", "wrong_value", f"must be {wanted}"))
    faults += [
        Fault(f"/{name}", "missing_required", "must be a text of 1 to 200 characters")
        for name in ("source", "revision")
        if not isinstance(claims.get(name), str) or not 0 < len(claims[name]) <= LINE
    ]
    faults += [
        Fault(f"/{name}", "unknown_code", f"is no word of {table}")
        for name, table in (("status", "record-status"), ("language", "iso639"))
        if claims.get(name) not in code_table(table).words
    ]
    instants = {name: _instant(claims.get(name)) for name in ("as_of", "recorded_at")}
    faults += [
        Fault(f"/{name}", "bad_date", "must be an instant in UTC, 2026-01-31T08:00:00Z")
        for name, instant in instants.items()
        if instant is None
    ]
    return instants["as_of"], faults


def read_record(claims: Mapping[str, Any], record: RecordId, *, source_ref: str, jurisdiction: str) -> Record | None:
    """Make a record of verified claims, as `make_record` does of mapped fields; None where they do not describe one.

    Args:
        claims: all that is disclosed.
        record: its name, which the claims must bear out.
        source_ref: where it is kept.
        jurisdiction: of the holder, unless the record names another.
    """
    as_of, faults = envelope_faults(claims, record)
    recorded_at = _instant(claims.get("recorded_at"))
    if faults or as_of is None or recorded_at is None:
        return None
    envelope = Envelope(
        record_id=record,
        schema_version=claims["schema_version"],
        source=claims["source"],
        revision=claims["revision"],
        as_of=as_of,
        recorded_at=recorded_at,
        status=claims["status"],
        sealed_by="holder",
        language=claims["language"],
    )
    fields = {name: value for name, value in claims.items() if name not in ENVELOPE}
    # Policies read the jurisdiction; what the holder did not sign is read here and disclosed to nobody.
    provenance = {"source_ref": source_ref, "jurisdiction": jurisdiction} | fields.get("provenance", {})
    return Record(envelope, {**fields, "provenance": provenance})


def _instant(text: Any) -> datetime | None:
    if not isinstance(text, str) or not text.endswith("Z"):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
