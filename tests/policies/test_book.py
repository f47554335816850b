"""Books: what they refuse, how they are cut into slices, standing agreements, and taking over what did not change."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import bundle_files, cedar, documents
from policies.engine import (
    BookError,
    Denial,
    PolicyRef,
    PolicyText,
    Release,
    RowFilter,
    TemplateLink,
    compile_book,
    decide,
    decide_early,
    revision_of,
)
from policies.reference import read_ref

BASIS = '@legal_basis("a law")'


def refused(world, *texts):
    with pytest.raises(BookError) as caught:
        world.book(*texts)
    return caught.value


def test_a_text_that_is_not_the_one_its_revision_names_makes_no_book(world):
    text = world.policy("holder", "ipo-xa", "goods", world.permit(["trademark.goods"], "Trademark"), BASIS)
    altered = PolicyText(text.ref, text.cedar.replace("goods", "owner"))

    assert "revision" in refused(world, altered).problem


def test_an_id_that_is_not_the_one_it_is_stored_under_makes_no_book(world):
    cedar_text = f'@id("other") {BASIS} {world.permit(["trademark.goods"], "Trademark")}'

    assert "@id" in refused(world, world.policy("holder", "ipo-xa", "goods", cedar_text)).problem


@pytest.mark.parametrize(
    "cedar_text",
    [
        "",
        "// nothing",
        "permit (principal, action, resource)",
        '@id("x") permit (principal, action, resource); @id("x") permit (principal, action, resource);',
        '@id("x-1") permit (principal, action, resource is IPX::Spaceship);',
        '@id("x-1") permit (principal, action, resource) when { resource.colour };',
        '@id("x") permit (principal, action, resource) when { ' + "(" * 25 + "true" + ")" * 25 + " };",
    ],
)
def test_a_text_that_is_no_single_valid_policy_makes_no_book(world, cedar_text):
    text = PolicyText(PolicyRef("holder", "ipo-xa", "x-1", revision_of(cedar_text)), cedar_text)

    assert refused(world, text).ref == text.ref


def test_one_id_stands_once(world):
    one = world.policy("holder", "ipo-xa", "goods", world.permit(["trademark.goods"], "Trademark"), BASIS)
    two = world.policy("holder", "ipo-xa", "goods", world.permit(["trademark.owner"], "Trademark"), BASIS)

    assert "twice" in refused(world, one, two).problem


def test_a_guardrail_forbids_and_belongs_to_the_gateway(world):
    permits = world.policy("guardrail", "gateway", "opens", "permit (principal, action, resource);", BASIS)
    foreign = world.policy(
        "guardrail", "ipo-xa", "closes", "forbid (principal, action, resource);", '@reason("closed")'
    )

    assert "guardrail" in refused(world, permits).problem
    assert "guardrail" in refused(world, foreign).problem


def test_a_reference_is_written_and_read_back():
    ref = PolicyRef("holder", "ipo-xa", "customs-trademark-border", "3f2a9c1b")

    assert str(ref) == "holder/ipo-xa/customs-trademark-border@3f2a9c1b"
    assert read_ref(str(ref)) == ref
    assert read_ref("holder/ipo-xa/customs@3f2a9c1b#1") is None
    assert read_ref("elsewhere/ipo-xa/customs@3f2a9c1b") is None


# slices


def test_a_slice_holds_guardrails_and_the_holders_policies_of_one_type(shipped):
    found = shipped.holder_slice("customs-xa", "detention")

    assert {policy.ref.tier for policy in found.policies.values()} == {"guardrail", "holder"}
    assert {policy.ref.owner for policy in found.policies.values()} == {"gateway", "customs-xa"}
    assert not any("recordal" in name for name in found.policies)


def test_a_holder_without_policies_has_the_guardrails_alone(shipped):
    found = shipped.holder_slice("arbitration-xa", "detention")

    assert {policy.ref.tier for policy in found.policies.values()} == {"guardrail"}
    assert not found.granted


questions = st.fixed_dictionaries(
    {
        "asking": st.sampled_from(["customs-xa", "court-xa", "ipo-xa", "regulator-xa", "public", "ipo-xb"]),
        "target": st.sampled_from(
            [
                ("ipo-xa", "trademark"),
                ("customs-xa", "detention"),
                ("customs-xa", "customs_recordal"),
                ("court-xa", "court_case"),
                ("regulator-xa", "admin_case"),
            ]
        ),
        "purpose": st.sampled_from(["border_enforcement", "court_proceeding", "punitive_damages", "notify_owner"]),
        "has_case": st.booleans(),
        "approvals": st.frozensets(st.sampled_from(["sealed_release", "personal_data"])),
        "facts": st.fixed_dictionaries(
            {
                "sealed": st.booleans(),
                "unpublished": st.booleans(),
                "deferred": st.booleans(),
                "notified": st.booleans(),
                "final": st.booleans(),
                "stage": st.sampled_from(["seized", "detained", "revoked"]),
                "right_keys": st.frozensets(st.sampled_from(["k1", "k2"])),
                "case_numbers": st.frozensets(st.sampled_from(["XA-2026-7"])),
                "parties": st.frozensets(st.sampled_from(["p1", "p2"])),
            }
        ),
    }
)


def ask(world, drawn):
    return world.question(
        drawn["asking"],
        *drawn["target"],
        drawn["purpose"],
        case_reference=world.case() if drawn["has_case"] else None,
        representing=world.owner("k1"),
        approvals=drawn["approvals"],
        facts=drawn["facts"],
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(questions)
def test_slices_and_shared_answers_decide_as_one_set_asked_action_by_action(world, drawn):
    book, asked = world.shipped, ask(world, drawn)
    known = cedar.known_entities(json.dumps(documents.entities(world.catalogue, asked)), book.schema)
    groups = [group.name for group in world.catalogue.record_type(asked.record_type).groups]
    sides = (("guardrail", "holder", asked.holder.code), ("egress", "egress", asked.asking.code))
    allowed = []
    for *tiers, owner in sides:
        whole = cedar.policy_set(
            {
                str(ref): policy.tree
                for ref, policy in book.texts.items()
                if ref.tier in tiers and ref.owner in {"gateway", owner}
            }
        )
        requests = [
            cedar.request(
                documents.client_uid(asked),
                action,
                documents.record_uid(asked),
                json.dumps(documents.context(world.catalogue, asked)),
            )
            for action in ("release", "acknowledge", "personal", *groups)
        ]
        allowed.append([answer.is_allowed for answer in cedar.ask(requests, whole, known, book.schema)])
    release, acknowledge, personal, *by_group = [one and other for one, other in zip(*allowed, strict=True)]
    marked = {group.name: group.is_personal for group in world.catalogue.record_type(asked.record_type).groups}
    expected = {
        name
        for name, is_allowed in zip(groups, by_group, strict=True)
        if release and is_allowed and (personal or not marked[name])
    }

    decision = decide(book, asked)

    if expected:
        assert decision.disclosed == expected
        assert {one.group for one in decision.withheld} == set(groups) - expected
    else:
        assert isinstance(decision, Denial)
        assert decision.may_acknowledge == acknowledge


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(questions)
def test_an_early_decision_on_the_shipped_policies_never_stands_in_the_way(world, drawn):
    asked = ask(world, drawn)
    early = decide_early(world.shipped, asked)

    if isinstance(decide(world.shipped, asked), Release):
        assert isinstance(early, RowFilter)
        assert early.is_exact


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(questions, st.frozensets(st.sampled_from(["sealed_release", "personal_data", "settlement_terms"])))
def test_more_approvals_never_release_less(world, drawn, further):
    asked = ask(world, drawn)
    before = decide(world.shipped, asked)
    after = decide(world.shipped, replace(asked, approvals=asked.approvals | further))

    if isinstance(before, Release):
        assert before.disclosed <= after.disclosed


def test_a_policy_that_reads_the_action_is_asked_for_each_action(world):
    text = 'permit (principal, action, resource is IPX::Trademark) when { action != IPX::Action::"trademark.goods" };'
    book = world.book(world.policy("holder", "ipo-xb", "all-but-goods", text, BASIS))

    decision = decide(book, world.question("court-xb", "ipo-xb", "trademark", "court_proceeding"))

    assert "trademark.examination" in decision.disclosed
    assert "trademark.goods" not in decision.disclosed


# standing agreements

AGREEMENT = """@id("standard-agreement") @legal_basis("a treaty") @retain_days("30")
permit (principal in ?principal, action in [IPX::Action::"acknowledge", IPX::Action::"release",
  IPX::Action::"trademark.examination"], resource is IPX::Trademark in ?resource);
