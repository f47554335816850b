"""The table of identifiers as properties: printed forms of one number are one form, and reading that changes nothing.

Each row names the kinds that stand for it, and says how its numbers are printed.
"""

# ruff: noqa: RUF001  (Chinese courts write full-width brackets)

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum import lei as stdnum_lei
from stdnum.cn import uscc as stdnum_uscc

from gateway.records.codes import code_table
from gateway.records.identifiers import RULES, IdentifierError, canonical
from gateway.records.identifiers.registered_numbers import REGISTERED_NUMBERS

ROWS = {
    "ST.3 office": ["st3"],
    "ST.13": ["st13"],
    "CN application": ["CN.application"],
    "DE file number": ["DE.file", "DE.docdb"],
    "EU trade mark, design, opposition, appeal": ["EM.trademark", "EM.design", "EM.opposition", "EM.appeal"],
    "US mark serial, registration, application, patent": [
        *("US.mark_serial", "US.mark_registration", "US.application", "US.patent")
    ],
    "PCT, Hague, Madrid, JP, KR": ["WO.pct", "WO.hague", "WO.madrid", "JP.application", "KR.application"],
    "Nice, Vienna, Locarno": ["nice", "vienna", "locarno"],
    "IPC, CPC": ["ipc", "cpc"],
    "HS": ["hs"],
    "EU GI file": ["EU.gi"],
    "CN case number": ["CN.case"],
    "US docket, trial": ["US.docket", "US.trial"],
    "ECLI, EORI": ["ecli", "eori"],
    "China USCC": ["CN.uscc"],
    "LEI": ["lei"],
    "python-stdnum": [*REGISTERED_NUMBERS],
}
BESIDE_THE_TABLE = {"upov", "st27_event"}

DIGITS = "0123456789"
OFFICES = sorted(code_table("st3").words)


def read(kind, text):
    """The stored form, or the reason for which there is none."""
    try:
        return canonical(kind, text)
    except IdentifierError as error:
        return error.reason


def digits(least, most=None):
    return st.text(DIGITS, min_size=least, max_size=least if most is None else most)


def joined(*parts):
    return st.tuples(*(part if hasattr(part, "map") else st.just(part) for part in parts)).map("".join)


SPACES = st.text(" ", min_size=0, max_size=3)
YEAR = joined(st.sampled_from(["19", "20"]), digits(2))

PRINTED = {
    "st3": st.sampled_from(OFFICES).map(lambda office: [office]),
    "st13": joined(st.sampled_from(OFFICES), digits(2), digits(4), digits(9)).map(lambda number: [number]),
    "EM.trademark": st.one_of(
        digits(9), joined("W", digits(8)), joined("W", digits(8), st.sampled_from(string.ascii_uppercase))
    ).map(lambda number: [number]),
    "EM.design": joined(digits(9), "-", digits(4)).map(lambda number: [number]),
    "EM.opposition": digits(9).map(lambda number: [number]),
    "EM.appeal": joined("R", digits(1, 5), "/", YEAR, "-", st.sampled_from("123456789G")).map(lambda number: [number]),
    "US.mark_serial": joined(st.sampled_from(["60", "69", "78", "85", "97"]), digits(6)).map(lambda number: [number]),
    "US.mark_registration": st.integers(1, 9_999_999).map(lambda n: [str(n), f"{n:07}"]),
    "US.application": st.tuples(digits(2), digits(3), digits(3)).map(
        lambda p: ["".join(p), f"{p[0]}/{p[1]},{p[2]}", f"{p[0]}/{p[1]}{p[2]}"]
    ),
    "US.patent": st.tuples(st.sampled_from(["", "RE", "PP", "D", "AI", "X", "H", "T"]), st.integers(1, 99_999_999)).map(
        lambda p: [f"{p[0]}{p[1]}", f"{p[0]}{p[1]:08}"]
    ),
    "WO.pct": st.tuples(st.sampled_from(OFFICES), YEAR, st.integers(0, 99_999)).map(
        lambda p: [f"PCT/{p[0]}{p[1]}/{p[2]:06}", f"PCT/{p[0]}{p[1]}/{p[2]:05}"]
    ),
    "WO.hague": digits(6).map(lambda number: [f"DM/{number}"]),
    "WO.madrid": st.tuples(st.integers(1, 9_999_999), st.sampled_from(["", "A", "B"])).map(
        lambda p: [f"{p[0]}{p[1]}", f"{p[0]:07}{p[1]}"]
    ),
    "JP.application": st.tuples(YEAR, digits(6)).map(lambda p: ["-".join(p), "".join(p)]),
    "KR.application": st.tuples(st.sampled_from(["10", "20", "30", "40"]), YEAR, digits(7)).map(
        lambda p: ["-".join(p), "".join(p)]
    ),
    "nice": st.integers(1, 45).map(lambda n: [str(n), f"{n:02}", f"{n:03}"]),
    "vienna": st.tuples(st.integers(1, 29), st.integers(1, 99), st.integers(1, 99)).map(
        lambda p: [f"{p[0]:02}.{p[1]:02}.{p[2]:02}", f"{p[0]}.{p[1]}.{p[2]}"]
    ),
    "locarno": st.tuples(st.integers(1, 32), st.integers(0, 99)).map(
        lambda p: [f"{p[0]:02}-{p[1]:02}", f"{p[0]:02}.{p[1]:02}", f"{p[0]:02} - {p[1]:02}"]
    ),
    "ipc": st.tuples(
        st.sampled_from("ABCDEFGH"),
        st.integers(1, 99),
        st.sampled_from("BCDKLN"),
        st.integers(1, 999),
        digits(2),
        SPACES,
    ).map(
        lambda p: [
            f"{p[0]}{p[1]:02}{p[2]}{p[3]}/{p[4]}",
            f"{p[0]}{p[1]:02}{p[2]}{p[5]} {p[3]:>3}/{p[5]}{p[4]}",
            f"{p[0]}{p[1]:02}{p[2]} {p[3]}/{p[4]}        20060101AFI20210219BHJP        ",
        ]
    ),
    "hs": st.tuples(st.sampled_from(["84", "30", "01"]), digits(2), digits(2)).map(
        lambda p: ["".join(p), f"{p[0]}{p[1]}.{p[2]}", " ".join(p)]
    ),
    "EU.gi": st.one_of(
        joined(
            st.sampled_from(["IT", "FR", "ES"]), "/", st.sampled_from(["PDO", "PGI"]), "/", digits(4), "/", digits(4, 5)
        ),
        joined(st.sampled_from(["PDO", "PGI"]), "-", st.sampled_from(["CN", "IT"]), "-", digits(1, 5)),
    ).map(lambda number: [number]),
    "CN.case": st.tuples(
        st.integers(2000, 2026), st.sampled_from(["粤03民终", "最高法知民终", "京73行初"]), digits(1, 5)
    ).map(
        lambda p: [
            f"（{p[0]}）{p[1]}{p[2]}号",
            f"({p[0]}){p[1]}{p[2]}号",
            f"（{p[0]}） {p[1]} {p[2]} 号",
        ]
    ),
    "US.docket": joined(digits(1, 2), ":", digits(2), "-", st.sampled_from(["cv", "cr", "md"]), "-", digits(5)).map(
        lambda number: [number]
    ),
    "US.trial": joined(st.sampled_from(["IPR", "PGR", "CBM", "DER"]), YEAR, "-", digits(5)).map(
        lambda number: [number]
    ),
    "ecli": joined(
        "ECLI:",
        st.sampled_from(["DE", "EU", "FR"]),
        ":BGH:",
        YEAR,
        ":",
        st.text(string.ascii_uppercase + DIGITS + ".", min_size=1, max_size=25),
    ).map(lambda number: [number, number.lower()]),
    "eori": joined(
        st.sampled_from(["DE", "FR", "XI"]), st.text(string.ascii_uppercase + DIGITS, min_size=1, max_size=15)
    ).map(lambda number: [number]),
}
"""Kind → the forms in which one number may be printed."""

