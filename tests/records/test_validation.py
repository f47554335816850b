"""Bad input, case by case (records.md, section 6): each spoils one thing in a good record and names the reason."""

# ruff: noqa: RUF001  (Chinese courts write full-width brackets)

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.records.catalogue import CATALOGUE
from gateway.records.identifiers.hs import Editions
from gateway.records.reasons import REASONS, Finding
from gateway.records.validation import oddities, validate

TODAY = date(2026, 11, 25)


def reasons(record_type, fields):
    return [(finding.field, finding.reason) for finding in validate(record_type, fields, today=TODAY)]


def odd(record_type, fields, **options):
    return [(finding.field, finding.reason) for finding in oddities(record_type, fields, today=TODAY, **options)]


@pytest.mark.parametrize("record_type", sorted(CATALOGUE.types))
def test_a_good_record_of_every_type_is_taken_and_nothing_is_odd_about_it(record_type, good):
    assert validate(record_type, good(record_type), today=TODAY) == []
    assert odd(record_type, good(record_type)) == []


BROKEN_TEXTS = [
    ("padded ", "wrong_type"),
    ("", "wrong_type"),
    ("   ", "wrong_type"),
    (5, "wrong_type"),
    (None, "wrong_type"),
    ("DÃ¼sseldorf", "wrong_encoding"),
    ("GrÃ¼ne StraÃŸe", "wrong_encoding"),
    ("donâ€™t", "wrong_encoding"),
    ("b'<section>…</section>'", "wrong_encoding"),
    ("NUL\x00inside", "wrong_encoding"),
    ("half a pair \ud800", "wrong_encoding"),
    ("D\ufffdsseldorf", "wrong_encoding"),
    ("\ufeffmark", "wrong_encoding"),
    ("x" * 500_001, "too_large"),
]


@pytest.mark.parametrize(("text", "reason"), BROKEN_TEXTS, ids=[f"{r}-{i}" for i, (_, r) in enumerate(BROKEN_TEXTS)])
def test_a_broken_text_is_refused(text, reason, good):
    fields = good("trademark") | {"verbal_element": text}

    assert reasons("trademark", fields) == [("verbal_element", reason)]


@pytest.mark.parametrize(
    "text", ["Düsseldorf", "IRMÃO", "«CAFÉ»", "华为", "Ærø", "L’Âge d’or", "b'ars", "line\nline", "Ã"]
)
def test_names_in_any_script_are_left_alone(text, good):
    assert reasons("trademark", good("trademark", verbal_element=text)) == []