"""


def agreement(world, owner="ipo-xa"):
    return world.policy("holder", owner, "standard-agreement", AGREEMENT)


def linked(world, *links, text=None):
    text = text or agreement(world)
    texts = [
        *bundle_files.load(),
        *(bundle_files.default_egress(code, world.purposes) for code in ("ipo-xb", "court-xb")),
        text,
    ]
    return compile_book(world.catalogue, texts, links)


def link(world, agency="ipo-xb", source="ipo-xa-trademarks", days=30, **changes):
    ref = agreement(world).ref
    made = TemplateLink(ref, agency, source, world.now, world.now + timedelta(days=days))
    return replace(made, **changes)


def exchange(world, asking="ipo-xb", **changes):
    return world.question(asking, "ipo-xa", "trademark", "examination", **changes)


def test_an_agreement_grants_nothing_until_it_is_linked(world):
    unlinked, in_force = linked(world), linked(world, link(world))

    assert "trademark.examination" not in decide(unlinked, exchange(world)).disclosed
    decision = decide(in_force, exchange(world))
    assert "trademark.examination" in decision.disclosed
    assert agreement(world).ref in decision.basis.by
    assert decision.obligations.retain_days == 30


def test_an_agreement_is_for_its_agency_and_source_only(world):
    book = linked(world, link(world))

    to_another = decide(book, exchange(world, asking="court-xb"))
    from_another = decide(book, replace(exchange(world), source="ipo-xa-archive"))

    assert "trademark.examination" not in to_another.disclosed
    assert "trademark.examination" not in from_another.disclosed


def test_an_agreement_begins_and_ends_by_the_gateways_clock_without_a_new_book(world):
    book = linked(world, link(world, days=30))

    def goes(moment):
        return "trademark.examination" in decide(book, exchange(world, now=moment)).disclosed

    assert not goes(world.now - timedelta(milliseconds=1))
    assert goes(world.now)
    assert goes(world.now + timedelta(days=30) - timedelta(milliseconds=1))
    assert not goes(world.now + timedelta(days=30))


def test_the_same_agreement_may_stand_for_two_agencies_and_again_later(world):
    later = link(world, valid_from=world.now + timedelta(days=60), valid_until=world.now + timedelta(days=90))
    book = linked(world, link(world), later, link(world, agency="court-xb"))

    after_a_gap = exchange(world, now=world.now + timedelta(days=61))
    assert "trademark.examination" in decide(book, after_a_gap).disclosed
    assert "trademark.examination" in decide(book, exchange(world, asking="court-xb")).disclosed


def test_an_agreement_is_seen_early(world):
    book = linked(world, link(world))
    only_notes = exchange(world, groups=frozenset({"trademark.examination"}))

    assert isinstance(decide_early(book, only_notes), RowFilter)
    ended = decide_early(book, replace(only_notes, now=world.now + timedelta(days=31)))
    assert (ended.refused_by, ended.reason) == ("holder", "not_granted")


@pytest.mark.parametrize("changes", [{"source": None}, {"agency": 'x"'}, {"agency": ""}])
def test_a_link_that_does_not_fit_its_template_makes_no_book(world, changes):
    with pytest.raises(BookError):
        linked(world, link(world, **changes))


def test_a_link_to_what_is_no_template_makes_no_book(world):
    plain = world.policy("holder", "ipo-xa", "plain", world.permit(["trademark.goods"], "Trademark"), BASIS)

    with pytest.raises(BookError):
        linked(world, link(world), text=plain)
    with pytest.raises(BookError):
        linked(world, replace(link(world), template=plain.ref), text=plain)


# reloading


def test_a_change_at_one_holder_takes_over_all_other_slices(world):
    goods = world.policy("holder", "ipo-xb", "goods", world.permit(["trademark.goods"], "Trademark"), BASIS)

    changed = world.book(goods, previous=world.shipped)

    assert changed.schema is world.shipped.schema
    kept = [holder for holder in changed.holders if changed.holders[holder] is world.shipped.holders.get(holder)]
    assert set(changed.holders) - set(kept) == {"ipo-xb"}
    assert all(changed.egress[place] is world.shipped.egress[place] for place in changed.egress)
    assert changed.digest == world.book(goods).digest


def test_a_changed_guardrail_reaches_every_slice(world):
    closed = world.policy(
        "guardrail", "gateway", "all-closed", "forbid (principal, action, resource);", '@reason("closed")'
    )

    changed = world.book(closed, previous=world.shipped)

    assert decide(changed, exchange(world)).reason == "closed"
    assert decide_early(changed, exchange(world)).reason == "closed"


def test_a_withdrawn_policy_is_gone(world):
    changed = world.book(without=["foreign-office-examination"], previous=world.shipped)

    assert "trademark.priority" in decide(world.shipped, exchange(world)).disclosed
    assert "trademark.priority" not in decide(changed, exchange(world)).disclosed


def test_a_new_catalogue_takes_nothing_over(world):
    fewer = replace(world.catalogue, record_types=world.catalogue.record_types[:1])

    changed = compile_book(fewer, [], (), previous=world.shipped)

    assert changed.schema is not world.shipped.schema
    assert changed.knows("trademark")
    assert not changed.knows("court_case")
