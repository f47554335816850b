"""Why an answer is as it is: the holder sees policies and failing lines, the requester never a fact of the record."""

from dataclasses import replace

import pytest

from policies.engine import explain


def report(found, policy_id):
    return next(one for one in found.policies if one.ref.policy_id == policy_id)


def cited(world, **changes):
    return world.question(
        "court-xa",
        "customs-xa",
        "detention",
        "court_proceeding",
        facts={"case_numbers": frozenset({"XA-2026-7"})},
        groups=frozenset({"detention.core", "detention.value"}),
        **changes,
    )


def test_a_release_names_the_policies_that_decided(shipped, world):
    found = explain(shipped, cited(world, case_reference=world.case()), "auditor")

    assert found.outcome == "released"
    assert report(found, "court-detention-cited").decides
    assert report(found, "egress-default").decides
    assert found.basis.book == shipped.digest


def test_the_failing_lines_of_a_permit_are_named_one_by_one(shipped, world):
    closed = explain(shipped, cited(world, case_reference=world.case(active=False)), "holder")
    no_case = explain(shipped, cited(world), "holder")

    assert [line.cedar for line in report(closed, "court-detention-cited").failing] == [
        "(context.case_reference).active"
    ]
    assert "context has case_reference" in [line.cedar for line in report(no_case, "court-detention-cited").failing]


def test_a_permit_that_only_another_request_would_meet_is_within_reach(shipped, world):
    found = explain(shipped, cited(world, case_reference=world.case(active=False)), "holder")

    assert [ref.policy_id for ref in found.within_reach] == ["court-detention-cited"]


def test_who_asks_and_what_the_record_is_are_not_within_reach(shipped, world):
    asked = world.question("regulator-xa", "ipo-xa", "trademark", "statistics")

    found = explain(shipped, asked, "auditor")

    failing = report(found, "customs-trademark-border").failing
    assert [(line.cedar, line.is_about_request) for line in failing] == [
        ('principal in IPX::Agency::"customs-xa"', False),
        ('(context.purpose) == IPX::Purpose::"border_enforcement"', True),
    ]
    assert "enforcement-trademark-owner" in {ref.policy_id for ref in found.within_reach}
    assert "customs-trademark-border" not in {ref.policy_id for ref in found.within_reach}


def test_a_denial_shows_deciding_forbids_and_the_permits_they_overrode(shipped, world):
    asked = world.question("customs-xa", "court-xa", "court_case", "border_enforcement", facts={"sealed": True})

    found = explain(shipped, asked, "holder")

    assert report(found, "guard-sealed").decides
    overridden = report(found, "agency-court-case")
    assert (overridden.applies, overridden.decides) == (True, False)
    assert found.approvals == (frozenset({"sealed_release"}),)
    assert [ref.policy_id for ref in found.basis.overridden] == ["agency-court-case"]


def test_a_requester_learns_groups_reasons_laws_and_approvals_and_no_policy(shipped, world):
    found = explain(shipped, cited(world, case_reference=world.case()), "requester")

    by_group = {one.group: one for one in found.groups}
    assert by_group["detention.core"].is_disclosed
    assert by_group["detention.core"].legal_basis == ("XA Judicial Assistance Act s. 12",)
    assert (by_group["detention.value"].reason, by_group["detention.value"].legal_basis) == ("not_granted", ())
    assert (found.policies, found.within_reach, found.basis) == ((), (), None)


@pytest.mark.parametrize("flaw", ["sealed", "error", "not cited"])
def test_a_requester_that_may_not_learn_of_the_record_learns_nothing(shipped, world, flaw):
    asked = {
        "sealed": world.question("customs-xa", "court-xa", "court_case", "border_enforcement", facts={"sealed": True}),
        "error": world.question("customs-xa", "court-xa", "court_case", "border_enforcement", facts={"stage": "lost"}),
        "not cited": cited(world),
    }[flaw]

    found = explain(shipped, asked, "requester")

    assert (found.outcome, found.reason, found.groups, found.approvals) == ("no_information", None, (), ())


def test_an_error_is_explained_to_the_holder_without_a_guess(shipped, world):
    asked = replace(cited(world), purpose="marketing")

    found = explain(shipped, asked, "holder")

    assert (found.refused_by, found.reason, found.policies) == ("error", "outside_catalogue", ())


def test_a_line_of_an_exception_is_written_as_its_negation(world):
    text = (
        'forbid (principal, action, resource in IPX::Source::"ipo-xa-trademarks")\n'
        'when { resource.final } unless { resource.notified || context.mode == IPX::Mode::"bulk" };'
    )
    permit = text.replace("forbid", "permit")
    book = world.book(world.policy("holder", "ipo-xa", "exceptions", permit, '@legal_basis("a law")'))
    asked = world.question("customs-xa", "ipo-xa", "trademark", "statistics", mode="bulk", facts={"notified": True})

    lines = [line.cedar for line in report(explain(book, asked, "holder"), "exceptions").failing]

    assert lines == ["resource.final", "!(resource.notified)", '!((context.mode) == IPX::Mode::"bulk")']
