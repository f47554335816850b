"""A book that remembers its answers answers as one that does not; time counts where a policy reads it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.engine import decide, decide_early
from policies.remembered import RememberedBook

LATER = timedelta(days=400)


@pytest.fixture
def questions(world):
    seized = {"stage": "seized", "right_keys": frozenset({"XA|trademark|1"})}
    return [
        world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement"),
        world.question("customs-xa", "ipo-xa", "trademark", "statistics"),
        world.question(
            "court-xa",
            "customs-xa",
            "detention",
            "court_proceeding",
            facts={"case_numbers": frozenset({"XA-2026-7"})},
            case_reference=world.case(),
        ),
        world.question(
            "ipo-xa",
            "customs-xa",
            "detention",
            "notify_owner",
            facts=seized,
            representing=world.owner("XA|trademark|1"),
        ),
        world.question("regulator-xa", "court-xa", "court_case", "market_surveillance", facts={"sealed": True}),
    ]


def test_remembered_answers_equal_fresh_ones(world, questions):
    remembered = RememberedBook(world.shipped)

    for question in [*questions, *questions]:
        assert remembered.decide(question) == decide(world.shipped, question)
        assert remembered.decide_early(question) == decide_early(world.shipped, question)


def test_every_part_of_a_question_counts(world, questions):
    remembered = RememberedBook(world.shipped)
    for question in questions:
        remembered.decide(question)
        remembered.decide_early(question)
        others = [
            replace(question, client=replace(question.client, suspended=True)),
            replace(question, asking=replace(question.asking, suspended=True)),
            replace(question, purpose="public_information"),
            replace(question, groups=frozenset({f"{question.record_type}.extensions"})),
            replace(question, case_reference=None),
            replace(question, representing=None),
        ]
        for other in others:
            assert remembered.decide(other) == decide(world.shipped, other)
            assert remembered.decide_early(other) == decide_early(world.shipped, other)


def test_every_fact_of_a_record_counts(world, questions):
    remembered = RememberedBook(world.shipped)
    for question in questions:
        remembered.decide(question)
        for name, value in question.record.facts.items():
            other_value = (
                not value if isinstance(value, bool) else frozenset() if isinstance(value, frozenset) else value
            )
            turned = replace(question.record, facts={**question.record.facts, name: other_value})
            other = replace(question, record=turned)
            assert remembered.decide(other) == decide(world.shipped, other), name


def test_a_group_that_is_sealed_in_this_record_counts(world, questions):
    remembered = RememberedBook(world.shipped)
    open_ = questions[0]
    remembered.decide(open_)
    closed = replace(open_, record=replace(open_.record, sealed_groups={"trademark.mark": "sealed"}))

    assert remembered.decide(closed) == decide(world.shipped, closed)
    assert remembered.decide(closed) != remembered.decide(open_)


@pytest.mark.parametrize("read", ["context.now", 'context["now"]'])
def test_a_policy_that_reads_the_time_is_asked_again(world, read):
    condition = f'{read} < datetime("2027-01-01T00:00:00.000Z")'
    text = world.policy(
        "holder",
        "ipo-xa",
        "until-new-year",
        world.permit(["trademark.examination"], "Trademark", condition),
        '@legal_basis("test")',
    )
    book = world.book(text)
    remembered = RememberedBook(book)
    now = world.question(
        "customs-xa", "ipo-xa", "trademark", "border_enforcement", groups=frozenset({"trademark.examination"})
    )
    later = replace(now, now=now.now + LATER)

    assert remembered.decide(now) == decide(book, now)
    assert remembered.decide(later) == decide(book, later)
    assert remembered.decide(now) != remembered.decide(later)
    assert remembered.decide_early(later) == decide_early(book, later)


def test_what_could_not_be_decided_is_asked_again(world, questions):
    remembered = RememberedBook(world.shipped)
    broken = replace(questions[0], purpose="no_such_purpose")

    assert remembered.decide(broken).refused_by == "error"
    assert remembered._decided == {}
