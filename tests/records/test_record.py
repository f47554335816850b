"""What of a record is clear, what is hidden, and that absence shows nowhere."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.records.catalogue import CATALOGUE
from gateway.records.declarations import CLEAR
from gateway.records.record import claims

NOW = datetime(2026, 11, 25, 8, 0, 2, tzinfo=UTC)
ENVELOPE = {
    *("iss", "sub", "iat", "record_type", "schema_version", "source", "revision"),
    *("as_of", "recorded_at", "status", "sealed_by", "language"),
}


def test_the_envelope_is_clear_and_every_field_is_hidden(record):
    made = claims(record("detention"), issued_at=NOW)

    hidden = {path[0] for path in made.hidden}
    assert made.payload.keys() - hidden == ENVELOPE
    assert {"goods", "importer", "provenance", "links", "stage"} <= hidden
    assert all(len(path) == 1 for path in made.hidden)
    assert ENVELOPE < CLEAR


def test_issuer_and_subject_are_holder_and_record_id_and_are_not_repeated(record):
    payload = claims(record("detention"), issued_at=NOW).payload

    assert payload["iss"] == "customs-xa"
    assert payload["sub"] == "urn:ipx:customs-xa:detention:D2026-0007"
    assert payload["iat"] == 1795593602
    assert "holder" not in payload
    assert "record_id" not in payload


def test_instants_are_written_in_utc(record):
    beijing = timezone(timedelta(hours=8))

    payload = claims(record("detention", as_of=datetime(2026, 11, 25, 16, 0, tzinfo=beijing)), issued_at=NOW).payload

    assert payload["as_of"] == "2026-11-25T08:00:00Z"


@pytest.mark.parametrize("record_type", sorted(CATALOGUE.types))
def test_every_record_of_a_type_has_the_same_number_of_digests(record_type, record):
    made = claims(record(record_type), issued_at=NOW)

    assert len(made.hidden) + made.decoys == len(CATALOGUE.types[record_type].fields)
    assert made.decoys >= 0


def test_where_the_record_came_from_is_one_hidden_field(record):
    fields = record("detention").fields

    assert fields["provenance"] == {"source_ref": "DETENTION/D2026-0007", "jurisdiction": "XA"}
    assert CATALOGUE.types["detention"].group_of("provenance") == "record.provenance"


def test_what_the_source_says_of_the_envelope_wins_over_what_the_gateway_fills_in(record):
    made = record("court_case", status="sealed", language="zh", sealed_groups=["court_case.outcome"])

    assert made.envelope.status == "sealed"
    assert made.envelope.language == "zh"
    assert made.envelope.sealed_groups == {"court_case.outcome"}
    assert not {"status", "language", "sealed_groups"} & made.fields.keys()
    assert "sealed_groups" not in claims(made, issued_at=NOW).payload


def test_a_provenance_of_the_source_is_completed_not_replaced(record):
    made = record("court_case", provenance={"jurisdiction": "XB", "legal_basis": "Rules, r. 4"})

    assert made.jurisdiction == "XB"
    assert made.fields["provenance"]["source_ref"] == "DETENTION/D2026-0007"


def test_a_record_that_says_nothing_is_active(record):
    assert record("trademark").envelope.status == "active"
    assert record("trademark").envelope.language == "en"
