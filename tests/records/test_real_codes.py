"""Code tables against the official lists and real files, where the folder is present."""

import csv
import re
import tarfile

import pytest
from lxml import etree

from gateway.records.codes import code, code_table


def rows(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_st3_is_the_list_of_st96_and_the_codes_of_the_demo_world(ipdata):
    with tarfile.open(ipdata / "st96/xsd/ST96XMLSchema_V6_0_Flattened.tar.xz") as archive:
        member = next(name for name in archive.getnames() if name.endswith("/Common_V6_0.xsd"))
        schema = archive.extractfile(member).read().decode()
    listed = re.search(r'name="WIPOST3CodeType">(.*?)</xsd:simpleType>', schema, re.DOTALL)[1]
    official = set(re.findall(r'enumeration value="([A-Z]{2})"', listed))

    assert len(official) == 233
    assert set(code_table("st3").words) == official | {"XA", "XB", "XC", "XD"}


def test_countries_have_their_three_official_codes(ipdata):
    for row in rows(ipdata / "codes/country-codes.csv"):
        alpha2 = row["ISO3166-1-Alpha-2"]
        assert code("iso3166-alpha2", alpha2) == alpha2
        assert code("iso3166-alpha3", row["ISO3166-1-Alpha-3"]) == alpha2
        assert code("iso3166-numeric", row["ISO3166-1-numeric"].zfill(3)) == alpha2
        assert code("iso3166-numeric", row["ISO3166-1-numeric"]) == alpha2


def test_every_us_status_has_a_word_that_is_alive_or_dead_as_the_office_says(ipdata):
    exceptions = {"410", "413"}
    """Abandoned or cancelled by their text, pending by their mark."""
    stage_of = {word: about["stage"] for word, about in code_table("mark-status").words.items()}
    listed = rows(ipdata / "codes/uspto_tm_status_codes.csv")

    assert len(listed) == 169
    for row in listed:
        stage = stage_of[code("tsdr-status", row["code"])]
        if row["code"] not in exceptions and not row["live_dead_indicator"].startswith("Indifferent"):
            is_alive = stage in {"applied", "registered", "unknown"}
            assert is_alive == row["live_dead_indicator"].startswith("Live"), row
            if row["live_dead_indicator"] == "Live/Registered":
                assert stage == "registered", row


@pytest.mark.parametrize(
    ("folder", "element", "table", "count"),
    [
        ("trademark/euipo", "MarkCurrentStatusCode", "euipo-status", 111),
        ("trademark/euipo", "KindMark", "euipo-category", 111),
        ("design/euipo", "DesignCurrentStatusCode", "euipo-design-status", 60),
        ("trademark/euipo", "RegistrationOfficeCode", "st3", 111),
        ("trademark/euipo", "EarlierMarkCountryCode", "st3", 67),
    ],
)
def test_every_code_in_the_files_of_euipo_is_known(ipdata, folder, element, table, count):
    texts = [
        node.text.strip()
        for path in (ipdata / folder).glob("*.xml")
        for node in etree.parse(path).iter("{*}" + element)
    ]

    assert len(texts) == count
    assert all(code(table, text) for text in texts)


def test_every_feature_of_marks_in_the_files_is_known(ipdata):
    for folder, table, count in (("trademark/euipo", "euipo-feature", 178), ("trademark/tsdr", "tsdr-feature", 6)):
        texts = [
            node.text.strip()
            for path in (ipdata / folder).glob("*.xml")
            for node in etree.parse(path).iter("{*}MarkFeature")
            if node.text
        ]
        assert len(texts) == count
        assert all(code(table, text) for text in texts)
