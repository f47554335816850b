"""The worked policies for what courts ask and hold decide as intended: cited cases, seals, orders, final penalties."""

from dataclasses import replace

import pytest

from policies.decision import NOT_GRANTED
from policies.engine import Denial, Pending, decide, obtainable
from tests.policies.asking import disclosed, reasons

# (b) a court and the detention its case cites


def court_asks(world, **changes):
    facts = changes.pop("facts", {})
    changes.setdefault("case_reference", world.case())
    cited = {"case_numbers": frozenset({"XA-2026-7"}), **facts}
    return world.question("court-xa", "customs-xa", "detention", "court_proceeding", facts=cited, **changes)


def test_a_courts_cited_active_case_opens_a_detention(shipped, world):
    decision = decide(shipped, court_asks(world))

    assert disclosed(decision) == {"detention.core", "detention.goods", "detention.importer"}
    assert decision.obligations.document() == {"retain_days": 365, "onward": "none"}


@pytest.mark.parametrize(
    "changes",
    [
        {"case_reference": None},
        {"facts": {"case_numbers": frozenset()}},
        {"facts": {"case_numbers": frozenset({"XA-2026-8"})}},
        {"facts": {"jurisdiction": "XB"}},
    ],
    ids=["no case", "detention of no case", "detention of another case", "detention elsewhere"],
)
def test_a_court_without_the_cited_case_gets_nothing_and_learns_nothing(shipped, world, changes):
    decision = decide(shipped, court_asks(world, **changes))

    assert (decision.refused_by, decision.reason, decision.may_acknowledge) == ("holder", NOT_GRANTED, False)


@pytest.mark.parametrize("flaw", [{"active": False}, {"verified": False}, {"jurisdiction": "XB"}, {"number": "XA-1"}])
def test_a_case_that_is_closed_unverified_or_elsewhere_opens_nothing(shipped, world, flaw):
    decision = decide(shipped, court_asks(world, case_reference=world.case(**flaw)))

    assert isinstance(decision, Denial)


def test_no_other_kind_of_agency_profits_from_a_courts_case(shipped, world):
    asked = replace(court_asks(world), asking=world.agencies["regulator-xa"])

    assert isinstance(decide(shipped, asked), Denial)


# (c) sealed


def sealed_case(world, **changes):
    return world.question(
        "customs-xa", "court-xa", "court_case", "border_enforcement", facts={"sealed": True}, **changes
    )


def test_a_sealed_case_is_refused_by_the_guardrail_and_even_its_existence_is_kept(shipped, world):
    decision = decide(shipped, sealed_case(world))

    assert (decision.refused_by, decision.reason, decision.may_acknowledge) == ("guardrail", "sealed", False)
    assert [ref.policy_id for ref in decision.basis.by] == ["guard-sealed"]
    assert [ref.policy_id for ref in decision.basis.overridden] == ["agency-court-case"]


def test_the_same_case_unsealed_goes_to_an_agency_with_a_task(shipped, world):
    asked = world.question("customs-xa", "court-xa", "court_case", "border_enforcement")

    assert disclosed(decide(shipped, asked)) == {
        "court_case.docket",
        "court_case.parties",
        "court_case.outcome",
        "court_case.judgment_public",
    }


def test_the_approval_of_a_sealed_release_lifts_the_seal_and_nothing_more(shipped, world):
    decision = decide(shipped, sealed_case(world, approvals=frozenset({"sealed_release"})))

    assert "court_case.docket" in decision.disclosed
    assert "court_case.judgment_full" not in decision.disclosed


def test_another_approval_does_not_lift_the_seal(shipped, world):
    assert isinstance(decide(shipped, sealed_case(world, approvals=frozenset({"personal_data"}))), Denial)


def test_a_sealed_case_waits_for_the_approval_that_would_release_it(shipped, world):
    asked = sealed_case(world)

    found = obtainable(shipped, asked, decide(shipped, asked))

    assert isinstance(found, Pending)
    assert found.approvals == (frozenset({"sealed_release"}),)


def test_a_denial_no_approval_would_change_stays_a_denial(shipped, world):
    asked = world.question("regulator-xa", "customs-xa", "detention", "statistics")
    denial = decide(shipped, asked)

    assert obtainable(shipped, asked, denial) is denial


def test_only_the_smallest_sets_of_approvals_are_named(world):
    needs_two = world.policy(
        "holder",
        "court-xa",
        "two-approvals",
        world.permit(["court_case.docket"], "CourtCase", 'context.approvals.contains(IPX::Approval::"personal_data")'),
        '@legal_basis("a law")',
    )
    book = world.book(needs_two, without=["agency-court-case"])
    asked = sealed_case(world)

    found = obtainable(book, asked, decide(book, asked))

    assert found.approvals == (frozenset({"sealed_release", "personal_data"}),)


def under_order(world, **changes):
    sealed = {"court_case.docket": "sealed"}
    return world.question(
        "customs-xa", "court-xa", "court_case", "border_enforcement", facts={"sealed_groups": sealed}, **changes
    )


def test_a_group_an_order_seals_in_one_record_is_withheld_there_whatever_policies_say(shipped, world):
    decision = decide(shipped, under_order(world))

    assert reasons(decision)["court_case.docket"] == "sealed"
    assert "court_case.outcome" in decision.disclosed


def test_a_group_under_order_waits_for_the_approval_of_a_sealed_release(shipped, world):
    only_docket = under_order(world, groups=frozenset({"court_case.docket"}))
    denial = decide(shipped, only_docket)

    assert (denial.refused_by, denial.reason) == ("guardrail", "sealed")
    assert obtainable(shipped, only_docket, denial).approvals == (frozenset({"sealed_release"}),)
    approved = decide(shipped, replace(only_docket, approvals=frozenset({"sealed_release"})))
    assert disclosed(approved) == {"court_case.docket"}


def test_a_court_record_that_is_not_published_is_not_for_the_public(world):
    open_docket = world.policy(
        "holder", "court-xa", "open-docket", world.permit(["court_case.docket"], "CourtCase"), '@legal_basis("a law")'
    )
    book = world.book(open_docket)
    facts = {"unpublished": True}

    to_the_public = decide(book, world.question("public", "court-xa", "court_case", "public_information", facts=facts))
    to_customs = decide(book, world.question("customs-xa", "court-xa", "court_case", "border_enforcement", facts=facts))

    assert reasons(to_the_public)["court_case.docket"] == "unpublished"
    assert "court_case.docket" in disclosed(to_customs)


# (f) final penalties for punitive damages


def punitive(world, **facts):
    facts = {"parties": frozenset({"p1", "p2"}), "final": True, **facts}
    return world.question(
        "court-xa", "regulator-xa", "admin_case", "punitive_damages", facts=facts, case_reference=world.case()
    )


def test_a_court_receives_a_defendants_final_penalty_with_a_recall_obligation(shipped, world):
    decision = decide(shipped, punitive(world))

    assert disclosed(decision) == {"admin_case.decision", "admin_case.repeat"}
    assert decision.obligations.recall_on == {"reversed", "corrected", "sealed"}


@pytest.mark.parametrize(
    "facts",
    [{"final": False}, {"stage": "revoked"}, {"parties": frozenset({"p2"})}, {"parties": frozenset()}],
    ids=["not final", "revoked", "somebody else's", "nobody's"],
)
def test_a_penalty_that_is_not_final_revoked_or_not_the_defendants_stays(shipped, world, facts):
    assert isinstance(decide(shipped, punitive(world, **facts)), Denial)
