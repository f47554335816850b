"""The rules that keep a release from happening by mistake; each rule is at least one test."""

import ast
import json
from dataclasses import FrozenInstanceError, replace
from datetime import datetime
from pathlib import Path

import pytest

import policies
from policies import cedar, documents
from policies.decision import (
    EGRESS_NOT_GRANTED,
    NO_EGRESS,
    NOT_GRANTED,
    OUTSIDE_CATALOGUE,
    POLICY_FAILED,
    UNKNOWN_OBLIGATION,
)
from policies.engine import Agency, BookError, Denial, Release, decide, decide_early, decide_many, obtainable
from policies.schema import cedar_schema

BASIS = '@legal_basis("a law")'


def border(world, **changes):
    return world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement", **changes)


def refusal(decision):
    assert isinstance(decision, Denial)
    return decision.refused_by, decision.reason


# 1 everything against the schema


@pytest.mark.parametrize(
    "fact",
    [
        "holder",
        "jurisdiction",
        "status",
        "stage",
        "sealed",
        "unpublished",
        "deferred",
        "notified",
        "under_appeal",
        "final",
        "consent_all",
        "right_keys",
        "case_numbers",
        "parties",
    ],
)
@pytest.mark.parametrize("record_type", ["trademark", "customs_recordal", "detention", "court_case", "admin_case"])
def test_a_record_that_lacks_any_required_fact_is_denied(shipped, world, record_type, fact):
    holder = {"trademark": "ipo-xa", "court_case": "court-xa", "admin_case": "regulator-xa"}.get(
        record_type, "customs-xa"
    )
    asked = world.question("customs-xa", holder, record_type, "border_enforcement")
    facts = {name: value for name, value in asked.record.facts.items() if name != fact}

    decision = decide(shipped, replace(asked, record=replace(asked.record, facts=facts)))

    assert refusal(decision) == ("error", OUTSIDE_CATALOGUE)


def test_the_optional_fact_may_be_absent_or_present(shipped, world):
    with_date = border(world, facts={"happened_on": world.now})

    assert isinstance(decide(shipped, border(world)), Release)
    assert isinstance(decide(shipped, with_date), Release)


@pytest.mark.parametrize(
    "facts",
    [
        {"colour": "red"},
        {"stage": "lost"},
        {"jurisdiction": "ZZ"},
        {"sealed": "no"},
        {"sealed": 0},
        {"right_keys": "EM|trademark|1"},
        {"right_keys": frozenset({1})},
        {"happened_on": "2026-11-25"},
        {"happened_on": datetime(2026, 11, 25)},  # noqa: DTZ001 -- the flaw under test
        {"holder": "ipo-xb"},
        {"holder": "nobody"},
    ],
    ids=str,
)
def test_a_fact_outside_the_schema_denies(shipped, world, facts):
    assert refusal(decide(shipped, border(world, facts=facts))) == ("error", OUTSIDE_CATALOGUE)


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "marketing"},
        {"mode": "stream"},
        {"approvals": frozenset({"everything"})},
        {"record_type": "spaceship"},
        {"groups": frozenset({"trademark.secret"})},
        {"groups": frozenset({"release"})},
        {"groups": frozenset({"detention.goods"})},
        {"record": None},
        {"source": ""},
        {"legal_basis": "\ud800"},
        {"asking": Agency("customs-xa", "navy", frozenset(), suspended=False)},
        {"asking": Agency("customs xa", "customs", frozenset(), suspended=False)},
        {"asking": Agency('x"', "customs", frozenset(), suspended=False)},
    ],
    ids=str,
)
def test_a_question_outside_the_catalogue_is_denied_and_raises_nothing(shipped, world, changes):
    asked = replace(border(world), **changes)

    decision = decide(shipped, asked)

    assert refusal(decision) == ("error", OUTSIDE_CATALOGUE)
    assert not decision.may_acknowledge
    assert obtainable(shipped, asked, decision) is decision
    if asked.record is not None:
        assert refusal(decide_early(shipped, asked)) == ("error", OUTSIDE_CATALOGUE)


def test_entities_are_never_read_without_the_schema(world):
    schema = cedar.read_schema(cedar_schema(world.catalogue))
    found = documents.entities(world.catalogue, border(world))
    del found[-1]["attrs"]["sealed"]

    with pytest.raises(cedar.CedarRefusedError):
        cedar.known_entities(json.dumps(found), schema)


def test_a_forbid_over_a_class_of_groups_is_never_skipped(world):
    text = 'forbid (principal, action in IPX::Action::"class.public", resource is IPX::Trademark);'
    book = world.book(world.policy("holder", "ipo-xa", "no-public", text, '@reason("closed")'))

    decision = decide(book, border(world))

    assert refusal(decision) == ("holder", "closed")