BAD = [
    # any type
    ("trademark", {"colour": "red"}, "colour", "unknown_schema"),
    ("trademark", {"application_date": "2020-02-30"}, "application_date", "bad_date"),
    ("trademark", {"application_date": "20200408"}, "application_date", "bad_date"),
    ("trademark", {"application_date": "2020-W15-3"}, "application_date", "bad_date"),
    ("trademark", {"status_date": "2026-11-27"}, "status_date", "future_date"),
    ("trademark", {"priority": [{"number": "1", "date": "2027-01-01"}]}, "priority", "future_date"),
    ("trademark", {"status": "gone"}, "status", "unknown_code"),
    ("trademark", {"language": "xx"}, "language", "unknown_code"),
    ("trademark", {"links": [{"edge": "likes", "method": "declared", "case_number": "1"}]}, "links", "unknown_code"),
    ("trademark", {"provenance": {"jurisdiction": "QX"}}, "provenance", "unknown_code"),
    ("detention", {"right_keys": "EM|trademark|018222197"}, "right_keys", "wrong_type"),
    ("detention", {"importer": "Brennick"}, "importer", "wrong_type"),
    ("detention", {"importer": {"name": "B", "vat": "1"}}, "importer", "unknown_schema"),
    ("detention", {"importer": {"address": "3 Dock Road"}}, "importer", "missing_required"),
    ("detention", {"right_keys": ["EM|trade mark|018222197"]}, "right_keys", "bad_identifier"),
    ("detention", {"right_keys": ["QX|trademark|018222197"]}, "right_keys", "bad_identifier"),
    ("detention", {"right_keys": ["EM|trademark|1"] * 10_001}, "right_keys", "too_large"),
    # trademark
    ("trademark", {"application_date": None}, "application_date", "missing_required"),
    ("trademark", {"goods_services": [{"class_number": "0"}]}, "goods_services", "bad_identifier"),
    ("trademark", {"goods_services": [{"class_number": "46"}]}, "goods_services", "bad_identifier"),
    ("trademark", {"goods_services": [{"class_number": "009"}]}, "goods_services", "bad_identifier"),
    ("trademark", {"goods_services": [{"class_number": 9}]}, "goods_services", "wrong_type"),
    (
        "trademark",
        {"goods_services": [{"class_number": "9", "texts": [{"lang": "en"}]}]},
        "goods_services",
        "missing_required",
    ),
    ("trademark", {"registration_date": "2020-04-07"}, "registration_date", "contradictory"),
    (
        "trademark",
        {"opposition_from": "2020-05-01", "opposition_until": "2020-04-01"},
        "opposition_until",
        "contradictory",
    ),
    ("trademark", {"office": "US", "application_number": "A0025288"}, "application_number", "bad_identifier"),
    ("trademark", {"application_number": "18222197"}, "application_number", "bad_identifier"),
    ("trademark", {"mark_status": "Registered"}, "mark_status", "unknown_code"),
    ("trademark", {"vienna_codes": ["2.1.25"]}, "vienna_codes", "bad_identifier"),
    # patent
    ("patent", {"application_number": "202111286633.1"}, "application_number", "bad_check_digit"),
    ("patent", {"application_number": "202141286633.X"}, "application_number", "bad_identifier"),
    ("patent", {"application_number": "CN202111286633.X"}, "application_number", "bad_identifier"),
    ("patent", {"application_number": "ZL202111286633.X"}, "application_number", "bad_identifier"),
    ("patent", {"publication_date": "2021-11-01"}, "publication_date", "contradictory"),
    ("patent", {"grant_number": "202111286633.X"}, "grant_date", "missing_required"),
    ("patent", {"inventors": [{"name": "请求不公布姓名"}]}, "inventors", "class_conflict"),
    # design
    ("design", {"locarno": ["21.01"]}, "locarno", "bad_identifier"),
    ("design", {"design_number": "001063002"}, "design_number", "bad_identifier"),
    ("design", {"design_status": "deferred"}, "deferment_until", "missing_required"),
    # copyright, indications, varieties
    ("copyright_registration", {"registration_number": None}, "registration_number", "missing_required"),
    ("geographical_indication", {"file_number": "TSG-IT-0001"}, "file_number", "bad_identifier"),
    ("geographical_indication", {"gi_status": "applied", "registration_date": None}, "protected_in", "contradictory"),
    ("plant_variety", {"upov_code": "APPLE"[:4]}, "upov_code", "bad_identifier"),
    # events
    ("ownership_event", {"recorded_date": "2018-04-16"}, "recorded_date", "contradictory"),
    ("ownership_event", {"assignees": [{"name": "A. Inventor"}]}, "assignees", "contradictory"),
    ("ownership_event", {"event_type": "pledge_release"}, "release_of", "missing_required"),
    ("ownership_event", {"event_type": "correction"}, "corrects", "missing_required"),
    ("opposition", {"earlier_rights": [{"office": "ES", "number": "1"}] * 2}, "earlier_rights", "more_than_one"),
    (
        "opposition",
        {"earlier_rights": [{"office": "DE", "number": n} for n in ("302009019273", "3020090192731")]},
        "earlier_rights",
        "more_than_one",
    ),
    ("opposition", {"decision_date": "2020-06-30"}, "decision_date", "contradictory"),
    ("opposition", {"proceeding_status": "withdrawn"}, "outcome", "contradictory"),
    # customs_recordal
    ("customs_recordal", {"right_number": "018222197; 018222198"}, "right_number", "more_than_one"),
    ("customs_recordal", {"right_number": "018222197、018222198"}, "right_number", "more_than_one"),
    ("customs_recordal", {"valid_to": "2025-01-09"}, "valid_to", "contradictory"),
    # detention
    ("detention", {"goods_classification": [{"line": 1, "hs": "85183"}]}, "goods_classification", "bad_identifier"),
    (
        "detention",
        {"goods": [{"line": 1, "description": "x", "quantity": "-1", "unit": "piece"}]},
        "goods",
        "bad_number",
    ),
    ("detention", {"goods": [{"line": 1, "description": "x", "quantity": 12, "unit": "piece"}]}, "goods", "wrong_type"),
    (
        "detention",
        {"goods": [{"line": True, "description": "x", "quantity": "1", "unit": "piece"}]},
        "goods",
        "wrong_type",
    ),
    (
        "detention",
        {"goods": [{"line": 1, "description": "x", "quantity": "1,5", "unit": "piece"}]},
        "goods",
        "bad_number",
    ),
    ("detention", {"goods": [{"line": 1, "description": "x", "quantity": "1"}]}, "goods", "missing_required"),
    (
        "detention",
        {"goods": [{"line": 1, "description": "x", "quantity": "1", "unit": "PCS"}]},
        "goods",
        "unknown_code",
    ),
    ("detention", {"goods_value": [{"line": 1, "amount": "5"}]}, "goods_value", "missing_required"),
    ("detention", {"goods_value": [{"line": 7, "amount": "5", "currency": "EUR"}]}, "goods_value", "contradictory"),
    ("detention", {"suspended_on": "2026-03-01"}, "suspended_on", "contradictory"),
    ("detention", {"stage": "sunk"}, "stage", "unknown_code"),
    ("detention", {"container_number": "CSQU3054384"}, "container_number", "bad_check_digit"),
    (
        "detention",
        {"importer": {"name": "B", "identifiers": ["CN.uscc:91110000600037341M"]}},
        "importer",
        "bad_check_digit",
    ),
    # admin_case
    ("admin_case", {"decision_number": None}, "decision_number", "missing_required"),
    ("admin_case", {"review_outcome": "pending"}, "final_on", "contradictory"),
    ("admin_case", {"respondents": [{"name": "李某", "kind": "sole_trader"}]}, "respondents", "individual_in_parties"),
    ("admin_case", {"penalty": {"fine": "50000"}}, "penalty", "missing_required"),
    # court_case
    ("court_case", {"case_number": "(2019)粤03民终12345号"}, "case_number", "bad_identifier"),
    ("court_case", {"case_number": "（2019）龘03民终12345号"}, "case_number", "bad_identifier"),
    ("court_case", {"case_number": "（2028）粤03民终12345号"}, "case_number", "future_date"),
    ("court_case", {"appeal_status": "pending"}, "final_on", "contradictory"),
    ("court_case", {"damages": {"punitive_multiplier": "2"}}, "damages", "missing_required"),
    ("court_case", {"sealed_entries": [{"n": 1, "text": "Formulae"}]}, "entries", "class_conflict"),
    ("court_case", {"parties": [{"name": "Li", "kind": "individual"}]}, "parties", "individual_in_parties"),
    (
        "court_case",
        {"parties": [{"name": "Li", "identifiers": ["CN.id_card:360426199101010071"]}]},
        "parties",
        "individual_in_parties",
    ),
    # settlement, referral, attestation
    ("settlement", {"enforceable": True}, "confirmed_by", "missing_required"),
    ("settlement", {"agreed_terms": "…"}, "agreed_terms", "unknown_schema"),
    ("referral", {"to_agency": "regulator-xa"}, "to_agency", "contradictory"),
    ("referral", {"evidence_manifest": [{"n": 1, "sha256": "AB" * 32}]}, "evidence_manifest", "bad_identifier"),
    ("referral", {"answered_at": "2025-05-20T10:00:00+02:00"}, "answered_at", "bad_date"),
    ("attestation", {"count_under_appeal": None}, "count_under_appeal", "missing_required"),
    ("attestation", {"expires_at": "2025-01-10T00:00:00Z"}, "expires_at", "contradictory"),
]


