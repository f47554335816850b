"""A row with its child rows is one record: found by its key, its values taken as the columns hold them."""

import json
import sqlite3
from datetime import UTC, datetime

import pytest

from connectors.mapping import Mapped
from connectors.protocol import Absent, Failed, FailReason, Found, PageMark, RecordKey
from connectors.quarantine import Quarantined, Reason
from connectors.row_filter import EVERYTHING, Compare, Op
from tests.connectors.detentions import D1, detention, line


def test_a_row_is_fetched_with_its_child_rows_and_mapped(customs, deadline):
    source = customs(
        detention("D-1"), line("D-1", 2, "bags", "1"), line("D-1", 1), detention("D-2"), line("D-2", 1, "x")
    )

    found = source.connector.fetch(D1, deadline)
    outcome = source.apply(found)

    assert (found.source_ref.casefold(), found.key) == ("detention#d-1", "D-1")
    assert found.revised == datetime(2026, 1, 10, 0, 0, tzinfo=UTC)
    assert outcome.fields == {
        "detention_number": "D-1",
        "stage_raw": "1",
        "stage": "suspended",
        "suspended_on": "2026-01-10",
        "port_of_entry": "Port A",
        "goods": [
            {"line": 1, "description": "shoes", "quantity": "12.5"},
            {"line": 2, "description": "bags", "quantity": "1"},
        ],
        "extensions": outcome.fields["extensions"],
    }


def test_the_raw_form_is_sorted_compact_json_of_the_row_with_its_children(customs, deadline):
    source = customs(detention("D-1"), line("D-1", 1))

    found = source.connector.fetch(D1, deadline)
    members = json.loads(found.raw)

    assert found.media_type == "application/json"
    assert list(members) == sorted(members)
    assert len(members["lines"]) == 1
    assert found.raw == source.connector.fetch(D1, deadline).raw


def test_padding_of_fixed_width_columns_is_no_part_of_the_value(customs, deadline):
    source = customs(detention("D-1"), detention("D-22", port="  Port B  "))

    outcome = source.apply(source.connector.fetch(RecordKey("D-22"), deadline))

    assert (outcome.key, outcome.fields["stage"], outcome.fields["port_of_entry"]) == ("D-22", "suspended", "Port B")


def test_a_key_with_white_space_around_it_in_the_table_is_found_all_the_same(customs, deadline):
    source = customs("INSERT INTO DETENTION VALUES ('  D-1', '1', '20260110', NULL, '2026-01-10 08:00:00')")

    assert source.connector.fetch(D1, deadline).key == "D-1"


@pytest.mark.parametrize("key", ["D-9", "", " ", "D-1' OR '1'='1", "D-1\x00"[:3], "d-1", "D-1 --", "%", "D_1"])
def test_what_is_not_in_the_table_is_absent_and_a_key_is_never_sql(customs, deadline, key):
    source = customs(detention("D-7"))

    assert source.connector.fetch(RecordKey(key), deadline) == Absent()


def test_two_rows_with_one_key_are_not_chosen_from(customs, deadline):
    source = customs(detention("D-1"), detention("D-1", stage="3"))

    outcome = source.apply(source.connector.fetch(D1, deadline))

    assert [why.reason for why in outcome.reasons] == [Reason.DUPLICATE_IN_BATCH]


def test_more_child_rows_than_allowed_are_not_cut(customs, deadline):
    source = customs(detention("D-1"), *(line("D-1", no) for no in range(6)), detention("D-2"))

    assert source.connector.fetch(D1, deadline) == Failed(FailReason.TOO_MANY_ROWS)
    assert isinstance(source.connector.fetch(RecordKey("D-2"), deadline), Found)


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (detention("D-1", stage="9"), "stage", Reason.UNKNOWN_CODE),
        (detention("D-1", day="2026022"), "suspended_on", Reason.BAD_DATE),
        (detention("D-1", day=" "), "suspended_on", Reason.MISSING_REQUIRED),
    ],
)
def test_a_bad_value_is_quarantined_under_its_own_reason(customs, deadline, row, field, reason):
    source = customs(row)

    outcome = source.apply(source.connector.fetch(D1, deadline))

    assert isinstance(outcome, Quarantined)
    assert [(why.field, why.reason) for why in outcome.reasons] == [(field, reason)]


def test_a_search_gives_all_rows_that_pass_or_says_that_they_are_too_many(customs, holder, deadline):
    source = customs(*(detention(f"D-{n}", stage="3" if n % 2 else "1") for n in range(10)))

    seized = source.connector.search(Compare(Op.EQ, "stage", "seized"), None, deadline)
    holder.run(detention("D-10"))
    all_of_them = source.connector.search(EVERYTHING, None, deadline)

    assert [found.key for found in seized.found] == ["D-1", "D-3", "D-5", "D-7", "D-9"]
    assert (seized.complete, seized.next, seized.left_to_filter) == (True, None, EVERYTHING)
    assert all_of_them == Failed(FailReason.TOO_MANY_ROWS)
    assert source.connector.search(EVERYTHING, PageMark("x"), deadline) == Failed(FailReason.UNSUPPORTED)


def test_what_the_source_cannot_compare_is_left_to_the_gateway(customs, deadline):
    source = customs(detention("D-1"))
    wanted = Compare(Op.EQ, "port_of_entry", "Port A")

    assert source.connector.search(wanted, None, deadline).left_to_filter == wanted


def test_every_mapped_row_is_a_record(customs, deadline):
    source = customs(detention("D-1"), line("D-1", 1))

    assert isinstance(source.apply(source.connector.fetch(D1, deadline)), Mapped)


@pytest.fixture
def file_source(tmp_path, opened, write_source):
    """A table of one text column in an SQLite file, with the values as they are given."""

    def make(*values, encoding="utf-8", column="TEXT"):
        path = tmp_path / "texts.db"
        connection = sqlite3.connect(path)
        connection.execute(f"CREATE TABLE T (NO INTEGER, WORD {column})")
        for number, value in enumerate(values, 1):
            connection.execute("INSERT INTO T VALUES (?, CAST(? AS TEXT))", (number, value))
        connection.commit()
        connection.close()
        text = f"""
        reach: {{url: "${{secret:DSN}}", table: T, key: NO}}
        read: {{encoding: {encoding}}}
        key: number
        map: {{number: {{path: NO, use: [trim], required: true}}, word: {{path: WORD}}}}
        """
        return opened(write_source(text, kind="sql"), DSN=f"sqlite:///{path}")

    return make


def test_text_in_the_declared_encoding_is_read_and_a_byte_outside_it_is_quarantined(file_source, deadline):
    source = file_source("中文".encode("gb18030"), b"\x81\x20", encoding="gb18030")

    good = source.apply(source.connector.fetch(RecordKey("1"), deadline))
    bad = source.apply(source.connector.fetch(RecordKey("2"), deadline))

    assert good.fields["word"] == "中文"
    assert [(why.field, why.reason) for why in bad.reasons] == [("word", Reason.WRONG_ENCODING)]


def test_an_undeclared_encoding_is_never_guessed(file_source, deadline):
    source = file_source("中文".encode("gb18030"))

    outcome = source.apply(source.connector.fetch(RecordKey("1"), deadline))

    assert [why.reason for why in outcome.reasons] == [Reason.WRONG_ENCODING]


@pytest.mark.parametrize("key", ["01", "1.0", "one", "-0", "\u0661", "9" * 40])
def test_a_key_a_number_column_cannot_hold_is_absent(file_source, deadline, key):
    assert file_source("x").connector.fetch(RecordKey(key), deadline) == Absent()
