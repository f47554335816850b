"""The worked policies of the demo world decide as intended, and so do the cases just beside them."""

from dataclasses import replace

import pytest

from policies.decision import NOT_GRANTED, PERSONAL_NOT_GRANTED
from policies.engine import Denial, Pending, Release, decide, obtainable

PUBLIC_MARK_GROUPS = {
    f"trademark.{name}" for name in ("biblio", "status", "mark", "goods", "priority", "owner", "representative")
}
FIVE_FACTS = {"detention.goods"}
TRADERS = {"detention.manufacturer", "detention.exporter", "detention.importer"}


def disclosed(decision):
    return set(decision.disclosed) if isinstance(decision, Release) else decision


def reasons(decision):
    return {withheld.group: withheld.reason for withheld in decision.withheld}


# (a) customs at the border


def test_customs_receives_all_public_groups_of_a_mark_at_the_border_but_no_contact(shipped, world):
    asked = world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement")

    decision = decide(shipped, asked)

    assert disclosed(decision) == PUBLIC_MARK_GROUPS
    assert reasons(decision)["trademark.owner.contact"] == NOT_GRANTED
    assert {ref.policy_id for ref in decision.basis.by} == {
        "customs-trademark-border",
        "public-trademark-basics",
        "egress-default",
    }


def test_every_group_asked_for_is_either_disclosed_or_listed_as_withheld(shipped, world):
    asked = world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement")

    decision = decide(shipped, asked)

    groups = {group.name for group in world.catalogue.record_type("trademark").groups}
    assert disclosed(decision) | reasons(decision).keys() == groups
    assert decision.disclosed.isdisjoint(reasons(decision))


def test_a_group_that_was_not_asked_for_is_neither_disclosed_nor_listed(shipped, world):
    asked = world.question(
        "customs-xa", "ipo-xa", "trademark", "border_enforcement", groups=frozenset({"trademark.owner"})
    )

    decision = decide(shipped, asked)

    assert disclosed(decision) == {"trademark.owner"}
    assert decision.withheld == ()


def test_customs_receives_only_the_basics_for_another_purpose(shipped, world):
    asked = world.question("customs-xa", "ipo-xa", "trademark", "statistics")

    assert disclosed(decide(shipped, asked)) == {"trademark.biblio", "trademark.status", "trademark.mark"}


def test_another_agency_receives_only_the_basics_at_the_border(shipped, world):
    asked = world.question("court-xb", "ipo-xa", "trademark", "border_enforcement")

    assert disclosed(decide(shipped, asked)) == {"trademark.biblio", "trademark.status", "trademark.mark"}


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


# (d) the public


def test_the_public_receives_the_basics_of_a_published_mark(shipped, world):
    asked = world.question("public", "ipo-xa", "trademark", "public_information")

    assert disclosed(decide(shipped, asked)) == {"trademark.biblio", "trademark.status", "trademark.mark"}


def test_an_unpublished_mark_acts_as_sealed(shipped, world):
    asked = world.question("public", "ipo-xa", "trademark", "public_information", facts={"unpublished": True})

    decision = decide(shipped, asked)

    assert (decision.refused_by, decision.reason, decision.may_acknowledge) == ("guardrail", "unpublished", False)


def test_an_unpublished_patent_acts_as_sealed(world):
    open_patents = world.policy(
        "holder", "ipo-xa", "open-patents", world.permit(["patent.biblio"], "Patent"), '@legal_basis("a law")'
    )
    asked = world.question("public", "ipo-xa", "patent", "public_information", facts={"unpublished": True})

    decision = decide(world.book(open_patents), asked)

    assert (decision.refused_by, decision.reason, decision.may_acknowledge) == ("guardrail", "unpublished", False)


def test_while_publication_of_a_design_is_deferred_its_looks_stay(world):
    open_designs = world.policy(
        "holder",
        "ipo-xa",
        "open-designs",
        world.permit(["design.biblio", "design.content", "design.classification"], "Design"),
        '@legal_basis("a law")',
    )
    book = world.book(open_designs)
    asked = world.question("public", "ipo-xa", "design", "public_information", facts={"deferred": True})

    decision = decide(book, asked)

    assert disclosed(decision) == {"design.biblio"}
    assert reasons(decision)["design.content"] == reasons(decision)["design.classification"] == "deferred"
    only_looks = decide(book, replace(asked, groups=frozenset({"design.content"})))
    assert (only_looks.refused_by, only_looks.reason, only_looks.may_acknowledge) == ("guardrail", "deferred", True)


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


# (e) the owner of a right, before and after seizure


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


# recordals, and data on individuals


def test_every_agency_receives_the_public_part_of_a_recordal(shipped, world):
    asked = world.question("arbitration-xa", "customs-xa", "customs_recordal", "arbitration")

    assert disclosed(decide(shipped, asked)) == {"customs_recordal.public"}


def test_the_ip_office_receives_licensees_and_contacts_of_a_recordal(shipped, world):
    asked = world.question("ipo-xa", "customs-xa", "customs_recordal", "examination")

    assert disclosed(decide(shipped, asked)) == {
        f"customs_recordal.{name}" for name in ("public", "biblio", "licensees", "contact")
    }


def test_a_granted_personal_group_needs_the_grant_of_personal_as_well(world):
    without_personal = world.policy(
        "holder",
        "ipo-xa",
        "contact-without-personal",
        world.permit(["trademark.biblio", "trademark.owner.contact"], "Trademark"),
        '@legal_basis("a law")',
    )
    book = world.book(without_personal)
    asked = world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement")

    assert reasons(decide(book, asked))["trademark.owner.contact"] == PERSONAL_NOT_GRANTED


def test_a_foreign_office_receives_bibliographic_data_for_examination(shipped, world):
    asked = world.question("ipo-xb", "ipo-xa", "trademark", "examination")

    decision = decide(shipped, asked)

    assert "trademark.priority" in decision.disclosed
    assert "trademark.owner" not in decision.disclosed


def test_agencies_of_one_jurisdiction_receive_marks_of_the_other_office(shipped, world):
    to_customs = decide(shipped, world.question("customs-xa", "ipo-xb", "trademark", "border_enforcement"))
    to_its_own_court = decide(shipped, world.question("court-xb", "ipo-xb", "trademark", "court_proceeding"))

    assert disclosed(to_customs) == {"trademark.biblio", "trademark.status"}
    assert isinstance(to_its_own_court, Denial)
