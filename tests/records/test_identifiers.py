"""Identifier rules: what they accept, how they write it, what they refuse and why."""

# ruff: noqa: RUF001  (Chinese courts write full-width brackets)

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.records.identifiers import RULES, IdentifierError, canonical

WRITTEN = [
    ("st3", "EM", "EM"),
    ("st3", "XA", "XA"),
    ("st13", "CN102015000481495", "CN102015000481495"),
    ("CN.application", "CN202111286633.X", "202111286633.X"),
    ("CN.application", "ZL2014105131875", "201410513187.5"),
    ("CN.application", "85100001.0", "85100001.0"),
    ("DE.file", "3020090192731", "302009019273.1"),
    ("DE.file", "302009019273.1", "302009019273.1"),
    ("DE.docdb", "302009019273", "302009019273.1"),
    ("DE.docdb", "69905327", "69905327.7"),
    ("EM.trademark", "018222197", "018222197"),
    ("EM.trademark", "W01234567", "W01234567"),
    ("EM.trademark", "W01234567A", "W01234567A"),
    ("EM.design", "001063002-0001", "001063002-0001"),
    ("EM.opposition", "003125678", "003125678"),
    ("EM.appeal", "R1234/2020-4", "R1234/2020-4"),
    ("EM.appeal", "R12/2019-G", "R12/2019-G"),
    ("EU.gi", "IT/PDO/0117/0015", "IT/PDO/0117/0015"),
    ("EU.gi", "PGI-CN-02624", "PGI-CN-02624"),
    ("US.mark_serial", "78002299", "78002299"),
    ("US.mark_registration", "0713476", "713476"),
    ("US.application", "16/123,456", "16123456"),
    ("US.patent", "D0435854", "D435854"),
    ("US.patent", "10000000", "10000000"),
    ("WO.pct", "PCT/JP2003/05952", "PCT/JP2003/005952"),
    ("WO.pct", "PCT/JP2014/059529", "PCT/JP2014/059529"),
    ("WO.hague", "DM/081234", "DM/081234"),
    ("WO.madrid", "0796077A", "796077A"),
    ("JP.application", "2020123456", "2020-123456"),
    ("KR.application", "1020160063019", "10-2016-0063019"),
    ("nice", "009", "9"),
    ("nice", "45", "45"),
    ("vienna", "2.1.25", "02.01.25"),
    ("locarno", "21.01", "21-01"),
    ("locarno", "07 - 02", "07-02"),
    ("locarno", "32.00", "32-00"),
    ("ipc", "B01J   8/    00            A I                    ", "B01J8/00"),
    ("ipc", "H01M  10/54        20060101AFI20210219BHJP        ", "H01M10/54"),
    ("ipc", "C12R    1/645   (2006.01)", "C12R1/645"),
    ("ipc", "A23L17/00 101H", "A23L17/00"),
    ("cpc", "H01M2300/0085", "H01M2300/0085"),
    ("ipc", "A61B005/00", "A61B5/00"),
    ("hs", "8471.30", "847130"),
    ("hs", "8471 30 01 00", "8471300100"),
    ("hs", "98130010", "98130010"),
    ("upov", "MALUS_DOM", "MALUS_DOM"),
    ("st27_event", "R14", "R14"),
    ("CN.case", "(2013)民申字第1643号", "（2013）民申字第1643号"),
    ("CN.case", "（2019）粤03民终12345号", "（2019）粤03民终12345号"),
    ("CN.case", "（２０２１） 最高法知民终 0012 号", "（2021）最高法知民终0012号"),
    ("CN.case", "（2019）粤03民终12345号之一", "（2019）粤03民终12345号之一"),
    ("US.docket", "2:23-cv-01194", "2:23-cv-01194"),
    ("US.trial", "IPR2021-01599", "IPR2021-01599"),
    ("ecli", "ecli:de:bgh:2018:090418UVIZR194.17.0", "ECLI:DE:BGH:2018:090418UVIZR194.17.0"),
    ("ecli", "ECLI:EU:C:2018:881", "ECLI:EU:C:2018:881"),
    ("eori", "GB123456789000", "GB123456789000"),
    ("eori", "XI123456789000", "XI123456789000"),
    ("CN.uscc", "91110000600037341L", "91110000600037341L"),
    ("lei", "213800KUD8LAJWSQ9D15", "213800KUD8LAJWSQ9D15"),
    ("isbn", "978-0-471-11709-4", "9780471117094"),
    ("container", "CSQU3054383", "CSQU3054383"),
]


