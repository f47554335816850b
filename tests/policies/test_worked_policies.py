"""The worked policies for customs, the public and every agency decide as intended, and so do cases just beside them."""

from dataclasses import replace

from policies.decision import NOT_GRANTED, PERSONAL_NOT_GRANTED
from policies.engine import Denial, decide
from tests.policies.asking import disclosed, reasons

PUBLIC_MARK_GROUPS = {
    f"trademark.{name}" for name in ("biblio", "status", "mark", "goods", "priority", "owner", "representative")
}


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
