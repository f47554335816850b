"""Identifiers of real files, where the folder is present: the counts are those the files were delivered with."""

# ruff: noqa: RUF001  (Chinese courts write full-width brackets)

import csv
import json
import re
from datetime import date

import pytest
from lxml import etree

from gateway.records.identifiers import IdentifierError, canonical
from gateway.records.identifiers.hs import Editions, edition_on


def texts(folder, pattern, name):
    """All texts of elements with this local name, in the order of the files; what is not XML is not read."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    for path in sorted(folder.glob(pattern)):
        for element in etree.parse(path, parser).iter("{*}" + name):
            if element.text:
                yield path.name, element.text


def holds(kind, text):
    try:
        return bool(canonical(kind, text))
    except IdentifierError:
        return False


def test_all_111_marks_and_61_designs_of_euipo_hold(ipdata):
    marks = [path.stem for path in (ipdata / "trademark/euipo").glob("*.xml")]
    designs = [path.stem for path in (ipdata / "design/euipo").glob("*.xml")]

    assert (len(marks), sum(holds("EM.trademark", text) for text in marks)) == (111, 111)
    assert (len(designs), sum(holds("EM.design", text) for text in designs)) == (61, 61)


@pytest.mark.parametrize(
    ("folder", "element", "kind", "count"),
    [
        ("trademark/euipo", "OppositionIdentifier", "EM.opposition", 31),
        ("trademark/euipo", "AppealIdentifier", "EM.appeal", 1),
        ("trademark/euipo", "ClassNumber", "nice", 180),
        ("trademark/euipo", "CategoryCode", "vienna", 184),
        ("design/euipo", "ClassNumber", "locarno", 62),
    ],
)
def test_numbers_and_classes_of_euipo_hold(ipdata, folder, element, kind, count):
    found = [text for _, text in texts(ipdata / folder, "*.xml", element)]

    assert len(found) == count
    assert [text for text in found if not holds(kind, text)] == []


def test_all_9_chinese_application_numbers_hold_and_4_in_the_worldwide_form(ipdata):
    files = [path.read_text(encoding="utf-8", errors="replace") for path in (ipdata / "patent/cnipa").glob("*.xml")]
    national = {number for text in files for number in re.findall(r">((?:19|20)\d{10}\.[\dX])<", text)}
    worldwide = {"CN" + number for text in files for number in re.findall(r">(10(?:20)\d{2}00\d{7})<", text)}

    assert (len(national), sum(holds("CN.application", number) for number in national)) == (9, 9)
    assert worldwide
    assert all(holds("st13", number) for number in worldwide)


def test_german_file_numbers_hold_with_their_check_digits(ipdata):
    found = {
        number
        for path in (ipdata / "dpma").glob("*.xml")
        for number in re.findall(r"\b(M?\d{7,12}\.\d)\b", path.read_text(encoding="utf-8"))
    }

    assert found
    assert [number for number in found if not holds("DE.file", number)] == []
    assert canonical("DE.file", "3020090192731") == "302009019273.1"


def test_53_us_mark_serials_hold_and_the_3_foreign_numbers_in_their_field_do_not(ipdata):
    found = {text for _, text in texts(ipdata / "trademark/tsdr", "*.xml", "ApplicationNumberText") if text.strip()}
    refused = {text for text in found if not holds("US.mark_serial", text)}

    assert len(found - refused) == 53
    assert refused == {"1087917", "A0025288", "RM2011C00315"}


def test_patent_symbols_hold_after_blanks_versions_and_flags_are_dropped(ipdata):
    found = [
        text
        for office, name in (("cnipa", "text"), ("jpo", "main-clsf"), ("jpo", "further-clsf"))
        for _, text in texts(ipdata / "patent" / office, "*.xml", name)
        if re.match(r"[A-HY]\d{2}[A-Z]", text)
    ]

    assert len(found) > 30
    assert [text for text in found if not holds("ipc", text)] in ([], ["H02K0016000000"])


def test_five_dockets_and_every_trial_of_the_patent_board_hold(ipdata):
    dockets = [
        json.loads(path.read_text(encoding="utf-8")).get("docket_number")
        for path in (ipdata / "court").glob("us_*.json")
        if isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    ]
    dockets = [number for number in dockets if number]
    decisions = (ipdata / "uspto_odp/search_trial_decisions.json").read_text(encoding="utf-8")
    trials = set(re.findall(r'"trialNumber": *"([^"]+)"', decisions))

    assert [number for number in dockets if not holds("US.docket", number)] == []
    assert len(dockets) == 5
    assert trials
    assert all(holds("US.trial", number) for number in trials)


def test_a_chinese_ruling_and_the_judgments_it_cites_hold(ipdata):
    ruling = (ipdata / "court/cn_spc_2013_minshen_1643.json").read_text(encoding="utf-8")
    cited = set(re.findall(r"[（(]\d{4}[）)][\u4e00-\u9fff]{1,12}第\d+号", ruling))

    assert canonical("CN.case", "(2013)民申字第1643号") in cited
    assert [number for number in cited if not holds("CN.case", number)] == []


def test_1906_of_2000_declared_tariff_codes_stand_in_the_edition_of_2022(ipdata, tmp_path):
    (tmp_path / "hs-2022.csv").symlink_to(ipdata / "codes/harmonized-system.csv")
    editions = Editions.read(tmp_path)
    with (ipdata / "customs/kcs_import_declarations_valid_2000.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    column = next(name for name in rows[0] if "HS" in name.upper())
    codes = [canonical("hs", row[column].zfill(6)) for row in rows]

    known = sum(editions.knows(code, date(2023, 5, 1)) for code in codes)

    assert (len(codes), known) == (2000, 1906)
    assert editions.knows(codes[0], date(2018, 1, 1)) is None


def test_the_edition_is_that_in_force_on_the_day():
    assert edition_on(date(2021, 12, 31)) == 2017
    assert edition_on(date(2022, 1, 1)) == 2022
    assert edition_on(date(1987, 1, 1)) is None