@pytest.mark.parametrize(("record_type", "spoiled", "field", "reason"), BAD)
def test_bad_input_is_refused_with_its_reason(record_type, spoiled, field, reason, good):
    assert reasons(record_type, good(record_type, **spoiled)) == [(field, reason)]


ODD = [
    ("trademark", {"goods_services": [{"class_number": "9"}]}, "goods_services", "missing_required"),
    (
        "trademark",
        {"goods_services": [{"class_number": "9", "texts": [{"text": "Headphones"}]}]},
        "goods_services",
        "missing_required",
    ),
    ("trademark", {"verbal_element": None}, "verbal_element", "missing_required"),
    ("trademark", {"expiry_date": "2026-04-08"}, "expiry_date", "contradictory"),
    ("patent", {"priority": [{"number": "1", "date": "2019-05-02"}]}, "priority", "contradictory"),
    (
        "design",
        {"design_status": "deferred", "deferment_until": "2027-01-01", "representations": [{"reference": "1"}]},
        "representations",
        "class_conflict",
    ),
    ("copyright_registration", {"copyright_status": "pending"}, "registration_number", "contradictory"),
    (
        "copyright_registration",
        {"copyright_status": "pending", "registration_number": None, "pending_since": "2019-02-01"},
        "pending_since",
        "contradictory",
    ),
    ("customs_recordal", {"valid_to": "2026-01-09"}, "valid_to", "contradictory"),
    ("customs_recordal", {"licensees": [{"name": "Velmora Instruments Ltd"}]}, "owner", "contradictory"),
    ("detention", {"deadline": "2026-03-21"}, "deadline", "bad_date"),
    ("detention", {"right_keys": None}, "goods_classification", "contradictory"),
    ("court_case", {"damages": {"base": "1", "punitive_multiplier": "6", "currency": "CNY"}}, "damages", "bad_number"),
    ("admin_case", {"review_outcome": "revoked"}, "case_status", "contradictory"),
    ("admin_case", {"litigation_outcome": "revoked"}, "case_status", "contradictory"),
    ("admin_case", {"earlier_cases": ["XA-MR 2025/77"]}, "case_number", "contradictory"),
    ("settlement", {"consent_to_share": [{"party_no": 1}]}, "consent_to_share", "contradictory"),
    ("referral", {"answered_at": "2025-06-02T10:00:00Z"}, "answered_at", "contradictory"),
    ("attestation", {"expires_at": "2026-11-20T00:00:00Z"}, "expires_at", "contradictory"),
]


