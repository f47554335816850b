"""Each tier decides for itself: no permit of one counts as the other's; the suspended receive and send nothing."""

from dataclasses import replace

import pytest

from policies.decision import EGRESS_NOT_GRANTED, NO_EGRESS, NOT_GRANTED
from policies.engine import decide, decide_early
from tests.policies.asking import BASIS, border, refusal


def test_without_an_egress_policy_nothing_is_asked(world):
    book = world.book(without=["customs-xa"])

    assert refusal(decide(book, border(world))) == ("egress", NO_EGRESS)
    assert refusal(decide_early(book, border(world))) == ("egress", NO_EGRESS)


def test_a_purpose_the_asking_agency_is_not_registered_for_is_refused_by_its_own_tier(world):
    text = 'permit (principal, action, resource) when { context.purpose == IPX::Purpose::"statistics" };'
    narrow = world.policy("egress", "customs-xa", "narrow", text, BASIS)
    book = world.book(narrow, without=["customs-xa"])

    assert refusal(decide(book, border(world))) == ("egress", EGRESS_NOT_GRANTED)


def test_an_asking_agency_can_decline_groups_for_itself(world):
    text = 'forbid (principal, action in IPX::Action::"class.personal", resource);'
    declines = world.policy("egress", "ipo-xa", "no-personal-data", text, '@reason("not_wanted")')

    decision = decide(world.book(declines), world.question("ipo-xa", "customs-xa", "customs_recordal", "examination"))

    assert {one.group: one.reason for one in decision.withheld}["customs_recordal.contact"] == "not_wanted"


def test_a_permit_of_one_holder_never_releases_a_record_of_another(world):
    everything = "permit (principal, action, resource);"
    book = world.book(world.policy("holder", "ipo-xa", "everything", everything, BASIS))

    foreign = decide(book, world.question("public", "customs-xa", "detention", "statistics"))

    assert refusal(foreign) == ("holder", NOT_GRANTED)


def test_a_permit_of_the_asking_agency_never_counts_as_the_holders(world):
    everything = "permit (principal, action, resource);"
    book = world.book(world.policy("egress", "public", "everything", everything, BASIS))

    foreign = decide(book, world.question("public", "customs-xa", "detention", "statistics"))

    assert refusal(foreign) == ("holder", NOT_GRANTED)


def test_sides_that_no_record_can_meet_both_at_once_deny_early(world):
    text = "permit (principal, action, resource) when {{ {} }};"
    holder = world.policy(
        "holder", "ipo-xb", "some", world.permit(["trademark.goods"], "Trademark", "resource.final"), BASIS
    )
    egress = world.policy("egress", "public", "some", text.format("resource.notified && false"), BASIS)
    book = world.book(holder, egress, without=["public"])

    decision = decide_early(book, world.question("public", "ipo-xb", "trademark", "public_information"))

    assert refusal(decision) == ("egress", EGRESS_NOT_GRANTED)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("who", ["client", "agency", "holder"])
def test_the_suspended_receive_and_send_nothing(shipped, world, who, early):
    asked = border(world)
    suspended = {
        "client": replace(asked, client=replace(asked.client, suspended=True)),
        "agency": replace(asked, asking=replace(asked.asking, suspended=True)),
        "holder": replace(asked, holder=replace(asked.holder, suspended=True)),
    }[who]

    decision = (decide_early if early else decide)(shipped, suspended)

    assert refusal(decision) == ("guardrail", "holder_suspended" if who == "holder" else "suspended")