@pytest.mark.parametrize(("action", "context"), [("release", "{}"), ("detention.goods", None), ("unheard.of", None)])
def test_one_request_the_schema_refuses_stops_the_whole_batch(shipped, world, action, context):
    asked = border(world)
    known = cedar.known_entities(json.dumps(documents.entities(world.catalogue, asked)), shipped.schema)
    rules = shipped.holder_slice("ipo-xa", "trademark").rules
    fine = json.dumps(documents.context(world.catalogue, asked))
    requests = [
        cedar.request(documents.client_uid(asked), name, documents.record_uid(asked), given)
        for name, given in [("release", fine), (action, context or fine)]
    ]

    with pytest.raises(cedar.CedarRefusedError):
        cedar.ask(requests, rules, known, shipped.schema)


# 2 an error denies everything


def overflowing(world, effect="forbid", condition="9223372036854775807 + 1 == 1"):
    scope = 'action in [IPX::Action::"trademark.goods"], resource is IPX::Trademark'
    text = f"{effect} (principal, {scope}) when {{ {condition} }};"
    return world.policy("holder", "ipo-xa", "overflows", text, f'{BASIS} @reason("never")')


def test_one_failing_forbid_denies_the_whole_exchange(world):
    decision = decide(world.book(overflowing(world)), border(world))

    assert refusal(decision) == ("error", POLICY_FAILED)
    assert [ref.policy_id for ref in decision.basis.by] == ["overflows"]


def test_a_failing_permit_denies_as_well(world):
    decision = decide(world.book(overflowing(world, effect="permit")), border(world))

    assert refusal(decision) == ("error", POLICY_FAILED)


def test_a_policy_that_fails_for_an_action_nobody_asked_about_denies_nothing(world):
    asked = border(world, groups=frozenset({"trademark.biblio"}))

    assert isinstance(decide(world.book(overflowing(world)), asked), Release)


def test_a_failing_policy_of_the_asking_agency_denies(world):
    text = "forbid (principal, action, resource) when { 9223372036854775807 + 1 == 1 };"
    failing = world.policy("egress", "customs-xa", "overflows", text, '@reason("never")')

    decision = decide(world.book(failing), border(world))

    assert refusal(decision) == ("error", POLICY_FAILED)


def test_a_policy_that_fails_for_every_record_denies_early(world):
    text = "forbid (principal, action, resource) when { 9223372036854775807 + 1 == 1 };"
    failing = world.policy("holder", "ipo-xa", "overflows", text, '@reason("never")')

    decision = decide_early(world.book(failing), border(world))

    assert refusal(decision) == ("error", POLICY_FAILED)
    assert [ref.policy_id for ref in decision.basis.by] == ["overflows"]


# 3 nobody and nothing are not asked about


@pytest.mark.parametrize("missing", ["IPX::Client", "IPX::Agency", "IPX::Source", "IPX::Trademark"])
def test_an_entity_that_is_missing_denies_even_under_an_unconditional_permit(world, missing, monkeypatch):
    anything = world.permit(["trademark.biblio"], "Trademark")
    book = world.book(world.policy("holder", "ipo-xa", "anything", anything, BASIS), without=["gateway"])
    complete = documents.entities

    monkeypatch.setattr(
        "policies.hearing.entities",
        lambda *given: [one for one in complete(*given) if one["uid"]["type"] != missing],
    )

    assert refusal(decide(book, border(world))) == ("error", OUTSIDE_CATALOGUE)


def test_a_record_of_another_holder_is_not_taken_for_ones_own(shipped, world):
    asked = replace(border(world), record=world.record("ipo-xb", "trademark"))

    assert refusal(decide(shipped, asked)) == ("error", OUTSIDE_CATALOGUE)


def test_one_agency_cannot_be_two(shipped, world):
    asked = world.question("ipo-xa", "ipo-xa", "trademark", "examination")
    two_faced = replace(asked, asking=replace(asked.asking, suspended=True))

    assert refusal(decide(shipped, two_faced)) == ("error", OUTSIDE_CATALOGUE)


# 4 facts come from registers: the request's own words decide nothing


def test_the_legal_basis_a_requester_writes_opens_nothing(shipped, world):
    asked = world.question("regulator-xa", "customs-xa", "detention", "statistics", legal_basis="19 CFR 133.25(b)")

    assert isinstance(decide(shipped, asked), Denial)


# 5 a book is one immutable, content-addressed value


def test_a_book_cannot_be_changed(shipped):
    with pytest.raises(FrozenInstanceError):
        shipped.digest = "other"
    with pytest.raises(TypeError):
        shipped.holders["ipo-xa", "trademark"] = None


def test_the_digest_names_the_content_whatever_the_order(world):
    one = world.policy("holder", "ipo-xa", "one", world.permit(["trademark.goods"], "Trademark"), BASIS)
    two = world.policy("holder", "ipo-xa", "two", world.permit(["trademark.goods"], "Trademark"), BASIS)

    assert world.book(one, two).digest == world.book(two, one).digest
    assert world.book(one).digest != world.book(two).digest


def test_an_answer_names_the_book_and_the_engine(shipped, world):
    decision = decide(shipped, border(world))

    assert decision.basis.book == shipped.digest
    assert decision.basis.engine_version.startswith("cedarpy 4.12.")


# 6 an obligation nobody can read


