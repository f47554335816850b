"""What is pushed into SQL must give what evaluating the filter on every mapped record gives; nothing may be missing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.deadline import Deadline
from connectors.errors import SourceFileError
from connectors.mapping import Mapped
from connectors.row_filter import AllOf, Compare, Op, from_document, holds, to_document

SOURCE = """
reach:
  url: "${secret:DSN}"
  table: CASES
  key: NO
  children: {rights: {table: CASE_RIGHTS, on: NO}}
  pushdown:
    number: {column: NO, ops: [eq, in, ne]}
    stage: {column: STAGE, ops: [eq, ne, in, exists]}
    on_day: {column: ON_DAY, ops: [eq, ne, lt, le, gt, ge, in, exists], as: "%Y%m%d"}
    place: {column: PLACE, ops: [eq, ne, lt, le, gt, ge, in, exists]}
    exact: {column: EXACT, ops: [eq, ne, lt, ge, in, exists]}
    amount: {column: AMOUNT, ops: [eq, ne, lt, ge, in, exists]}
    right_keys: {column: RIGHT_KEY, child: rights, ops: [contains, exists]}
  limits: {rows: 1000}
key: number
map:
  number: {path: NO, use: [trim], required: true}
  stage: {path: STAGE, use: [trim, {code: {"1": open, "2": closed, "3": closed}}]}
  on_day: {path: ON_DAY, use: [{date: ["%Y%m%d"]}]}
  place: {path: PLACE, use: [trim]}
  exact: {path: EXACT}
  amount: {path: AMOUNT, use: [int]}
  right_keys: {all: rights.RIGHT_KEY, use: [trim]}
  unpushed: {path: UNPUSHED, use: [trim, upper]}
"""

CASES = """
CREATE TABLE CASES (NO CHAR(6), STAGE CHAR(3), ON_DAY VARCHAR(20), PLACE VARCHAR(20), EXACT VARCHAR(20),
                    UNPUSHED VARCHAR(20), AMOUNT INTEGER)