@pytest.mark.parametrize(("record_type", "changed", "field", "reason"), ODD)
def test_odd_input_is_taken_and_flagged(record_type, changed, field, reason, good):
    fields = good(record_type, **changed)

    assert reasons(record_type, fields) == []
    assert odd(record_type, fields) == [(field, reason)]


@pytest.mark.parametrize("code", ["A1110000600037341", "N2440305600037341", "Y1110000600037341"])
def test_a_party_whose_credit_code_begins_with_a_n_or_y_is_taken(code, good):
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    code += alphabet[-sum(alphabet.index(c) * 3**i for i, c in enumerate(code)) % 31]

    fields = good("admin_case", respondents=[{"name": "Unit", "identifiers": [f"CN.uscc:{code}"]}])

    assert reasons("admin_case", fields) == []


TAKEN = [
    ("trademark", {"mark_feature": "figurative", "verbal_element": None, "images": [{"reference": "1.png"}]}),
    (
        "copyright_registration",
        {
            "copyright_status": "pending",
            "registration_number": None,
            "registration_date": None,
            "pending_since": "2026-09-01",
        },
    ),
    ("detention", {"stage": "released", "outcome": "released", "redetained_as": "D2026-0009"}),
    ("detention", {"suspected_infringement": "gray_market"}),
    ("admin_case", {"review_outcome": "revoked", "case_status": "revoked", "final_on": None}),
    ("court_case", {"outcome": "for_respondent"}),
    ("court_case", {"case_number": "（2013）民申字第0043号"}),
    ("opposition", {"earlier_rights": [{"office": "DE", "number": n} for n in ("302009019273", "302009019274")]}),
    (
        "party",
        {"name": "华为技术有限公司", "name_latin": "Huawei Technologies Co., Ltd.", "aliases": ["華為技術有限公司"]},
    ),
    ("party", {"name": "某（深圳）公司", "aliases": ["某(深圳)公司"]}),
    ("settlement", {"consent_to_share": [{"party_no": 1}, {"party_no": 2, "until": "2020-01-01"}]}),
]


@pytest.mark.parametrize(("record_type", "said"), TAKEN)
def test_what_only_looks_wrong_is_taken_as_it_is(record_type, said, good):
    fields = good(record_type, **said)

    assert reasons(record_type, fields) == []
    assert odd(record_type, fields) == []


def test_a_tariff_code_of_another_edition_is_flagged_when_the_edition_is_at_hand(good, tmp_path):
    (tmp_path / "hs-2022.csv").write_text("hscode\n847130\n")
    editions = Editions.read(tmp_path)

    assert odd("detention", good("detention"), editions=editions) == [("goods_classification", "bad_hs_edition")]
    assert odd("detention", good("detention")) == []


def test_all_faults_are_told_at_once_and_none_repeats_what_the_record_says(good):
    fields = good("detention", stage="sunk", importer={"name": "Secret Ltd", "vat": "77"}, suspended_on="2030-01-01")

    found = validate("detention", fields, today=TODAY)

    assert [finding.field for finding in found] == ["importer", "stage", "suspended_on"]
    assert not any(word in str(found) for word in ("Secret", "77", "sunk", "2030"))


def test_the_place_inside_a_field_is_told(good):
    found = validate("detention", good("detention", goods_classification=[{"line": 1, "hs": "85183"}]), today=TODAY)

    assert found == [
        Finding("goods_classification", "bad_identifier", "0/hs: a tariff code has 2, 4, 6, 8, 10 or 13 digits")
    ]


def test_a_holder_may_say_what_belongs_to_the_envelope(good):
    fields = good("court_case") | {
        "status": "sealed",
        "language": "zh",
        "sealed_groups": ["court_case.outcome"],
        "provenance": {"legal_basis": "Court Records Rules, r. 4"},
        "retention_until": "2040-01-01",
    }

    assert reasons("court_case", fields) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_any_json_is_judged_with_reasons_of_the_closed_list_and_nothing_else(data):
    record_type = data.draw(st.sampled_from(sorted(CATALOGUE.types)))
    known = sorted(CATALOGUE.types[record_type].fields)
    fields = data.draw(
        st.dictionaries(st.sampled_from([*known, "status", "language", "other"]), json_values, max_size=6)
    )

    for finding in validate(record_type, fields, today=TODAY):
        assert finding.reason in REASONS
    oddities(record_type, fields, today=TODAY)
