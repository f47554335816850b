"""A change of policies from its draft until it is rolled back, on either database."""

from tests.governance import people
from tests.governance.people import ALICE, BOB, MARK, NEGATIVE


def test_a_narrowed_policy_decides_the_next_call_and_is_rolled_back(gateway):
    before = gateway.ask()
    base = gateway.services.governance.activations.history(ALICE, "holder", "ipo-xa")[0]

    change = people.activate(
        gateway, {MARK: people.narrowed(people.text_of(gateway))}, tests={NEGATIVE["name"]: NEGATIVE}
    )

    pair = {(one["record_type"], one["name"]): one for one in change.found("diff").result["pairs"]}
    assert pair["trademark", "trademark.owner"]["change"] == "less_permissive"
    assert pair["trademark", "trademark.owner"]["lost"]["asking"]["code"] == "customs-xa"
    assert {one["change"] for place, one in pair.items() if place[1] != "trademark.owner"} == {"equivalent"}
    assert change.found("replay").result["lost"] == {"trademark.owner": 1}
    gateway.services.books.newest()
    after = gateway.ask()
    assert {one.group for one in after.withheld} - {one.group for one in before.withheld} == {"trademark.owner"}
    now = gateway.services.governance.activations.history(ALICE, "holder", "ipo-xa")[0]
    gateway.services.governance.activations.roll_back(BOB, base.id, in_force=now.id, reason="too narrow")
    gateway.services.books.newest()
    assert {one.group for one in gateway.ask().withheld} == {one.group for one in before.withheld}