"""
TABLES = (CASES, "CREATE TABLE CASE_RIGHTS (NO VARCHAR(6), RIGHT_KEY VARCHAR(20))")

STAGES = ["1", "2", "3", " 2", "", None, "9"]
DAYS = ["20260101", "20260102", " 20260103 ", "20260101-04:00", "20251231Z", "", None, "2026022", "garbage"]
WORDS = ["a", "A", "b ", " b", "ab", "\u00e4", "z", "\u4e2d", "", "  ", "\u3000", "\t", None, "a%", "it''s"]
RIGHTS = ["EM|1", " EM|2 ", "EM|3"]


def literal(value):
    return "NULL" if value is None else f"'{value}'"


def rows():
    """Every value of each column, against those of the others in turn."""
    for n in range(90):
        values = (f"{n}", STAGES[n % 7], DAYS[n % 9], WORDS[n % 15], WORDS[(n * 7 + n // 15) % 15], WORDS[n % 13])
        yield f"INSERT INTO CASES VALUES ({', '.join(map(literal, values))}, {n % 4 or 'NULL'})"
        yield from (f"INSERT INTO CASE_RIGHTS VALUES ('{n}', '{right}')" for right in RIGHTS[: n % 4])


VALUES = (
    st.sampled_from(
        [
            "open",
            "closed",
            "2026-01-01",
            "2026-01-02",
            "2025-12-31",
            "a",
            "A",
            "b",
            "B",
            "\u4e2d",
            "\u00e4",
            "",
            " b",
            "EM|1",
            "EM|2",
            "7",
            "8",
            "it's",
            "a%",
        ]
    )
    | st.booleans()
    | st.integers(0, 4)
)
NAMES = st.sampled_from(["number", "stage", "on_day", "place", "exact", "amount", "right_keys", "unpushed", "nowhere"])
LEAVES = (
    st.builds(
        lambda op, field, value: {"op": op, "field": field, "value": value},
        st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge", "contains"]),
        NAMES,
        VALUES,
    )
    | st.builds(
        lambda field, values: {"op": "in", "field": field, "values": values}, NAMES, st.lists(VALUES, max_size=3)
    )
    | st.builds(lambda field: {"op": "exists", "field": field}, NAMES)
    | st.sampled_from([{"op": "true"}, {"op": "false"}])
)
TREES = st.recursive(
    LEAVES,
    lambda below: (
        st.builds(
            lambda op, parts: {"op": op, "parts": parts}, st.sampled_from(["and", "or"]), st.lists(below, max_size=3)
        )
        | st.builds(lambda part: {"op": "not", "part": part}, below)
    ),
    max_leaves=6,
)


@pytest.fixture
def cases(holder, opened, write_source):
    holder.run(*TABLES, *rows())
    return opened(write_source(SOURCE, kind="sql"), DSN=holder.reader)


def mapped(source, page):
    outcomes = [source.apply(found) for found in page.found]
    return {outcome.key: outcome.fields for outcome in outcomes if isinstance(outcome, Mapped)}


@pytest.mark.parametrize("holder", ["sqlite", "postgresql", "mariadb"], indirect=True)
def test_pushing_down_equals_judging_every_record(cases):
    everything = mapped(cases, cases.connector.search(from_document({"op": "true"}), None, Deadline.within(60)))
    assert len(everything) > 40

    @settings(max_examples=150, deadline=None)
    @given(TREES)
    def holds_for(document):
        wanted = from_document(document)
        page = cases.connector.search(wanted, None, Deadline.within(60))
        kept = {key for key, fields in mapped(cases, page).items() if holds(page.left_to_filter, fields)}
        assert kept == {key for key, fields in everything.items() if holds(wanted, fields)}

    holds_for()


def test_what_can_be_pushed_leaves_nothing_and_brings_no_row_too_many(cases):
    document = {
        "op": "and",
        "parts": [
            {"op": "eq", "field": "stage", "value": "closed"},
            {"op": "not", "part": {"op": "ge", "field": "on_day", "value": "2026-01-02"}},
            {"op": "contains", "field": "right_keys", "value": "EM|2"},
        ],
    }
    wanted = from_document(document)

    page = cases.connector.search(wanted, None, Deadline.within(60))

    assert to_document(page.left_to_filter) == {"op": "true"}
    assert page.found
    assert all(holds(wanted, fields) for fields in mapped(cases, page).values())


def test_only_the_parts_that_cannot_be_pushed_are_left(cases):
    pushed, left = Compare(Op.EQ, "stage", "open"), Compare(Op.EQ, "unpushed", "A")
    unknown = from_document({"op": "sounds_like", "field": "place", "value": "a"})

    page = cases.connector.search(AllOf((pushed, left, unknown)), None, Deadline.within(60))

    assert page.left_to_filter == AllOf((left, unknown))
    assert 0 < len(page.found) < 90


def test_an_or_with_one_part_that_cannot_be_pushed_is_left_whole(cases):
    wanted = from_document(
        {
            "op": "or",
            "parts": [
                {"op": "eq", "field": "stage", "value": "open"},
                {"op": "eq", "field": "unpushed", "value": "A"},
            ],
        }
    )

    page = cases.connector.search(wanted, None, Deadline.within(60))

    assert page.left_to_filter == wanted
    assert len(page.found) == 90


def test_values_are_bound_and_never_part_of_the_statement(cases):
    wanted = Compare(Op.EQ, "place", "x' OR '1'='1' --")

    page = cases.connector.search(wanted, None, Deadline.within(60))

    assert page.found == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'on_day: {column: ON_DAY, ops: [eq, ne, lt, le, gt, ge, in, exists], as: "%Y%m%d"}',
            "on_day: {column: ON_DAY, ops: [eq]}",
            "one format",
        ),
        ('as: "%Y%m%d"}', 'as: "%Y-%m-%d"}', "one format"),
        ("exact: {column: EXACT, ops", "unpushed: {column: UNPUSHED, ops", "cannot be turned back"),
        ("ops: [contains, exists]", "ops: [eq]", "contains needs a child"),
        ("child: rights,", "child: wrongs,", "no child wrongs"),
        ("stage: {column: STAGE, ops: [eq, ne, in, exists]}", "stage: {column: STAGE, ops: [lt]}", "has no order"),
        (
            "number: {path: NO, use: [trim], required: true}",
            "number: {path: NO, use: [trim], required: true}\n  x: {path: NO}",
            "",
        ),
    ],
)
def test_a_comparison_the_database_would_make_otherwise_is_refused(holder, opened, write_source, old, new, said):
    holder.run(*TABLES)
    text = SOURCE.replace(old, new)
    assert text != SOURCE
    if not said:
        opened(write_source(text, kind="sql"), DSN=holder.reader)
        return

    with pytest.raises(SourceFileError, match=said):
        opened(write_source(text, kind="sql"), DSN=holder.reader)


def test_a_field_whose_faults_are_only_flagged_is_not_compared_by_the_database(holder, opened, write_source):
    holder.run(*TABLES)

    with pytest.raises(SourceFileError, match="only flagged"):
        opened(write_source(SOURCE + "on_error: {on_day: flag}\n", kind="sql"), DSN=holder.reader)
