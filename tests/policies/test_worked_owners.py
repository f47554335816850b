"""The worked policy for the owner of a right, (e): five facts before seizure, and who traded only after it."""

import pytest

from policies.engine import Denial, decide
from tests.policies.asking import disclosed, reasons

FIVE_FACTS = {"detention.goods"}
TRADERS = {"detention.manufacturer", "detention.exporter", "detention.importer"}


def for_the_owner(world, stage, **changes):
    changes.setdefault("representing", world.owner("EM|trademark|1"))
    facts = {"right_keys": frozenset({"EM|trademark|1"}), "stage": stage, "notified": True, **changes.pop("facts", {})}
    return world.question("ipo-xa", "customs-xa", "detention", "notify_owner", facts=facts, **changes)


def test_before_seizure_the_owner_receives_the_five_facts_and_nothing_else(shipped, world):
    decision = decide(shipped, for_the_owner(world, "detained"))

    assert disclosed(decision) == FIVE_FACTS
    assert {reasons(decision)[group] for group in TRADERS} == {"before_seizure"}
    assert decision.obligations.document() == {"retain_days": 180, "onward": "owner_only"}


@pytest.mark.parametrize("stage", ["seized", "forfeited", "destroyed"])
def test_after_seizure_manufacturer_exporter_and_importer_join(shipped, world, stage):
    decision = decide(shipped, for_the_owner(world, stage))

    assert disclosed(decision) == FIVE_FACTS | TRADERS
    assert decision.obligations.notify == {"holder"}


@pytest.mark.parametrize("stage", ["suspended", "detained", "released", "transferred", "unknown"])
def test_in_no_other_stage_does_the_owner_learn_who_traded(shipped, world, stage):
    assert TRADERS.isdisjoint(disclosed(decide(shipped, for_the_owner(world, stage))))


@pytest.mark.parametrize(
    "changes",
    [
        {"representing": None},
        {"facts": {"right_keys": frozenset({"EM|trademark|2"})}},
        {"facts": {"notified": False}},
    ],
    ids=["nobody represented", "another right", "owner not notified"],
)
def test_without_a_verified_owner_of_this_right_who_was_notified_nothing_goes(shipped, world, changes):
    assert isinstance(decide(shipped, for_the_owner(world, "detained", **changes)), Denial)


def test_a_representation_registers_do_not_confirm_opens_nothing(shipped, world):
    unverified = world.owner("EM|trademark|1", verified=False)

    assert isinstance(decide(shipped, for_the_owner(world, "seized", representing=unverified)), Denial)


def test_traders_stay_hidden_from_owners_even_if_the_holder_grants_them(world):
    careless = world.policy(
        "holder",
        "customs-xa",
        "careless",
        world.permit(["personal", "detention.manufacturer", "detention.goods"], "Detention"),
        '@legal_basis("a law")',
    )
    book = world.book(careless)

    decision = decide(book, for_the_owner(world, "detained"))

    assert reasons(decision)["detention.manufacturer"] == "before_seizure"
    assert "careless" in {ref.policy_id for ref in decision.basis.overridden}
