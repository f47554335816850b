"""Under an active mandate a supplier's client asks as the agency it asks for, never with rights of the supplier."""

from dataclasses import replace

import pytest

from policies.decision import OUTSIDE_CATALOGUE
from policies.engine import decide
from tests.policies.asking import BASIS, border, refusal


def delegated(world, mandate, **supplier):
    asked = border(world)
    return replace(asked, supplier=replace(world.agencies["supplier-xa"], **supplier), delegation=mandate)


def test_under_an_active_mandate_the_client_asks_as_the_agency_it_asks_for(shipped, world):
    decision = decide(shipped, delegated(world, world.delegation()))

    assert decision.disclosed == decide(shipped, border(world)).disclosed


@pytest.mark.parametrize("flaw", [{"active": False}, {"covers_purpose": False}])
def test_a_mandate_that_ended_or_does_not_cover_the_purpose_gives_nothing(shipped, world, flaw):
    decision = decide(shipped, delegated(world, world.delegation(**flaw)))

    assert refusal(decision) == ("guardrail", "delegation_inactive")


def test_a_suspended_supplier_gives_nothing(shipped, world):
    decision = decide(shipped, delegated(world, world.delegation(), suspended=True))

    assert refusal(decision) == ("guardrail", "delegation_inactive")


@pytest.mark.parametrize("mandate", [None, "another's"])
def test_a_supplier_without_its_own_mandate_is_an_error(shipped, world, mandate):
    other = replace(world.delegation(), supplier="court-xb") if mandate else None

    assert refusal(decide(shipped, delegated(world, other))) == ("error", OUTSIDE_CATALOGUE)


def test_the_suppliers_own_rights_do_not_leak_into_a_delegated_question(world):
    for_suppliers = 'permit (principal in IPX::Agency::"supplier-xa", action, resource is IPX::Trademark);'
    book = world.book(world.policy("holder", "ipo-xa", "for-suppliers", for_suppliers, BASIS))

    decision = decide(book, delegated(world, world.delegation()))

    assert "trademark.examination" not in decision.disclosed
