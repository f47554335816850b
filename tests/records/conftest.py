"""Made-up records of every type, good ones: each test takes one and spoils one thing."""

import copy
from datetime import UTC, datetime

import pytest

from gateway.records.record import make_record
from gateway.records.record_ids import record_id

TRADEMARK = {
    "office": "EM",
    "application_number": "018222197",
    "application_date": "2020-04-08",
    "registration_date": "2020-08-05",
    "expiry_date": "2030-04-08",
    "mark_category": "individual",
    "mark_feature": "word",
    "mark_feature_raw": "Word",
    "mark_status": "registered",
    "mark_status_raw": "Registered",
    "status_date": "2020-08-07",
    "verbal_element": "VELMORA",
    "vienna_codes": ["02.01.25"],
    "goods_services": [{"class_number": "9", "texts": [{"lang": "en", "text": "Headphones"}]}],
    "priority": [{"office": "FR", "number": "194578", "date": "2019-11-02"}],
    "owners": [{"party_no": 1, "party_id": "EUIPO:123456"}],
    "owner_contacts": [{"party_no": 1, "address": "14 Harbour Terrace, Port Avel"}],
}

CUSTOMS_RECORDAL = {
    "owner": "Velmora Instruments Ltd",
    "owner_name_local": "维尔莫拉仪器有限公司",
    "right_title": "VELMORA",
    "right_number": "018222197",
    "approved_goods": [{"line": 1, "description": "Headphones"}],
    "recordal_number": "R2025-0031",
    "authority": "Customs XA",
    "right_key": "EM|trademark|018222197",
    "right_type": "trademark",
    "valid_from": "2025-01-10",
    "valid_to": "2035-01-09",
    "recordal_status": "active",
    "territory": "XA",
    "licensees": [{"name": "Quillon Sound Ltd", "from": "2025-02-01"}],
    "contact_legal": {"name": "A. Alder", "email": "marks@velmora.example"},
}

DETENTION = {
    "detention_number": "D2026-0007",
    "authority": "Customs XA",
    "stage": "seized",
    "direction": "import",
    "mode": "on_application",
    "suspected_infringement": "counterfeit",
    "recordal_number": "R2025-0031",
    "right_keys": ["EM|trademark|018222197"],
    "presented_on": "2026-03-02",
    "suspended_on": "2026-03-04",
    "notified_on": "2026-03-05",
    "deadline": "2026-03-19",
    "importation_date": "2026-03-01",
    "port_of_entry": "Port Avel",
    "goods": [
        {"line": 1, "description": "Headphones", "quantity": "1200", "unit": "piece", "origin_country": "CN"},
        {"line": 2, "description": "Cable", "quantity": "35.5", "unit": "kilogram"},
    ],
    "goods_classification": [{"line": 1, "hs": "851830", "brand": "VELMORA"}],
    "goods_value": [{"line": 1, "amount": "18400.50", "currency": "EUR"}],
    "importer": {"name": "Brennick Wholesale Ltd", "address": "3 Dock Road", "identifiers": ["eori:XI123456789000"]},
    "owner_response": "confirm",
    "links": [{"edge": "cited_in", "case_number": "IPC 118/2026", "method": "declared"}],
}

COURT_CASE = {
    "case_number": "（2019）粤03民终12345号",  # noqa: RUF001  (Chinese courts write full-width brackets)
    "ecli": "ECLI:XA:IPC:2026:118",
    "court": "Intellectual Property Court of XA",
    "instance": "second",
    "filed_on": "2025-02-17",
    "decided_on": "2025-10-20",
    "right_keys": ["EM|trademark|018222197"],
    "prior_cases": ["IPC 24/2024"],
    "entries": [{"n": 1, "date": "2025-02-17", "text": "Statement of claim"}],
    "sealed_entries": [{"n": 2, "date": "2025-03-01", "text": "Formulae"}],
    "parties": [
        {"party_no": 1, "role": "claimant", "name": "Velmora Instruments Ltd", "kind": "organisation"},
        {"party_no": 2, "role": "respondent", "name": "某公司", "identifiers": ["CN.uscc:91110000600037341L"]},
    ],
    "individual_parties": [{"party_no": 3, "role": "respondent", "name": "某某", "kind": "individual"}],
    "damages": {"basis": "actual_loss", "base": "61000", "punitive_multiplier": "2", "currency": "CNY"},
    "outcome": "for_claimant",
    "appeal_status": "decided",
    "final_on": "2025-12-01",
}

PARTY = {
    "party_id": "XA-9913",
    "name": "Velmora Instruments Ltd",
    "kind": "organisation",
    "uscc": "91110000600037341L",
    "national_numbers": ["XA.register:5501"],
}

PATENT = {
    "office": "CN",
    "right_kind": "invention",
    "application_number": "202111286633.X",
    "filing_date": "2021-11-02",
    "publication_date": "2022-05-06",
    "title": [{"lang": "zh", "text": "一种装置"}],
    "ipc": ["H01M10/54"],
    "priority": [{"office": "JP", "number": "2020-123456", "date": "2020-11-04"}],
    "inventors": [{"party_no": 1, "name": "Ito"}],
    "inventors_withheld": 1,
    "owners": [{"party_no": 1, "name": "Denso"}],
}

