"""What a text may not be, and that looking for it quickly finds the same as looking at every character."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.records import texts
from gateway.records.texts import text_fault

EVERY_CHARACTER = [chr(code) for code in range(sys.maxunicode + 1)]
ODD = st.text(st.one_of(st.characters(), st.sampled_from(" \t\n\r\x00\x7f\x85\xa0\u2028\u3000\ufeff\ud800ÂÃâ€œ\x93")))


def test_exactly_controls_and_halves_of_pairs_are_found_among_all_characters():
    found = {one for one in EVERY_CHARACTER if texts._has_controls(f"a{one}b")}

    assert found == {one for one in EVERY_CHARACTER if texts._CONTROLS.search(one)}
    assert len(found) == 65 - 3 + 2048


@given(ODD)
def test_looking_quickly_finds_what_looking_at_every_character_finds(text):
    assert texts._has_controls(text) == bool(texts._CONTROLS.search(text))
    assert texts._is_utf8_read_as_latin(text) == bool(texts._UTF8_READ_AS_LATIN.search(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Müller", None),
        ("深圳市\n第二行\t", ("wrong_type", "white space around it")),
        ("line one\nline two\tand three", None),
        ("a\x00b", ("wrong_encoding", "control characters")),
        ("a\x85b", ("wrong_encoding", "control characters")),
        ("a\xa0b\u3000c", None),
        ("MÃ¼ller", ("wrong_encoding", "UTF-8 read as Latin")),
        ("the â€œmarkâ€\x9d", ("wrong_encoding", "control characters")),
        ("b'abc'", ("wrong_encoding", "bytes written out as text")),
        ("a\ufffdb", ("wrong_encoding", "a replacement character or a byte order mark")),
        ("x" * (texts.LONGEST + 1), ("too_large", f"longer than {texts.LONGEST} characters")),
        (" \t", ("wrong_type", "empty; what is not there is left out")),
    ],
)
def test_what_is_wrong_with_a_text_is_said(text, reason):
    assert text_fault(text) == reason
