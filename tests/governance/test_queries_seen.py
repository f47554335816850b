"""Requests for several records are seen too: by a candidate in shadow, and by a replay of what was asked."""

import time
from datetime import timedelta

import pytest

from policies.replay import NEEDS_OTHER_ROWS
from tests.exchange.approving import put
from tests.exchange.querying import SEIZED, several
from tests.exchange.world import REGULATOR
from tests.governance import people
from tests.governance.people import ALICE

READ = 8
"""So many records the source gave; the policies let three of them through."""
GOODS = ', IPX::Action::"detention.goods"'
NEGATIVE = {
    "name": "nobody-gets-detentions-for-statistics",
    "question": {
        "asking": {"code": "regulator-xa", "kind": "regulator", "jurisdictions": ["XA"]},
        "record_type": "detention",
        "purpose": "statistics",
        "facts": {"sealed": True},
    },
    "expect": {"outcome": "denied"},
}


@pytest.fixture
def asked(gateway):
    """Three detentions that the regulator got by one request."""
    put(gateway, SEIZED, owner="customs-xa")
    answer = gateway.client(REGULATOR).request(several())
    assert len(answer.records) == 3
    return gateway


def without_goods(text):
    assert GOODS in text
    return text.replace(GOODS, "")


def only_seized(text):
    return text.replace(', IPX::Stage::"detained"', "")


def candidate(gateway, text):
    """Compile the book there would be with another text of the regulator's policy."""
    books = gateway.services.books
    others = [
        one
        for one in gateway.services.policies.active()[1]
        if (one.ref.tier, one.ref.owner) == ("holder", "customs-xa") and one.ref.policy_id != "regulator-seized"
    ]
    made = people.revised("holder", "customs-xa", "regulator-seized", text)
    return books.candidate("holder", "customs-xa", [*others, made])


def test_a_replay_asks_each_record_of_a_past_query(asked):
    found = asked.services.governance.replays.against(candidate(asked, without_goods(SEIZED)))

    assert found.replayed == READ
    assert dict(found.whole.lost) == {"detention.goods": 3}
    assert found.agencies["regulator-xa"].document()["groups"] == 3
    assert found.not_replayable == {}


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_rows_that_were_never_read_are_not_guessed(asked):
    found = asked.services.governance.replays.against(candidate(asked, only_seized(SEIZED)))

    assert found.replayed == READ
    assert found.whole.changes["newly_denied"] == 1
    assert found.not_replayable == {NEEDS_OTHER_ROWS: 1}


def test_a_shadow_judges_each_record_of_a_query(asked):
    governance, now = asked.services.governance, asked.services.clock()
    change = people.asked(
        asked, {"regulator-seized": without_goods(SEIZED)}, owner="customs-xa", tests={NEGATIVE["name"]: NEGATIVE}
    )
    ready = people.approve(asked, change)
    governance.activations.schedule(
        ALICE, ready.id, version=ready.version, activate_at=now + timedelta(days=2), shadow_from=now
    )

    report, give_up = governance.activations.shadow(ALICE, ready.id), time.monotonic() + 60
    while report.compared == 0 and time.monotonic() < give_up:  # a worker knows of a new shadow within a second
        asked.client(REGULATOR).request(several())
        governance.shadows.settle()
        report = governance.activations.shadow(ALICE, ready.id)

    assert (report.compared, report.differing, report.skipped) == (READ, 3, 0)
    assert [(one["requester"], one["lost"], one["seen"]) for one in report.differences] == [
        ("regulator-xa", ["detention.goods"], 3)
    ]