DESIGN = {
    "office": "EM",
    "design_number": "001063002-0001",
    "application_number": "001063002",
    "application_date": "2009-01-12",
    "registration_date": "2009-01-12",
    "design_status": "registered",
    "locarno": ["21-01"],
    "owners": [{"party_no": 1, "party_id": "EUIPO:1"}],
}

COPYRIGHT_REGISTRATION = {
    "office": "US",
    "registration_number": "VA0002123456",
    "work_class": "artistic",
    "title": [{"lang": "en", "text": "Harbour lights"}],
    "registration_date": "2020-02-01",
    "copyright_status": "registered",
    "authors": [{"name": "A. Author", "kind": "individual"}],
}

GEOGRAPHICAL_INDICATION = {
    "office": "EU",
    "file_number": "PGI-CN-02624",
    "gi_type": "pgi",
    "name": [{"lang": "zh", "text": "沁州黄小米"}],
    "gi_status": "registered",
    "registration_date": "2021-03-01",
    "protected_in": ["EU"],
}

PLANT_VARIETY = {
    "office": "QZ",
    "application_number": "20120001",
    "grant_number": "34567",
    "upov_code": "MALUS_DOM",
    "denomination": "Rosabelle",
    "application_date": "2012-01-02",
    "grant_date": "2016-01-02",
    "variety_status": "granted",
}

OWNERSHIP_EVENT = {
    "event_type": "assignment",
    "event_type_raw": "ASSIGNMENT OF ASSIGNOR'S INTEREST",
    "record_number": "012345/0678",
    "right_keys": ["US|patent|16123456"],
    "executed_date": "2018-04-17",
    "recorded_date": "2018-05-02",
    "assignors": [{"name": "A. Inventor"}],
    "assignees": [{"name": "Velmora Instruments Ltd"}],
}

OPPOSITION = {
    "proceeding_number": "003125678",
    "proceeding_kind": "opposition",
    "right_key": "EM|trademark|018222197",
    "filed_date": "2020-07-01",
    "proceeding_status": "decided",
    "outcome": "rejected",
    "decision_date": "2021-09-01",
    "opponents": [{"name": "Velmara SA"}],
    "earlier_rights": [{"office": "ES", "number": "M2689432"}, {"office": "GB", "number": "UK00003141454"}],
}

ADMIN_CASE = {
    "case_number": "XA-MR 2025/77",
    "authority": "Market Regulator of XA",
    "right_keys": ["EM|trademark|018222197"],
    "decision_number": "XA-MR 2025/77-D",
    "decided_on": "2025-05-02",
    "published_on": "2025-05-20",
    "penalty": {"warning": True, "fine": "50000", "currency": "CNY"},
    "final_on": "2025-08-02",
    "case_status": "enforced",
    "respondents": [{"party_no": 1, "name": "Brennick Wholesale Ltd", "identifiers": ["CN.uscc:91110000600037341L"]}],
}

SETTLEMENT = {
    "institution": "Arbitration Commission of XA",
    "settlement_type": "mediation",
    "matter_number": "AC 5/2025",
    "settled_on": "2025-09-01",
    "parties": [{"party_no": 1, "name": "Velmora Instruments Ltd"}, {"party_no": 2, "name": "Calder Mobile Ltd"}],
    "consent_to_share": [{"party_no": 1}, {"party_no": 2, "until": "2027-01-01"}],
    "terms": "Undisclosed",
    "amount": {"amount": "90000", "currency": "EUR"},
}

REFERRAL = {
    "referral_number": "RF-2025-3",
    "from_agency": "regulator-xa",
    "to_agency": "customs-xa",
    "state": "accepted",
    "sent_at": "2025-05-01T08:00:00Z",
    "due_at": "2025-06-01T00:00:00Z",
    "answered_at": "2025-05-20T10:00:00Z",
    "evidence_manifest": [{"n": 1, "sha256": "ab" * 32, "bytes": 1200}],
}

ATTESTATION = {
    "attestation_id": "AT-1",
    "indicator": "final_administrative_penalties",
    "period": {"from": "2021-01-01", "to": "2025-12-31"},
    "count_final": 2,
    "count_under_appeal": 1,
    "count_revoked": 0,
    "counted_as_of": "2026-01-10",
    "expires_at": "2027-01-10T00:00:00Z",
    "subject": {"name": "Brennick Wholesale Ltd", "identifiers": ["CN.uscc:91110000600037341L"]},
}

GOOD = {name.lower(): value for name, value in dict(globals()).items() if name.isupper() and isinstance(value, dict)}
"""Record type → a record that is right."""


@pytest.fixture
def good():
    """Gives a copy of the good record of a type, with some fields replaced; None takes a field away."""

    def copy_of(record_type, **changed):
        fields = copy.deepcopy(GOOD[record_type]) | changed
        return {field: value for field, value in fields.items() if value is not None}

    return copy_of


@pytest.fixture
def record(good):
    """Makes a record of a type out of the good one, fetched on 25 November 2026."""

    def made(record_type, *, as_of=datetime(2026, 11, 25, 8, 0, tzinfo=UTC), **changed):
        return make_record(
            record_id("customs-xa", record_type, "D2026-0007"),
            good(record_type, **changed),
            source="customs-xa-detentions",
            source_ref="DETENTION/D2026-0007",
            jurisdiction="XA",
            revision="2026-04-02T14:05:00Z",
            as_of=as_of,
            recorded_at=datetime(2026, 11, 25, 8, 0, 1, tzinfo=UTC),
            sealed_by="gateway",
        )

    return made
