"""Records that are right in themselves and do not fit each other: each case is told once, and good ones are not."""

import pytest

from gateway.records.consistency import Compared, inconsistencies

MARK_KEY = "EM|trademark|018222197"
MARK = {
    "office": "EM",
    "application_number": "018222197",
    "verbal_element": "Velmora",
    "expiry_date": "2030-04-01",
    "goods_services": [{"class_number": "9"}, {"class_number": "14"}],
    "owners": [{"name": "Velmora Instruments Ltd"}],
}
RECORDAL = {
    "recordal_number": "R1",
    "right_key": MARK_KEY,
    "owner": "VELMORA INSTRUMENTS LTD.",
    "authority": "Customs of XA",
    "valid_from": "2025-01-01",
    "valid_to": "2026-12-31",
    "recordal_status": "active",
    "approved_goods": [{"description": "watches", "class_number": "14"}],
}
DETENTION = {
    "detention_number": "D1",
    "stage": "detained",
    "recordal_number": "R1",
    "right_keys": [MARK_KEY],
    "suspended_on": "2026-03-04",
    "serial_numbers": ["SN-1"],
}
ASSIGNMENT = {
    "event_type": "assignment",
    "record_number": "1/1",
    "right_keys": [MARK_KEY],
    "executed_date": "2020-01-01",
    "assignors": [{"name": "Harbour Founders GmbH"}],
    "assignees": [{"name": "Velmora Instruments Ltd"}],
}
LICENCE = {
    "event_type": "licence_exclusive",
    "record_number": "2/1",
    "right_keys": [MARK_KEY],
    "executed_date": "2021-05-01",
    "licensors": [{"name": "Velmora Instruments Ltd"}],
    "licensees": [{"name": "Sundar Assembly"}],
}
WORK = {
    "office": "US",
    "registration_number": "VA1",
    "title": [{"lang": "en", "text": "Harbour lights"}],
    "authors": [{"name": "A. Author"}],
}
VARIETY = {"office": "QZ", "application_number": "20120001", "denomination": "Rosabelle"}
INDICATION = {
    "office": "EU",
    "file_number": "PGI-CN-02624",
    "authorised_users": [{"name": "Qinzhou Millet Group", "country": "CN"}],
}
CASE = {
    "case_number": "MR 77",
    "authority": "Market Regulator of XA",
    "cause": "counterfeit watches",
    "right_keys": [MARK_KEY],
    "decided_on": "2025-05-02",
    "respondents": [{"name": "Brennick Wholesale Ltd"}],
    "detention_numbers": ["D1"],
}
COMPANY = {"party_id": "1", "name": "Velmora Instruments Ltd", "uscc": "91110000600037341L"}

TYPES = {
    "trademark": MARK,
    "customs_recordal": RECORDAL,
    "detention": DETENTION,
    "ownership_event": ASSIGNMENT,
    "copyright_registration": WORK,
    "plant_variety": VARIETY,
    "geographical_indication": INDICATION,
    "admin_case": CASE,
    "party": COMPANY,
}
GOOD = [Compared(name, name, fields) for name, fields in TYPES.items()] + [
    Compared("licence", "ownership_event", LICENCE)
]


def changed(name, **changes):
    """Give the good records with one of them changed, or with another one beside it."""
    return [Compared(one.name, one.record_type, {**one.fields, **changes}) if one.name == name else one for one in GOOD]


def beside(record_type, **fields):
    return [*GOOD, Compared("other", record_type, {**TYPES[record_type], **fields})]


def test_records_that_fit_each_other_are_told_nothing_of():
    assert inconsistencies(GOOD) == []


NAMED_OTHERWISE = [{"name": "Calder Mobile Ltd"}]


