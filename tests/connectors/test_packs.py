"""Each mapping pack over its made-up file, and over the real files where they are present, with the real catalogue."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.mapping import Mapped
from connectors.protocol import Found
from connectors.quarantine import Quarantined, Reason
from gateway.records.reasons import REASONS

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


@pytest.fixture
def apply(pack):
    def run(name, path):
        return pack(name).apply(Found(path.read_bytes(), "application/xml", path.name, None, None, NOW))

    return run


def test_a_trade_mark_of_euipo(apply):
    outcome = apply("euipo-tm-xml", FIXTURES / "euipo-tm-xml.xml")

    assert isinstance(outcome, Mapped), outcome
    assert (outcome.key, outcome.revised, outcome.flags) == ("900000001", datetime(2025, 3, 4, 9, 0, tzinfo=UTC), ())
    assert outcome.fields == {
        "language": "en",
        "office": "EM",
        "application_number": "900000001",
        "application_date": "2024-05-06",
        "registration_date": "2024-11-12",
        "expiry_date": "2034-05-06",
        "mark_category_raw": "Individual",
        "mark_category": "individual",
        "mark_feature_raw": "Figurative",
        "mark_feature": "figurative",
        "mark_status_raw": "Registered",
        "mark_status": "registered",
        "status_date": "2024-11-12",
        "events": [{"date": "2025-01-02", "code": "Published", "text": "Proprietor - Total transfers"}],
        "publications": [{"identifier": "2024/100", "date": "2024-06-07", "section": "A.1", "page": "0"}],
        "verbal_element": "ZWILLAR BLUE",
        "vienna_codes": ["27.05.01", "26.04.02"],
        "images": [{"n": 1, "reference": "000900000001", "media_type": "image/jpeg"}],
        "goods_services": [
            {
                "class_number": "9",
                "texts": [{"lang": "en", "text": "Barometers."}, {"lang": "fr", "text": "Baromètres."}],
            },
            {"class_number": "42", "texts": [{"lang": "en", "text": "Weather forecasting."}]},
        ],
        "priority": [
            {"office": "FR", "number": "24 0000001", "date": "2024-01-15", "status": "Claimed", "partial": False}
        ],
        "seniority": [
            {"office": "GB", "number": "UK00000000001", "date": "2001-02-03", "status": "Accepted", "partial": True}
        ],
        "owners": [
            {"party_no": 1, "role": "applicant", "party_id": "EUIPO:11111"},
            {"party_no": 2, "role": "applicant", "party_id": "EUIPO:22222"},
        ],
        "representatives": [{"role": "representative", "party_id": "EUIPO:33333"}],
        "extensions": outcome.fields["extensions"],
    }
    assert outcome.fields["extensions"]["t:OppositionDetails"] == {
        "t:Opposition": {"t:OppositionIdentifier": "900000099"}
    }


UNITED_STATES = {
    "office": "US",
    "application_number": "99000001",
    "registration_number": "9000001",
    "application_date": "2018-04-17",
    "registration_date": "2019-02-03",
    "mark_category": "trademark_and_service_mark",
    "mark_feature": "word",
    "mark_status_raw": "700",
    "mark_status": "registered",
    "status_date": "2019-02-03",
    "events": [{"date": "2019-02-03", "code": "REGS", "text": "REGISTERED"}],
    "publications": [{"identifier": "Official Gazette", "date": "2018-11-12"}],
    "verbal_element": "ZWILLAR",
    "translation": [{"text": "twice"}],
    "colours": "Color is not claimed.",
    "disclaimer": [{"text": '"BLUE"'}],
    "goods_services": [{"class_number": "9", "texts": [{"text": "Barometers"}]}],
    "priority": [{"office": "IT", "number": "RM0000001", "date": "2018-01-02"}],
    "associated_marks": [{"office": "WO", "number": "A0000001"}],
    "owners": [{"party_no": 1, "role": "owner", "name": "Zwillar Holding, Inc.", "country": "US"}],
    "owner_contacts": [{"party_no": 1, "address": "1 Nowhere Road, Nowhere, OHIO, 00000", "country": "US"}],
    "representatives": [{"role": "representative", "name": "A. Nobody"}],
}


@pytest.mark.parametrize(
    ("name", "more"),
    [("tsdr-st96", {"images": [{"reference": "99000001.png"}]}), ("tsdr-st96-old", {}), ("tsdr-st66", {})],
)
def test_a_trade_mark_of_the_united_states_in_each_dialect(apply, name, more):
    outcome = apply(name, FIXTURES / f"{name}.xml")

    assert isinstance(outcome, Mapped), outcome
    assert {key: value for key, value in outcome.fields.items() if key != "extensions"} == UNITED_STATES | more
    assert "Former Owner LLC" in str(outcome.fields["extensions"])


def test_another_dialect_is_named_as_the_wrong_namespace(apply):
    outcome = apply("tsdr-st96", FIXTURES / "tsdr-st96-old.xml")

    assert isinstance(outcome, Quarantined)
    assert [why.reason for why in outcome.reasons] == [Reason.WRONG_NAMESPACE]


def test_a_delete_notice_of_euipo_is_a_tombstone(pack):
    mapping = pack("euipo-tm-xml")
    raw = (FIXTURES / "euipo-tm-xml.xml").read_bytes().replace(b'"Insert"', b'"Delete"')

    document = mapping.format.parse(raw)

    assert (len(document.records()), [mapping.identify(node).key for node in document.deleted()]) == (0, ["900000001"])


@pytest.mark.parametrize(
    ("old", "new", "field", "reason"),
    [
        ("<ApplicationDate>2024-05-06</ApplicationDate>", "", "application_date", Reason.MISSING_REQUIRED),
        ("2024-11-12</RegistrationDate>", "2024-05-05</RegistrationDate>", "registration_date", Reason.CONTRADICTORY),
        ("<ApplicationNumber>900000001", "<ApplicationNumber>90000001", "application_number", Reason.BAD_IDENTIFIER),
        ("<ClassNumber>9<", "<ClassNumber>46<", "goods_services[0].class_number", Reason.BAD_IDENTIFIER),
        ("<ClassNumber>9<", "<ClassNumber>0<", "goods_services[0].class_number", Reason.BAD_IDENTIFIER),
        (">Registered<", ">Reincarnated<", "mark_status", Reason.UNKNOWN_CODE),
        ("2024-05-06</App", "2124-05-06</App", "application_date", Reason.FUTURE_DATE),
        ("ZWILLAR", "D\u00c3\u00bcsseldorf", "verbal_element", Reason.WRONG_ENCODING),
        ("EM</RegistrationOffice", "QQ</RegistrationOffice", "office", Reason.UNKNOWN_CODE),
        ("2025-03-04T10", "2095-03-04T10", "revised", Reason.FUTURE_DATE),
    ],
)
def test_bad_input_for_a_trade_mark_is_quarantined_with_its_reason(pack, old, new, field, reason):
    text = (FIXTURES / "euipo-tm-xml.xml").read_text(encoding="utf-8")
    assert old in text

    outcome = pack("euipo-tm-xml").apply(
        Found(text.replace(old, new).encode(), "application/xml", "made-up", None, None, NOW)
    )

    assert isinstance(outcome, Quarantined), outcome
    assert (field, reason) in [(why.field, why.reason) for why in outcome.reasons]


def test_a_bad_vienna_code_is_flagged_and_the_mark_is_served(pack):
    text = (FIXTURES / "euipo-tm-xml.xml").read_text(encoding="utf-8").replace("27.05.01", "27-5")

    outcome = pack("euipo-tm-xml").apply(Found(text.encode(), "application/xml", "made-up", None, None, NOW))

    assert isinstance(outcome, Mapped)
    assert outcome.fields["vienna_codes"] == ["26.04.02"]
    assert [flag.rejection.field for flag in outcome.flags] == ["vienna_codes[0]"]
    assert "27-5" in str(outcome.fields["extensions"])


def outcomes(apply, name, paths):
    return {path.name: apply(name, path) for path in sorted(paths)}


def test_the_real_euipo_files_map_but_for_the_one_without_application_date(apply, ipdata):
    found = outcomes(apply, "euipo-tm-xml", (ipdata / "trademark" / "euipo").glob("*.xml"))

    rejected = {name: outcome.reasons for name, outcome in found.items() if isinstance(outcome, Quarantined)}

    assert len(found) == 111
    assert list(rejected) == ["018229614.xml"]
    (why,) = rejected["018229614.xml"]
    assert (why.field, why.reason) == ("application_date", Reason.MISSING_REQUIRED)
    assert why.where.endswith("/t:TradeMark/t:ApplicationDate")


def test_the_real_euipo_files_fill_what_they_were_counted_to_hold(apply, ipdata):
    found = outcomes(apply, "euipo-tm-xml", (ipdata / "trademark" / "euipo").glob("*.xml"))
    counts = Counter(name for outcome in found.values() if isinstance(outcome, Mapped) for name in outcome.fields)

    # 018229614, which is not among them, is a registered word mark with an image.
    assert (counts["registration_date"], counts["expiry_date"]) == (75, 75)
    assert (counts["verbal_element"], counts["images"]) == (107, 46)
    assert (counts["priority"], counts["seniority"], counts["events"]) == (19, 8, 17)
    assert (counts["publications"], counts["owners"], counts["representatives"]) == (102, 97, 88)
    assert not [outcome for outcome in found.values() if isinstance(outcome, Mapped) and outcome.flags]


@pytest.mark.parametrize(
    ("name", "match", "files"),
    [("tsdr-st96", "*-ST96.xml", 5), ("tsdr-st66", "*ST66.xml", 5), ("tsdr-st96-old", "*ST96-old.xml", 2)],
)
def test_every_real_us_file_maps_with_the_pack_of_its_dialect(apply, ipdata, name, match, files):
    found = outcomes(apply, name, (ipdata / "trademark" / "tsdr").glob(match))

    assert [type(outcome) for outcome in found.values()] == [Mapped] * files


@pytest.mark.parametrize("name", ["rn3886986", "sn77478018", "sn85334015", "sn87881347"])
def test_one_mark_in_st_66_and_in_st_96_is_one_record(apply, ipdata, name):
    folder = ipdata / "trademark" / "tsdr"

    st96 = apply("tsdr-st96", folder / f"{name}-ST96.xml")
    st66 = apply("tsdr-st66", folder / f"{name}-ST66.xml")

    # ST.66 does not say how the file of the image is called.
    left_out = {"extensions", "images"}
    assert {key: value for key, value in st96.fields.items() if key not in left_out} == {
        key: value for key, value in st66.fields.items() if key not in left_out
    }


def test_a_pair_fetched_at_different_times_differs_only_in_what_happened_between(apply, ipdata):
    folder = ipdata / "trademark" / "tsdr"

    st96 = apply("tsdr-st96", folder / "rn2713476-ST96.xml").fields
    st66 = apply("tsdr-st66", folder / "rn2713476-ST66.xml").fields

    differing = {key for key in st96.keys() | st66.keys() if st96.get(key) != st66.get(key)}
    assert differing == {"extensions", "images", "events", "owner_contacts", "representatives"}
    assert st96["events"][-len(st66["events"]) :] == st66["events"]
    assert sorted(map(str, st96["representatives"])) == sorted(map(str, st66["representatives"]))


def test_the_reasons_of_quarantine_are_those_of_the_catalogue():
    assert {str(reason) for reason in Reason} == REASONS