def unreadable(world, groups, effect="permit"):
    text = world.permit(groups, "Trademark")
    return world.policy("holder", "ipo-xa", "unreadable", text, f'{BASIS} @shred_by("tuesday")')


def test_an_unknown_obligation_on_the_permit_of_a_group_withholds_that_group(world):
    only_group = world.policy(
        "holder",
        "ipo-xa",
        "only-group",
        'permit (principal, action == IPX::Action::"trademark.examination", resource is IPX::Trademark);',
        f'{BASIS} @shred_by("tuesday")',
    )

    decision = decide(world.book(only_group), border(world))

    withheld = {one.group: (one.reason, [ref.policy_id for ref in one.by]) for one in decision.withheld}
    assert withheld["trademark.examination"] == (UNKNOWN_OBLIGATION, ["only-group"])
    assert "trademark.goods" in decision.disclosed


def test_an_unknown_obligation_on_the_permit_of_the_release_denies(world):
    decision = decide(world.book(unreadable(world, ["trademark.examination"])), border(world))

    assert refusal(decision) == ("holder", UNKNOWN_OBLIGATION)


def test_an_unknown_obligation_on_a_permit_that_does_not_apply_denies_nothing(world):
    elsewhere = world.permit(["trademark.examination"], "Trademark", 'context.purpose == IPX::Purpose::"statistics"')
    bad = world.policy("holder", "ipo-xa", "unreadable", elsewhere, f'{BASIS} @shred_by("tuesday")')

    assert isinstance(decide(world.book(bad), border(world)), Release)


def test_an_unknown_obligation_on_a_forbid_weakens_nothing(world):
    text = 'forbid (principal, action == IPX::Action::"trademark.goods", resource is IPX::Trademark);'
    bad = world.policy("holder", "ipo-xa", "no-goods", text, '@reason("not_now") @shred_by("tuesday")')

    decision = decide(world.book(bad), border(world))

    assert {one.reason for one in decision.withheld if one.group == "trademark.goods"} == {"not_now"}


# 7 and trap 10: what Cedar says about data goes nowhere


def test_no_answer_and_no_exception_repeats_record_data(shipped, world, capfd, caplog):
    marker = "SECRET-VALUE-4711"
    asked = border(world, facts={"stage": marker})

    decision = decide(shipped, asked)

    out, err = capfd.readouterr()
    assert marker not in repr(decision) + out + err + caplog.text


def test_only_one_module_imports_the_engine():
    importers = set()
    for path in Path(policies.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import) and any(alias.name == "cedarpy" for alias in node.names):
                importers.add(path.name)
            if isinstance(node, ast.ImportFrom) and node.module == "cedarpy":
                importers.update(path.name for alias in node.names if alias.name != "pst")

    assert importers == {"cedar.py"}


# 8 names


@pytest.mark.parametrize("client_id", ['x"::evil', 'a" || true', "a\nb", "ä" * 300])
def test_a_client_by_any_name_is_the_client_and_nothing_else(shipped, world, client_id):
    asked = border(world)
    renamed = replace(asked, client=replace(asked.client, id=client_id))

    assert decide(shipped, renamed).disclosed == decide(shipped, asked).disclosed
    assert decide_early(shipped, renamed) == decide_early(shipped, asked)


@pytest.mark.parametrize("name", ["a", "-a", "a" * 64, "a_b", "a b", "a/b", "ä1", ""])
def test_malformed_owners_and_ids_make_no_book(world, name):
    with pytest.raises(BookError):
        world.book(world.policy("holder", name, "fine", world.permit(["trademark.goods"], "Trademark"), BASIS))
    with pytest.raises(BookError):
        world.book(world.policy("holder", "ipo-xa", name, world.permit(["trademark.goods"], "Trademark"), BASIS))


# the tiers


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


# delegation


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


# many at once


def test_many_questions_are_answered_as_each_alone(shipped, world):
    questions = [
        world.question(
            "ipo-xa",
            "customs-xa",
            "detention",
            "notify_owner",
            representing=world.owner("k1"),
            facts={"stage": stage, "notified": True, "right_keys": frozenset({"k1"}), "sealed": sealed},
        )
        for stage in world.stages
        for sealed in (True, False)
    ]
    questions = [replace(one, record=replace(one.record, digest=f"d{number}")) for number, one in enumerate(questions)]

    assert decide_many(shipped, questions) == [decide(shipped, one) for one in questions]


def test_one_bad_question_does_not_deny_the_others(shipped, world):
    good, bad = border(world), border(world, facts={"stage": "lost"})
    other_record = replace(good, record=replace(good.record, digest="other"))

    decisions = decide_many(shipped, [good, bad, other_record])

    assert [type(one) for one in decisions] == [Release, Denial, Release]


def test_questions_to_different_holders_may_stand_in_one_list(shipped, world):
    questions = [border(world), world.question("public", "customs-xa", "detention", "statistics")]

    assert [type(one) for one in decide_many(shipped, questions)] == [Release, Denial]
    assert decide_many(shipped, []) == []
