"""Many questions at once are answered as each alone."""

from dataclasses import replace

from policies.engine import Denial, Release, decide, decide_many
from tests.policies.asking import border


def test_many_questions_are_answered_as_each_alone(shipped, world):
    questions = [
        world.question(
            "ipo-xa",
            "customs-xa",
            "detention",
            "notify_owner",
            representing=world.owner("k1"),
            facts={"stage": stage, "notified": True, "right_keys": frozenset({"k1"}), "sealed": sealed},
        )
        for stage in world.stages
        for sealed in (True, False)
    ]
    questions = [replace(one, record=replace(one.record, digest=f"d{number}")) for number, one in enumerate(questions)]

    assert decide_many(shipped, questions) == [decide(shipped, one) for one in questions]


def test_one_bad_question_does_not_deny_the_others(shipped, world):
    good, bad = border(world), border(world, facts={"stage": "lost"})
    other_record = replace(good, record=replace(good.record, digest="other"))

    decisions = decide_many(shipped, [good, bad, other_record])

    assert [type(one) for one in decisions] == [Release, Denial, Release]


def test_questions_to_different_holders_may_stand_in_one_list(shipped, world):
    questions = [border(world), world.question("public", "customs-xa", "detention", "statistics")]

    assert [type(one) for one in decide_many(shipped, questions)] == [Release, Denial]
    assert decide_many(shipped, []) == []