@pytest.mark.parametrize(
    ("records", "kind", "field", "names"),
    [
        (
            beside("ownership_event", record_number="1/2", executed_date="2022-01-01", assignors=NAMED_OTHERWISE),
            "broken_chain",
            "assignors",
            ("other", "ownership_event"),
        ),
        (
            beside(
                "ownership_event",
                record_number="1/2",
                executed_date="2022-01-01",
                assignors=[{"name": "Velmora Instruments Ltd"}],
                assignees=NAMED_OTHERWISE,
            ),
            "owner_behind_chain",
            "owners",
            ("trademark", "other"),
        ),
        (
            changed("licence", licensors=NAMED_OTHERWISE),
            "licence_by_non_owner",
            "licensors",
            ("licence", "ownership_event"),
        ),
        (
            changed("licence", executed_date="2019-05-01"),
            "licence_by_non_owner",
            "licensors",
            ("licence", "ownership_event"),
        ),
        (
            beside("ownership_event", record_number="3/1", event_type="correction", corrects="9/9"),
            "points_nowhere",
            "corrects",
            ("other",),
        ),
        (
            beside("ownership_event", record_number="3/1", event_type="pledge_release", release_of="2/1"),
            "points_elsewhere",
            "release_of",
            ("other", "licence"),
        ),
        (
            beside("ownership_event", record_number="3/1", event_type="sublicence", sublicence_of="7/7"),
            "points_nowhere",
            "sublicence_of",
            ("other",),
        ),
        (
            beside("copyright_registration", registration_number="VA2"),
            "one_work_twice",
            "title",
            ("other", "copyright_registration"),
        ),
        (
            changed("plant_variety", denomination="VELMORA"),
            "denomination_is_a_mark",
            "denomination",
            ("plant_variety", "trademark"),
        ),
        (
            changed("geographical_indication", authorised_users=[{"name": "Elsewhere Ltd", "country": "DE"}]),
            "user_outside_region",
            "authorised_users",
            ("geographical_indication",),
        ),
        (
            changed("trademark", expiry_date="2024-06-01"),
            "recordal_of_expired_right",
            "valid_from",
            ("customs_recordal", "trademark"),
        ),
        (
            changed("customs_recordal", owner="Calder Mobile Ltd"),
            "recordal_of_another_owner",
            "owner",
            ("customs_recordal", "trademark"),
        ),
        (
            changed("customs_recordal", owner_name_local="维尔莫拉仪器公司"),
            "local_name_differs",
            "owner_name_local",
            ("customs_recordal", "trademark"),
        ),
        (
            changed("customs_recordal", approved_goods=[{"description": "shoes", "class_number": "25"}]),
            "goods_outside_class",
            "approved_goods",
            ("customs_recordal", "trademark"),
        ),
        (
            beside("customs_recordal", recordal_number="R2", valid_from="2026-12-31", valid_to="2028-01-01"),
            "overlapping_recordals",
            "right_key",
            ("other", "customs_recordal"),
        ),
        (
            changed("detention", suspended_on="2027-01-01"),
            "recordal_expired",
            "recordal_number",
            ("detention", "customs_recordal"),
        ),
        (
            changed("detention", suspended_on="2024-12-31"),
            "recordal_not_yet",
            "recordal_number",
            ("detention", "customs_recordal"),
        ),
        (
            changed("detention", right_keys=["EM|trademark|1"]),
            "recordal_of_another_right",
            "right_keys",
            ("detention", "customs_recordal"),
        ),
        (
            beside("detention", detention_number="D0", stage="released", suspended_on="2026-01-04"),
            "detained_again",
            "serial_numbers",
            ("detention", "other"),
        ),
        (
            beside("admin_case", case_number="QX 12", authority="Quality Board of XA", decided_on="2025-07-01"),
            "same_facts_twice",
            "case_number",
            ("other", "admin_case"),
        ),
        (beside("party", party_id="2", name="Harbour Ltd"), "one_number_two_names", "name", ("other", "party")),
        (
            beside("party", party_id="2", uscc="91350211M000100Y43"),
            "one_name_two_numbers",
            "name",
            ("other", "party"),
        ),
    ],
)
def test_what_does_not_fit_is_told_with_both_records_and_the_field(records, kind, field, names):
    [found] = inconsistencies(records)

    assert (found.kind, found.field, found.records) == (kind, field, names)
    assert len(found.sentence) > 15


@pytest.mark.parametrize(
    "records",
    [
        # the day on which a recordal ends is a day on which it holds
        changed("detention", suspended_on="2026-12-31"),
        # a recordal that follows on another one
        beside("customs_recordal", recordal_number="R2", valid_from="2027-01-01", valid_to="2028-12-31"),
        beside("customs_recordal", recordal_number="R2", recordal_status="revoked"),
        # another authority records the same right, as it may
        beside("customs_recordal", recordal_number="R2", authority="Customs of XB"),
        # a name in another writing
        changed("customs_recordal", owner="Velmora  Instruments, Ltd"),
        # another author's work of the same title
        beside("copyright_registration", registration_number="VA2", authors=[{"name": "B. Author"}]),
        # two penalties of one party for two acts
        beside(
            "admin_case", case_number="QX 12", authority="Quality Board", decided_on="2025-07-01", detention_numbers=[]
        ),
        # an entry that was cancelled takes no part in the chain
        beside("ownership_event", record_number="1/2", assignors=NAMED_OTHERWISE, event_status="cancelled"),
        # goods of another shipment
        beside(
            "detention", detention_number="D0", stage="released", serial_numbers=["SN-2"], suspended_on="2026-01-04"
        ),
    ],
)
def test_what_only_looks_alike_is_not_told(records):
    assert inconsistencies(records) == []


def test_party_names_in_chinese_and_latin_brackets_are_one_writing():
    chinese = [{"name": "华为（深圳）公司"}]  # noqa: RUF001

    of_other_right = {"right_keys": ["CN|trademark|5"]}
    following = {"record_number": "1/3", "executed_date": "2021-01-01", "assignors": [{"name": "华为(深圳)公司"}]}
    records = [
        *beside("ownership_event", record_number="1/2", assignees=chinese, **of_other_right),
        Compared("next", "ownership_event", ASSIGNMENT | of_other_right | following),
    ]

    assert inconsistencies(records) == []