@pytest.mark.parametrize(("kind", "text", "stored"), WRITTEN)
def test_a_printed_form_is_stored_in_one_form(kind, text, stored):
    assert canonical(kind, text) == stored


def test_every_rule_of_our_own_has_an_example():
    assert {kind for kind, _, _ in WRITTEN} >= {kind for kind in RULES if kind[0].islower() or "." in kind} - {
        kind for kind in RULES if RULES[kind].__module__.endswith("registered_numbers")
    }


REFUSED = [
    ("st3", "QX", "two letters no office has"),
    ("st3", "em", "lower case"),
    ("st13", "QX102015000481495", "no office"),
    ("CN.application", "202141286633.X", "kind digit 4"),
    ("EM.trademark", "01822219", "eight digits"),
    ("EM.trademark", " 018222197", "padded"),
    ("EM.trademark", "０１８２２２１９７", "full-width digits"),
    ("EM.design", "001063002", "suffix missing"),
    ("EM.appeal", "R1234/2020", "board missing"),
    ("EU.gi", "IT/TSG/0117/0015", "a speciality is no indication"),
    ("US.mark_serial", "A0025288", "a foreign number in the US field"),
    ("US.mark_serial", "50123456", "a series not used for marks"),
    ("US.mark_registration", "0000000", "zero"),
    ("US.patent", "D0", "zero"),
    ("WO.pct", "PCT/QX2014/059529", "no receiving office"),
    ("WO.madrid", "12345678", "eight digits"),
    ("KR.application", "11-2016-0063019", "kind 11"),
    ("nice", "0", "class 0"),
    ("nice", "46", "class 46"),
    ("nice", "", "nothing"),
    ("vienna", "30.01.01", "category 30"),
    ("locarno", "33-01", "class 33"),
    ("ipc", "H02K0016000000", "no slash"),
    ("ipc", "H04W84/20,  // H04W88/04", "two symbols"),
    ("hs", "84713", "five digits"),
    ("hs", "770000", "chapter 77"),
    ("hs", "980000", "a national chapter in an international code"),
    ("CN.case", "（2019）龘03民终12345号", "no court"),
    ("CN.case", "（2019）粤03民终号", "no number"),
    ("US.docket", "2:23-CV-01194", "upper case"),
    ("ecli", "ECLI:QX:BGH:2018:1", "no country"),
    ("CN.uscc", "9111000060003734IL", "the letter I"),
    ("CN.uscc", "94110000600037341L", "no body of that kind"),
    ("CN.uscc", "91990000600037341L", "no region"),
    ("lei", "ABC81", "too short, which python-stdnum lets pass"),
    ("isbn", "x" * 201, "longer than any identifier"),
]


@pytest.mark.parametrize(("kind", "text", "why"), REFUSED)
def test_what_is_no_identifier_is_refused(kind, text, why):
    with pytest.raises(IdentifierError) as refusal:
        canonical(kind, text)

    assert refusal.value.reason == "bad_identifier", why
    assert not text or text not in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("CN.application", "202111286633.1"),
        ("CN.application", "85100001.X"),
        ("DE.file", "302009019273.2"),
        ("DE.file", "302009019273"),
        ("CN.uscc", "91110000600037341M"),
        ("CN.uscc", "911100006000373496"),
        ("lei", "213800KUD8LAJWSQ9D16"),
        ("isbn", "9780471117095"),
        ("CN.id_card", "120103198807231216"),
    ],
)
def test_a_wrong_check_digit_is_told_apart(kind, text):
    with pytest.raises(IdentifierError) as refusal:
        canonical(kind, text)

    assert refusal.value.reason == "bad_check_digit"


def test_a_german_number_whose_rule_gives_ten_is_refused_for_want_of_a_written_form():
    with pytest.raises(IdentifierError, match="gives 10"):
        canonical("DE.file", "0000040.0")


@pytest.mark.parametrize("kind", sorted(RULES))
@given(text=st.text(max_size=40) | st.from_regex(r"[A-Z0-9./:() -]{1,25}", fullmatch=True))
def test_any_text_has_a_canonical_form_that_is_its_own_or_a_reason(kind, text):
    with contextlib.suppress(IdentifierError):
        stored = canonical(kind, text)
        assert canonical(kind, stored) == stored


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in WRITTEN}))
def test_a_stored_form_is_its_own_canonical_form(kind):
    for known, _, stored in WRITTEN:
        if known == kind:
            assert canonical(kind, stored) == stored


def test_an_unknown_kind_is_a_mistake_of_the_source_file_not_of_the_record():
    with pytest.raises(LookupError):
        canonical("EM.patent", "1")
