"""Rows as JSON: whatever they hold, the same bytes as the standard library writes."""

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kinds import sql_rows
from connectors.kinds.sql_account import Undecodable
from connectors.kinds.sql_rows import row_json


def as_json_writes(members):
    return json.dumps(
        members,
        default=sql_rows._plain,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    ).encode()


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        [Decimal("1.50"), date(2026, 1, 2), b"\x00\xff", Undecodable(b"\x81"), [1e16], {"b": 1, "a": 2.0}]
    )
)
ROWS = st.dictionaries(st.text(), VALUES, max_size=4)


@settings(max_examples=120, deadline=None)
@given(st.dictionaries(st.text(), VALUES | st.lists(ROWS, max_size=3), max_size=6))
def test_a_row_is_written_as_the_standard_library_writes_it(members):
    assert row_json(members) == as_json_writes(members)


@pytest.mark.parametrize(
    "value",
    [1e16, 1e-7, [1e16], [{"x": 1e16}], {"x": 1e16}, [[1e16]], 2**64, -(2**63) - 1, "\x7f\x00\u2028\t/\\", [], ()],
    ids=repr,
)
def test_numbers_and_signs_that_writers_differ_in_are_written_as_the_standard_library_does(value):
    members = {"\uffff": 1, "\U00010000": 2, "x": value}  # by code points, not by halves of UTF-16

    assert row_json(members) == as_json_writes(members)


def test_half_of_a_surrogate_pair_is_no_text():
    with pytest.raises(UnicodeEncodeError):
        row_json({"x": "\ud800"})