WITH_CHECK_DIGITS = {"CN.application", "DE.file", "DE.docdb", "CN.uscc", "lei"}
"""Their properties stand in test_check_digits, but for the round trips below."""


def test_every_row_of_the_table_has_a_rule_and_every_rule_a_row():
    kinds = [kind for row in ROWS.values() for kind in row]

    assert sorted(kinds) == sorted(set(kinds))
    assert {*kinds, *BESIDE_THE_TABLE} == RULES.keys()
    assert PRINTED.keys() | WITH_CHECK_DIGITS | {"cpc", *REGISTERED_NUMBERS} | BESIDE_THE_TABLE == RULES.keys()


@pytest.mark.parametrize("kind", sorted(PRINTED))
@given(data=st.data())
def test_all_printed_forms_of_a_number_are_one_and_stay_it(kind, data):
    forms = data.draw(PRINTED[kind])

    stored = {read(kind, form) for form in forms}

    # Digits need not make a number that exists (a region, a heading of the tariff): then no form of it is taken.
    assert len(stored) == 1
    assume(stored != {"bad_identifier"})
    assert {read(kind, one) for one in stored} == stored


@given(st.sampled_from(["2019", "2020"]), digits(1), digits(7))
def test_a_chinese_application_is_one_number_with_and_without_point_and_letters(year, kind, serial):
    body = f"{year}{kind}{serial}"
    check = sum(int(d) * w for d, w in zip(body, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5], strict=True)) % 11
    digit = "X" if check == 10 else str(check)
    assume(kind in "12389")

    forms = {f"{body}.{digit}", body + digit, f"CN{body}.{digit}", f"ZL{body}{digit}"}

    assert {canonical("CN.application", form) for form in forms} == {f"{body}.{digit}"}


@given(st.one_of(digits(8), digits(12)))
def test_a_german_number_is_one_with_its_check_digit_and_without(body):
    stored = read("DE.docdb", body)

    assume(stored != "bad_check_digit")  # the rule gives 10, for which no written form is known
    assert stored.startswith(f"{body}.")
    assert canonical("DE.file", stored) == canonical("DE.file", stored.replace(".", "")) == stored
    assert canonical("DE.docdb", stored) == stored


@given(st.text(string.ascii_uppercase + DIGITS, min_size=1, max_size=17), digits(2))
def test_what_is_too_short_for_a_legal_entity_is_refused_where_python_stdnum_lets_it_pass(body, check):
    text = body + check
    assume(len(text) != 20)

    with pytest.raises(IdentifierError) as refusal:
        canonical("lei", text)

    assert refusal.value.reason == "bad_identifier"


def test_python_stdnum_is_corrected_where_the_table_says():
    assert stdnum_lei.is_valid("ABC81")
    assert not stdnum_uscc.is_valid("N2440305600037341" + "0")


@pytest.mark.parametrize("kind", sorted(REGISTERED_NUMBERS))
@given(text=st.text(string.ascii_uppercase + DIGITS + " -./", max_size=25))
def test_a_number_that_python_stdnum_decides_is_stored_in_a_form_that_stays(kind, text):
    stored = read(kind, text)

    assert stored in {"bad_identifier", "bad_check_digit"} or read(kind, stored) == stored
