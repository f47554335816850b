"""What is alike to a book is answered alike: a remembered decision equals a fresh one, whatever else differs."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.alike import PLACES_MAX, likeness
from policies.compiled import compile_policy
from policies.engine import decide, decide_early
from policies.question import Question
from policies.reference import PolicyText
from policies.remembered import RememberedBook

BASIS = '@legal_basis("a law")'
READERS = (
    'context.now < datetime("2026-12-01T00:00:00.000Z")',
    'resource in IPX::Source::"ipo-xa-trademarks"',
    'context has representing && context.representing.right_keys.contains("k1")',
    'resource has happened_on && resource.happened_on < datetime("2026-01-01T00:00:00.000Z")',
    'resource.case_numbers.contains("XA-2026-7")',
)
"""Conditions of further policies: each reads something that the shipped ones do not."""

asked = st.fixed_dictionaries(
    {
        "asking": st.sampled_from(["customs-xa", "public", "ipo-xb"]),
        "target": st.sampled_from(
            [("ipo-xa", "trademark"), ("customs-xa", "detention"), ("regulator-xa", "admin_case")]
        ),
        "purpose": st.sampled_from(["border_enforcement", "notify_owner", "no_such_purpose"]),
        "has_case": st.booleans(),
        "rights": st.sampled_from([None, "k1", "k2"]),
        "days": st.sampled_from([0, 30]),
        "digest": st.sampled_from(["one", "two", ""]),
        "sealed_groups": st.sampled_from([{}, {"trademark.mark": "sealed"}]),
        "facts": st.fixed_dictionaries(
            {},
            optional={
                "sealed": st.sampled_from([False, True, 1]),
                "unpublished": st.booleans(),
                "notified": st.booleans(),
                "stage": st.sampled_from(["seized", "registered", "no_such_stage"]),
                "status": st.sampled_from(["active", "nothing"]),
                "right_keys": st.sampled_from([frozenset(), frozenset({"k1"}), frozenset({"\ud800"}), "k1"]),
                "case_numbers": st.sampled_from([frozenset(), frozenset({"XA-2026-7"})]),
                "happened_on": st.sampled_from(
                    [
                        datetime(2025, 1, 1, tzinfo=UTC),
                        datetime(2026, 6, 1, tzinfo=UTC),
                        datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None),
                    ]
                ),
                "colour": st.just("red"),
            },
        ),
    }
)


def question(world, drawn):
    whole = world.question(
        drawn["asking"],
        *drawn["target"],
        drawn["purpose"],
        facts={**drawn["facts"]},
        case_reference=world.case() if drawn["has_case"] else None,
        representing=world.owner(drawn["rights"]) if drawn["rights"] else None,
        now=world.now + timedelta(days=drawn["days"]),
    )
    return replace(whole, record=replace(whole.record, digest=drawn["digest"], sealed_groups=drawn["sealed_groups"]))


@pytest.fixture(scope="module", params=[(), *[(one,) for one in READERS]], ids=["shipped", *map(str, range(5))])
def remembered(world, request):
    """A book that remembers from one example to the next."""
    texts = [
        world.policy("holder", "ipo-xa", "reader", world.permit(["trademark.examination"], "Trademark", one), BASIS)
        for one in request.param
    ]
    return RememberedBook(world.book(*texts, previous=world.shipped))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(asked, min_size=1, max_size=6))
def test_a_remembered_decision_equals_a_fresh_one(world, remembered, drawn):
    questions = [question(world, one) for one in drawn]

    assert [remembered.decide(one) for one in questions] == [decide(remembered.book, one) for one in questions]
    for one in questions:
        assert remembered.decide_early(one) == decide_early(remembered.book, one)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(asked, min_size=2, max_size=12))
def test_a_batch_is_answered_as_each_question_alone(world, drawn):
    same = {**drawn[0]}
    questions = [question(world, {**one, "asking": same["asking"], "target": same["target"]}) for one in drawn]

    assert RememberedBook(world.shipped).decide_many(questions) == [decide(world.shipped, one) for one in questions]


def test_records_that_differ_only_in_what_nobody_reads_are_alike(world):
    one = world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement")
    other = replace(
        one,
        now=one.now + timedelta(days=9),
        record=replace(
            one.record, digest="another", facts={**one.record.facts, "parties": frozenset({"p"}), "notified": True}
        ),
    )
    sealed = replace(one, record=replace(one.record, facts={**one.record.facts, "sealed": True}))

    assert likeness(world.shipped, one) == likeness(world.shipped, other)
    assert likeness(world.shipped, one) != likeness(world.shipped, sealed)


@pytest.mark.parametrize(
    "facts",
    [{"sealed": "no"}, {"stage": "no_such_stage"}, {"right_keys": "k1"}, {"colour": "red"}, {"holder": "ipo-xb"}],
)
def test_what_is_malformed_is_like_nothing(world, facts):
    one = world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement", facts=facts)

    assert likeness(world.shipped, one) is None


@pytest.mark.parametrize(
    ("condition", "reads"),
    [
        ("resource.sealed && !resource.notified", {"resource.sealed", "resource.notified"}),
        ("context has case_reference && context.case_reference.verified", {"context.case_reference"}),
        ('context["now"] < datetime("2026-12-01T00:00:00.000Z")', {"context.now"}),
        ("resource is IPX::Trademark", set()),
        ('resource is IPX::Trademark in IPX::Source::"a-source"', {"resource"}),
        ('resource in IPX::Source::"a-source"', {"resource"}),
        ("{seen: context}.seen.purpose == context.purpose", {"context", "context.purpose"}),
        ('(if resource.sealed then action else action) == IPX::Action::"release"', {"resource.sealed", "action"}),
        ("principal.agency.suspended || principal.suspended", {"principal.agency", "principal.suspended"}),
        ("true", set()),
    ],
)
def test_a_policys_tree_tells_what_it_reads(world, condition, reads):
    text = world.policy("holder", "ipo-xa", "reader", world.permit(["trademark.goods"], "Trademark", condition), BASIS)

    assert compile_policy(world.catalogue, text).reads == reads


def test_a_scope_over_one_record_reads_the_record(world):
    cedar = f'@id("one") {BASIS} permit (principal, action, resource == IPX::Trademark::"a-digest");'
    text = world.policy("holder", "ipo-xa", "one", cedar)

    assert compile_policy(world.catalogue, PolicyText(text.ref, cedar)).reads == {"resource"}


def test_what_is_kept_of_a_record_is_of_one_book_and_one_holder(world):
    one = world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement")
    other = replace(one, record=replace(one.record, facts={**one.record.facts, "notified": True}))
    reads_it = world.permit(["trademark.goods"], "Trademark", "resource.notified")
    book = world.book(world.policy("holder", "ipo-xa", "reader", reads_it, BASIS))
    elsewhere = replace(one, holder=replace(one.holder, code="ipo-xb"))

    assert likeness(world.shipped, one) == likeness(world.shipped, other)
    assert likeness(book, one) != likeness(book, other)
    assert likeness(world.shipped, elsewhere) is None
    assert likeness(world.shipped, one) == likeness(world.shipped, replace(one))


def test_a_record_keeps_little_of_many_books(world):
    one = world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement")
    books = [replace(world.shipped, digest=f"{number}") for number in range(40)]

    assert len({likeness(book, one) for book in books}) == 1
    assert len(one.record.beside) <= PLACES_MAX


def test_a_question_about_a_record_is_the_same_question(world):
    names = [field.name for field in fields(Question)]
    asked = Question(**{name: f"the {name}" for name in names})

    whole = asked.about("a record", "somebody")

    assert whole == replace(asked, record="a record", representing="somebody")
