"""Row filters: never narrower than deciding row by row, and exact where they say so."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import row_filter as source_filter
from policies.engine import Release, decide, decide_early
from policies.rows import (
    FALSE,
    TRUE,
    And,
    Compare,
    Constant,
    Contains,
    Exists,
    Not,
    OneOf,
    Or,
    RowFilter,
    all_of,
    any_of,
    join,
    matches,
    none_of,
    to_document,
)

KEYS = ("k1", "k2")
STAGES = ("seized", "detained", "released")
INSTANTS = [
    datetime(2026, 11, 25, 8, 0, tzinfo=UTC),  # the moment of the question
    *(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=91 * number) for number in range(4)),
]

SPECIAL = (
    "resource has happened_on",
    "principal.agency.jurisdictions.contains(resource.jurisdiction)",
    'resource.jurisdiction == IPX::Jurisdiction::"XA"',
    'resource.holder == IPX::Agency::"customs-xa"',
    "resource.holder == principal.agency",
    'resource.holder.kind == IPX::AgencyKind::"customs"',
    'resource.holder.jurisdictions.contains(IPX::Jurisdiction::"XB")',
    "resource.holder.suspended",
    'resource in IPX::Source::"customs-xa-detentions"',
    'resource in [IPX::Source::"elsewhere", IPX::Source::"customs-xa-detentions"]',
    "resource is IPX::Detention",
    'resource is IPX::Detention in IPX::Source::"elsewhere"',
    'action == IPX::Action::"release"',
    'action == IPX::Action::"detention.goods"',
    'action in IPX::Action::"class.official"',
    'context.purpose == IPX::Purpose::"statistics"',
    "context has case_reference",
    "principal.assurance > 1",
    # without translation: these widen
    'resource.right_keys == ["k1"]',
    "resource.right_keys == resource.case_numbers",
    "resource.right_keys.containsAll(resource.case_numbers)",
    'resource.parties.contains(IPX::PartyKey::"p1") == resource.final',
    "{flag: resource.final}.flag",
    '(if resource.final then resource.stage else IPX::Stage::"seized") == IPX::Stage::"seized"',
    '(resource has happened_on && resource.happened_on.offset(duration("30d")) > context.now)',
    '(resource has happened_on && resource.happened_on.toDate() == datetime("2026-04-02"))',
    "(resource has happened_on && context.now.toDate() >= resource.happened_on)",
)
"""Conditions with a rule of their own in the translation, exact or widened."""

stages = st.sampled_from(STAGES).map('IPX::Stage::"{}"'.format)
keys = st.sampled_from(KEYS).map('"{}"'.format)
instants = st.sampled_from(INSTANTS).map(lambda moment: f'datetime("{moment:%Y-%m-%dT%H:%M:%SZ}")')
orders = st.sampled_from(["<", "<=", ">", ">="])
flags = st.sampled_from(["sealed", "notified", "final"]).map("resource.{}".format)
key_sets = st.lists(keys, min_size=1, max_size=2, unique=True).map(lambda found: f"[{', '.join(found)}]")
set_facts = st.sampled_from(["resource.right_keys", "resource.case_numbers"])

atoms = st.one_of(
    flags,
    st.builds("resource.stage == {}".format, stages),
    st.builds("{} != resource.stage".format, stages),
    st.builds("[{}, {}].contains(resource.stage)".format, stages, stages),
    st.builds("{}.contains({})".format, set_facts, keys),
    st.builds("{}.containsAny({})".format, set_facts, key_sets),
    st.builds("{}.containsAll({})".format, set_facts, key_sets),
    st.builds("{}.containsAny({})".format, key_sets, set_facts),
    st.builds("{}.isEmpty()".format, set_facts),
    st.builds("(resource has happened_on && resource.happened_on {} {})".format, orders, instants),
    st.builds("(resource has happened_on && context.now {} resource.happened_on)".format, orders),
    st.sampled_from(SPECIAL),
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("(if {} then {} else {})".format, inner, inner, inner),
    ),
    max_leaves=5,
)
facts = st.fixed_dictionaries(
    {
        "sealed": st.booleans(),
        "notified": st.booleans(),
        "final": st.booleans(),
        "stage": st.sampled_from(STAGES),
        "jurisdiction": st.sampled_from(["XA", "XB"]),
        "right_keys": st.frozensets(st.sampled_from(KEYS)),
        "case_numbers": st.frozensets(st.sampled_from(KEYS)),
        "parties": st.frozensets(st.sampled_from(["p1", "p2"])),
    },
    optional={"happened_on": st.sampled_from(INSTANTS)},
)


def random_book(world, permit_if, forbid_if, egress_if):
    groups = ["detention.goods", "detention.core"]
    return world.book(
        world.policy(
            "holder", "customs-xa", "some-permit", world.permit(groups, "Detention", permit_if), '@legal_basis("a law")'
        ),
        world.policy(
            "holder",
            "customs-xa",
            "some-forbid",
            f"forbid (principal, action, resource is IPX::Detention) when {{ {forbid_if} }};",
            '@reason("not_now")',
        ),
        world.policy(
            "egress",
            "public",
            "some-egress",
            f"permit (principal, action, resource) when {{ {egress_if} }};",
            '@legal_basis("a law")',
        ),
        without=["gateway", "customs-xa", "public"],
        previous=world.shipped,
    )


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(permit_if=conditions, forbid_if=conditions, egress_if=conditions, rows=st.lists(facts, min_size=3, max_size=8))
def test_a_row_filter_is_never_narrower_than_deciding_each_row(world, permit_if, forbid_if, egress_if, rows):
    book = random_book(world, permit_if, forbid_if, egress_if)
    asked = world.question("public", "customs-xa", "detention", "public_information")
    early = decide_early(book, asked)

    for row in rows:
        record = world.record("customs-xa", "detention", **row)
        released = isinstance(decide(book, replace(asked, record=record)), Release)
        passes = isinstance(early, RowFilter) and matches(early, record.facts)

        assert passes or not released
        if isinstance(early, RowFilter) and early.is_exact:
            assert passes == released


@pytest.mark.parametrize("condition", SPECIAL)
def test_each_special_condition_is_no_narrower_as_permit_and_as_forbid(world, condition):
    rows = [
        {},
        {"final": True, "stage": "seized", "right_keys": frozenset({"k1"}), "parties": frozenset({"p1"})},
        {"final": True, "stage": "detained", "right_keys": frozenset({"k1"}), "case_numbers": frozenset({"k1", "k2"})},
        *({"happened_on": moment, "jurisdiction": "XB"} for moment in INSTANTS),
    ]
    asked = world.question("public", "customs-xa", "detention", "public_information")
    for book in (
        random_book(world, condition, "false", "true"),
        random_book(world, "true", condition, "true"),
        random_book(world, "true", "false", condition),
    ):
        early = decide_early(book, asked)
        for row in rows:
            record = world.record("customs-xa", "detention", **row)
            released = isinstance(decide(book, replace(asked, record=record)), Release)
            passes = isinstance(early, RowFilter) and matches(early, record.facts)

            assert passes or not released
            assert passes == released or not early.is_exact


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(permit_if=conditions, forbid_if=conditions, row=facts)
def test_a_source_reads_the_filter_as_it_is_meant(world, permit_if, forbid_if, row):
    book = random_book(world, permit_if, forbid_if, "true")
    early = decide_early(book, world.question("public", "customs-xa", "detention", "public_information"))
    if not isinstance(early, RowFilter):
        return
    values = {
        name: value.isoformat(timespec="milliseconds").replace("+00:00", "Z") if isinstance(value, datetime) else value
        for name, value in row.items()
    }

    read_back = source_filter.from_document(to_document(early))

    assert source_filter.to_document(read_back) == to_document(early)
    assert source_filter.holds(read_back, values) == matches(early, row)


def early(world, condition, effect="permit"):
    book = random_book(
        world, condition if effect == "permit" else "true", condition if effect == "forbid" else "false", "true"
    )
    return decide_early(book, world.question("public", "customs-xa", "detention", "public_information"))


def test_a_courts_question_becomes_the_filter_of_its_cited_case(shipped, world):
    asked = world.question("court-xa", "customs-xa", "detention", "court_proceeding", case_reference=world.case())

    found = decide_early(shipped, asked)

    parts = to_document(found)["parts"]
    assert {"op": "eq", "field": "jurisdiction", "value": "XA"} in parts
    assert {"op": "contains", "field": "case_numbers", "value": "XA-2026-7"} in parts
    assert {"op": "not", "part": {"op": "eq", "field": "sealed", "value": True}} in parts
    assert found.is_exact


def test_an_owners_question_asks_for_the_owners_rights(shipped, world):
    asked = world.question(
        "ipo-xa", "customs-xa", "detention", "notify_owner", representing=world.owner("k1"),
        groups=frozenset({"detention.importer"}),
    )  # fmt: skip

    found = decide_early(shipped, asked)

    assert matches(found, world.record("customs-xa", "detention", stage="seized", right_keys=frozenset({"k1"})).facts)
    assert not matches(
        found, world.record("customs-xa", "detention", stage="detained", right_keys=frozenset({"k1"})).facts
    )


@pytest.mark.parametrize(
    ("asked", "groups"),
    [
        (("regulator-xa", "customs-xa", "detention", "statistics"), ()),
        (("court-xa", "customs-xa", "detention", "court_proceeding"), ()),
        (("customs-xa", "ipo-xa", "trademark", "border_enforcement"), ("trademark.owner.contact",)),
        (("customs-xa", "ipo-xa", "trademark", "statistics"), ("trademark.owner",)),
        (("court-xb", "ipo-xb", "trademark", "examination"), ()),
        (("customs-xa", "regulator-xa", "admin_case", "border_enforcement"), ()),
    ],
)
def test_a_sure_denial_never_reaches_the_holder(shipped, world, asked, groups):
    denial = decide_early(shipped, world.question(*asked, groups=frozenset(groups)))

    assert (denial.refused_by, denial.reason, denial.may_acknowledge) == ("holder", "not_granted", True)


def test_a_record_in_hand_does_not_change_an_early_decision(shipped, world):
    asked = world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement", facts={"sealed": True})

    assert decide_early(shipped, asked) == decide_early(shipped, replace(asked, record=None))


@pytest.mark.parametrize(
    "condition",
    [
        'resource.right_keys == ["k1"]',
        "resource.right_keys == resource.case_numbers",
        'resource.case_numbers.contains("")',
        "{flag: resource.final}.flag",
    ],
)
def test_what_has_no_translation_widens_and_names_the_policy(world, condition):
    as_permit, as_forbid = early(world, condition), early(world, condition, "forbid")

    assert as_permit.is_blank
    assert as_forbid.is_blank
    assert [ref.policy_id for ref in as_permit.widened_by] == ["some-permit"]
    assert [ref.policy_id for ref in as_forbid.widened_by] == ["some-forbid"]


def test_widening_is_turned_round_by_every_not(world):
    unclear = 'resource.right_keys == ["k1"]'

    assert early(world, f"!({unclear})").where == TRUE
    assert early(world, f"resource.final && !({unclear})").where == Compare("eq", "final", value=True)
    assert early(world, f"resource.final && !({unclear})", "forbid").where == TRUE
    assert early(world, f"resource.final || !({unclear})", "forbid").where == Not(Compare("eq", "final", value=True))


def test_a_filter_that_lets_all_through_because_all_may_pass_is_not_blank(world):
    found = early(world, "true")

    assert found.where == TRUE
    assert not found.is_blank


WIDE = "resource.right_keys == resource.case_numbers"
SEIZED = 'resource.stage == IPX::Stage::"seized"'


@pytest.mark.parametrize(
    ("permit_if", "forbid_if", "egress_if", "is_blank"),
    [
        (WIDE, "false", "true", True),
        (WIDE, "resource.sealed", "true", True),  # what forbids take away does not make it a filter
        (f"{WIDE} || {SEIZED}", "resource.sealed", "true", True),
        (f"{WIDE} && {SEIZED}", "resource.sealed", "true", False),
        (WIDE, "resource.sealed", SEIZED, False),  # the other side narrows
        ("true", "resource.sealed", "true", False),  # all may pass, and that is what the policies say
        ("true", "resource.sealed", WIDE, True),
        (SEIZED, "false", WIDE, False),
    ],
)
def test_a_filter_is_blank_where_only_what_was_widened_opens_it(world, permit_if, forbid_if, egress_if, is_blank):
    book = random_book(world, permit_if, forbid_if, egress_if)

    early = decide_early(book, world.question("public", "customs-xa", "detention", "public_information"))

    assert early.is_blank is is_blank
    if is_blank:
        assert {ref.policy_id for ref in early.blamed} == {"some-permit" if permit_if != "true" else "some-egress"}


def test_instants_are_written_in_one_form_whatever_form_the_policy_has(world):
    found = early(world, 'resource has happened_on && resource.happened_on < datetime("2026-04-02T02:00:00+0200")')

    assert Compare("lt", "happened_on", "2026-04-02T00:00:00.000Z") in found.where.parts


@pytest.mark.parametrize(
    ("node", "row", "passes"),
    [
        (Compare("eq", "stage", "seized"), {"stage": "seized"}, True),
        (Compare("eq", "stage", "seized"), {}, False),
        (Compare("ne", "stage", "seized"), {"stage": "detained"}, True),
        (Compare("ne", "stage", "seized"), {}, False),
        (Compare("eq", "final", value=True), {"final": "True"}, False),
        (Compare("lt", "stage", "seized"), {"stage": True}, False),
        (Compare("ge", "happened_on", "2026-04-02T00:00:00.000Z"), {"happened_on": INSTANTS[2]}, True),
        (Not(Compare("eq", "stage", "seized")), {}, True),
        (OneOf("stage", ("seized", "detained")), {"stage": "detained"}, True),
        (OneOf("stage", ()), {"stage": "detained"}, False),
        (Contains("right_keys", "k1"), {"right_keys": frozenset({"k1"})}, True),
        (Contains("right_keys", "k1"), {}, False),
        (Exists("happened_on"), {}, False),
        (Exists("right_keys"), {"right_keys": frozenset()}, False),
        (Exists("final"), {"final": False}, True),
        (And(()), {}, True),
        (Or(()), {}, False),
    ],
)
def test_an_absent_fact_makes_a_comparison_false_and_its_not_true(node, row, passes):
    assert matches(RowFilter(node, is_exact=True, widened_by=()), row) is passes


def test_joining_folds_constants_and_drops_what_stands_twice():
    final = Compare("eq", "final", value=True)

    assert all_of([TRUE, final, And((final,))]) == final
    assert all_of([final, FALSE]) == FALSE
    assert any_of([FALSE, final, final]) == final
    assert any_of([final, TRUE]) == TRUE
    assert none_of(none_of(final)) == final
    assert none_of(Constant(value=True)) == FALSE
    assert all_of([]) == TRUE
    assert any_of([]) == FALSE


def test_a_filter_nothing_can_pass_is_exact_whatever_was_widened(world):
    blank = early(world, 'resource.right_keys == ["k1"]')
    nothing = RowFilter(FALSE, is_exact=True, widened_by=())

    assert join([blank, nothing], every=True) == nothing
    assert join([blank, nothing], every=False) == blank
