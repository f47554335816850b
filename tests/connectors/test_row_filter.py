import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.row_filter import (
    EVERYTHING,
    AllOf,
    Compare,
    Constant,
    Exists,
    Not,
    OneOf,
    Op,
    Unknown,
    all_of,
    from_document,
    holds,
    to_document,
)
from policies import rows

SCALARS = st.sampled_from(["", "a", "b", "seized", "2026-01-01"]) | st.booleans()
LEAVES = (
    st.builds(
        lambda op, field, value: {"op": op, "field": field, "value": value},
        st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge", "contains"]),
        st.sampled_from("xyz"),
        SCALARS,
    )
    | st.builds(
        lambda field, values: {"op": "in", "field": field, "values": values}, st.sampled_from("xyz"), st.lists(SCALARS)
    )
    | st.builds(lambda field: {"op": "exists", "field": field}, st.sampled_from("xyz"))
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
    max_leaves=8,
)
FACTS = st.dictionaries(
    st.sampled_from("xyz"),
    st.sampled_from(["a", "b", "seized", "2026-01-01"]) | st.booleans() | st.frozensets(st.sampled_from("ab")),
)


@given(TREES)
def test_every_tree_is_read_and_written_back(document):
    tree = from_document(document)

    assert to_document(tree) == document
    assert "Unknown" not in repr(tree)


def as_policies_hold_it(document):  # noqa: PLR0911  (one answer a kind of node)
    """The same tree as a value of the policies' room, which writes these documents."""
    match document:
        case {"op": "and" | "or" as op, "parts": parts}:
            return (rows.And if op == "and" else rows.Or)(tuple(map(as_policies_hold_it, parts)))
        case {"op": "not", "part": part}:
            return rows.Not(as_policies_hold_it(part))
        case {"op": "true" | "false" as op}:
            return rows.Constant(op == "true")
        case {"op": "exists", "field": field}:
            return rows.Exists(field)
        case {"op": "in", "field": field, "values": values}:
            return rows.OneOf(field, tuple(values))
        case {"op": "contains", "field": field, "value": value}:
            return rows.Contains(field, value)
        case {"op": op, "field": field, "value": value}:
            return rows.Compare(op, field, value)


@given(TREES, FACTS)
def test_both_rooms_judge_a_record_alike(document, facts):
    policy_side = rows.RowFilter(as_policies_hold_it(document), is_exact=True, widened_by=())

    assert rows.to_document(policy_side) == document
    assert holds(from_document(document), facts) == rows.matches(policy_side, facts)


@pytest.mark.parametrize(
    "document",
    [
        {"op": "like", "field": "x", "value": "a%"},
        {"op": "eq", "field": "x", "value": None},
        {"op": "eq", "field": "x", "value": "a", "collation": "de"},
        {"op": "and", "parts": "all"},
        {"op": "in", "field": "x", "values": [["a"]]},
        {"eq": ["x", "a"]},
        "true",
        None,
        [],
    ],
)
def test_a_node_nobody_knows_is_kept_and_never_evaluated(document):
    tree = from_document({"op": "and", "parts": [{"op": "true"}, document]})

    assert tree == AllOf((Constant(value=True), Unknown(document)))
    assert to_document(tree)["parts"][1] == document
    with pytest.raises(ValueError, match="does not know"):
        holds(tree, {})


def test_an_absent_field_makes_a_comparison_false_and_its_negation_true():
    for op in (Op.EQ, Op.NE, Op.LT, Op.GE, Op.CONTAINS):
        assert not holds(Compare(op, "x", "a"), {})
        assert holds(Not(Compare(op, "x", "a")), {})
    assert not holds(OneOf("x", ("a",)), {})
    assert not holds(Exists("x"), {"x": frozenset()})


def test_values_of_two_types_are_never_equal():
    assert not holds(Compare(Op.EQ, "x", "1"), {"x": 1})
    assert not holds(Compare(Op.NE, "x", "1"), {"x": 1})
    assert not holds(Compare(Op.EQ, "x", 1), {"x": True})


def test_joining_drops_what_is_always_true():
    leaf = Exists("x")

    assert all_of(()) == EVERYTHING
    assert all_of((EVERYTHING, leaf)) == leaf
    assert all_of((leaf, leaf)) == AllOf((leaf, leaf))
