"""Names of records: one spelling each, opaque where a number is itself information."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.records.record_ids import (
    RecordIdError,
    local_to_number,
    new_id_key,
    number_to_local,
    open_local,
    parse_record_id,
    record_id,
    seal_local,
)

KEY = bytes(range(64))


def test_a_name_has_five_parts_and_one_spelling():
    name = parse_record_id("urn:ipx:ipo-xa:trademark:202400017")

    assert (name.agency, name.record_type, name.local) == ("ipo-xa", "trademark", "202400017")
    assert str(name) == "urn:ipx:ipo-xa:trademark:202400017"


@pytest.mark.parametrize(
    "text",
    [
        "urn:ipx:ipo-xa:trademark",
        "URN:ipx:ipo-xa:trademark:1",
        "urn:ipx:ipo xa:trademark:1",
        "urn:ipx:ipo-xa:Trademark:1",
        "urn:ipx:ipo-xa:trademark:",
        "urn:ipx:ipo-xa:trademark:1:2",
        "urn:ipx:ipo-xa:trademark:1 2",
        "urn:ipx:ipo-xa:trademark:" + "1" * 201,
        "urn:ipx:x:trademark:1",
        "urn:ipx:ipo-xa:trademark:1\n",
    ],
)
def test_what_names_no_record_is_refused(text):
    with pytest.raises(RecordIdError) as refusal:
        parse_record_id(text)

    assert text not in str(refusal.value)


@given(st.text(min_size=1, max_size=20))
def test_a_number_comes_back_from_the_name_it_was_written_into(number):
    local = number_to_local(number) if number.isprintable() else None

    if local:
        assert local_to_number(local) == number
        assert str(parse_record_id(str(record_id("ipo-xa", "trademark", local)))) == str(
            record_id("ipo-xa", "trademark", local)
        )


def test_numbers_as_offices_print_them_stay_readable():
    assert number_to_local("PCT/US2020/012345") == "PCT/US2020/012345"
    assert number_to_local("R2025 0031") == "R2025~200031"
    assert number_to_local("沁1") == "~E6~B2~811"


@pytest.mark.parametrize("local", ["~41", "~e6~b2~81", "~FF", "a~", ""])
def test_a_second_spelling_of_a_number_is_none(local):
    assert local_to_number(local) is None


@given(st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable()))
def test_a_source_key_comes_back_from_its_opaque_name_and_always_has_the_same(source_key):
    local = seal_local(KEY, source_key)

    assert open_local(KEY, local) == source_key
    assert seal_local(KEY, source_key) == local
    assert source_key not in local or len(source_key) < 3


def test_an_opaque_name_tells_nothing_to_another_holder():
    local = seal_local(KEY, "D2026-0007")

    assert open_local(new_id_key(), local) is None
    assert seal_local(new_id_key(), "D2026-0007") != local
    assert str(parse_record_id(str(record_id("customs-xa", "detention", local)))) == str(
        record_id("customs-xa", "detention", local)
    )


@pytest.mark.parametrize(
    "change", [lambda x: x[:-1], lambda x: x + "A", lambda x: x + "=", lambda x: "!" + x[1:], str.lower]
)
def test_a_changed_opaque_name_opens_nothing(change):
    local = seal_local(KEY, "D2026-0007")

    assert open_local(KEY, change(local)) is None


def test_padding_bits_make_no_second_spelling_of_an_opaque_name():
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    local = seal_local(KEY, "D2026-00")  # 24 bytes sealed leave no bits; 25 do
    longer = seal_local(KEY, "D2026-000")
    twin = longer[:-1] + alphabet[alphabet.index(longer[-1]) + 1]

    assert len(local) % 4 == 0
    assert open_local(KEY, twin) is None


@pytest.mark.parametrize("source_key", ["", "x" * 200])
def test_a_key_that_no_name_can_hold_is_refused(source_key):
    with pytest.raises(RecordIdError):
        seal_local(KEY, source_key)
