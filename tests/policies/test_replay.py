"""Replays: what would have been otherwise, as if each question had been asked anew of both books, at less cost."""

from dataclasses import replace

import pytest

from policies import cedar
from policies.engine import decide
from policies.replay import difference, replay
from policies.snapshots import Snapshot

STOP = 'forbid (principal, action, resource) when { resource.under_appeal || resource.stage == IPX::Stage::"revoked" };'


def stopped(world, scope="principal"):
    text = STOP.replace("(principal,", f"({scope},")
    return world.book(world.policy("guardrail", "gateway", "stop", text, '@reason("stop")'), previous=world.shipped)


@pytest.fixture(scope="module")
def past(world):
    """Exchanges about records that all differ, a few of which a stop would touch."""
    found = []
    for number in range(120):
        asking, holder, record_type, purpose = [
            ("customs-xa", "ipo-xa", "trademark", "border_enforcement"),
            ("court-xa", "customs-xa", "detention", "court_proceeding"),
            ("public", "ipo-xa", "trademark", "public_information"),
        ][number % 3]
        facts = {
            "under_appeal": number % 5 == 0,
            "stage": ["registered", "revoked", "seized"][number % 7 % 3],
            "parties": frozenset({f"party {number}"}),
            "case_numbers": frozenset({"XA-2026-7"} if number % 2 else ()),
        }
        asked = world.question(asking, holder, record_type, purpose, facts=facts, case_reference=world.case())
        found.append(Snapshot(str(number), replace(asked, record=replace(asked.record, digest=f"record {number}"))))
    return sorted(found, key=lambda one: (one.question.holder.code, one.question.record_type, one.question.asking.code))


@pytest.fixture
def requests_asked(monkeypatch):
    """How many requests went to Cedar."""
    asked = []
    real = cedar.ask

    def counted(requests, *rest):
        asked.extend(requests)
        return real(requests, *rest)

    monkeypatch.setattr(cedar, "ask", counted)
    return asked


@pytest.mark.parametrize("asks_all", [False, True])
def test_a_replay_says_what_asking_each_question_anew_says(world, past, asks_all):
    candidate = stopped(world)

    report = replay(world.shipped, candidate, past, asks_all=asks_all)

    fresh = [difference(one, decide(world.shipped, one.question), decide(candidate, one.question)) for one in past]
    changed = [one for one in fresh if one is not None]
    assert report.replayed == len(past)
    assert report.unchanged == len(past) - len(changed) < len(past)
    assert sum(report.whole.lost.values()) == sum(len(one.lost) for one in changed)
    assert {
        (code, change): count for code, tally in report.agencies.items() for change, count in tally.changes.items()
    } == {
        (code, change): sum(one.change == change and one.requester == code for one in changed)
        for code, change in {(one.requester, one.change) for one in changed}
    }


def test_what_a_changed_policys_scope_cannot_touch_is_not_asked(world, past, requests_asked):
    candidate = stopped(world, 'principal in IPX::Agency::"court-xa"')

    report = replay(world.shipped, candidate, past, asks_all=False)

    by_court = sum(one.question.asking.code == "court-xa" for one in past)
    assert report.untouched == len(past) - by_court
    assert {one["principal"]["id"] for one in requests_asked} == {"court-xa.system"}
    assert report.replayed == len(past)


def test_questions_that_are_alike_are_asked_once(world, past, requests_asked):
    candidate = stopped(world)

    replay(world.shipped, candidate, past, asks_all=False)
    once = len(requests_asked)
    replay(world.shipped, candidate, past * 5, asks_all=False)

    assert len(requests_asked) == 2 * once


def test_the_same_book_again_asks_nothing(world, past, requests_asked):
    report = replay(world.shipped, world.book(previous=world.shipped), past, asks_all=False)

    assert (report.untouched, report.unchanged, requests_asked) == (len(past), len(past), [])
