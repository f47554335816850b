"""Check digits as properties: a number built by the published rule holds, the same number with one digit changed falls.

The rules are written a second time here, from the standards and not from the code under test.
"""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.cn import uscc as stdnum_uscc

from gateway.records.identifiers import IdentifierError, canonical

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def digits(count):
    return st.text("0123456789", min_size=count, max_size=count)


def reason(kind, text):
    with pytest.raises(IdentifierError) as refusal:
        canonical(kind, text)
    return refusal.value.reason


@st.composite
def cn_applications(draw):
    body = draw(st.sampled_from(["19", "20"])) + draw(digits(2)) + draw(st.sampled_from("12389")) + draw(digits(7))
    check = sum(int(d) * w for d, w in zip(body, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5], strict=True)) % 11
    return body, "0123456789X"[check]


@given(cn_applications(), st.sampled_from("0123456789X"))
def test_a_chinese_application_holds_with_its_own_check_digit_only(number, other):
    body, check = number

    assert canonical("CN.application", body + check) == f"{body}.{check}"
    assume(other != check)
    assert reason("CN.application", f"{body}.{other}") == "bad_check_digit"


@given(digits(12), st.sampled_from("0123456789"))
def test_a_german_number_holds_with_its_own_check_digit_only(body, other):
    check = -sum(int(d) * (13 - i) for i, d in enumerate(body)) % 11
    assume(check != 10)

    assert canonical("DE.file", f"{body}.{check}") == f"{body}.{check}"
    assume(other != str(check))
    assert reason("DE.file", body + other) == "bad_check_digit"


@given(st.text(ALPHANUMERIC, min_size=18, max_size=18), digits(2))
def test_a_legal_entity_identifier_holds_with_its_own_check_digits_only(body, other):
    number = int("".join(str(ALPHANUMERIC.index(c)) for c in body + "00"))
    check = f"{98 - number % 97:02}"

    assert canonical("lei", body + check) == body + check
    assert int("".join(str(ALPHANUMERIC.index(c)) for c in body + check)) % 97 == 1
    assume(other != check)
    assert reason("lei", body + other) == "bad_check_digit"


@st.composite
def credit_codes(draw, bodies=("11", "12", "35", "52", "91", "92", "A1", "N2", "Y1")):
    organisation = draw(st.text(USCC_ALPHABET, min_size=8, max_size=8))
    weights = [3, 7, 9, 10, 5, 8, 4, 2]
    total = sum(ALPHANUMERIC.index(c) * w for c, w in zip(organisation, weights, strict=True))
    organisation += {10: "X", 11: "0"}.get(11 - total % 11, str(11 - total % 11))
    code = draw(st.sampled_from(bodies)) + draw(st.sampled_from(["110000", "440305", "100000"])) + organisation
    total = sum(USCC_ALPHABET.index(c) * 3**i for i, c in enumerate(code))
    return code + USCC_ALPHABET[-total % 31]


@given(credit_codes())
def test_a_credit_code_of_any_kind_of_body_holds(code):
    assert canonical("CN.uscc", code) == code


@given(credit_codes(), st.integers(0, 17), st.sampled_from(USCC_ALPHABET))
def test_a_credit_code_with_one_character_changed_falls(code, position, other):
    assume(code[position] != other)

    assert reason("CN.uscc", code[:position] + other + code[position + 1 :]) in {"bad_check_digit", "bad_identifier"}


@given(credit_codes(bodies=("91", "12", "52")))
def test_python_stdnum_agrees_where_it_is_right(code):
    assert stdnum_uscc.is_valid(code)


@given(credit_codes(bodies=("A1", "N2", "Y1")))
def test_python_stdnum_refuses_bodies_of_army_villages_and_others_and_we_do_not(code):
    assert not stdnum_uscc.is_valid(code)
    assert canonical("CN.uscc", code) == code
