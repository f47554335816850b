"""Obligations are a closed vocabulary, and several permits only ever make an answer heavier."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine import Release, decide
from policies.obligations import Obligations, UnknownObligation, merge, read

obligations = st.builds(
    Obligations,
    retain_days=st.none() | st.integers(1, 99999),
    min_count=st.none() | st.integers(1, 99999),
    watermark=st.booleans(),
    encrypt=st.booleans(),
    onward=st.sampled_from([None, "none", "owner_only"]),
    notify=st.frozensets(st.sampled_from(["holder", "owner", "auditor"])),
    recall_on=st.frozensets(st.sampled_from(["reversed", "corrected", "sealed"])),
)


def test_the_whole_vocabulary_is_read():
    found = read(
        {
            "id": "x",
            "title": "t",
            "doc": "d",
            "legal_basis": "l",
            "reason": "r",
            "retain_days": "90",
            "min_count": "5",
            "watermark": None,
            "encrypt": "",
            "onward": "owner_only",
            "notify": "holder owner",
            "recall_on": "reversed",
        }
    )

    assert found == Obligations(
        90, 5, watermark=True, encrypt=True, onward="owner_only",
        notify=frozenset({"holder", "owner"}), recall_on=frozenset({"reversed"}),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("retain_days", "0"),
        ("retain_days", "100000"),
        ("retain_days", "-1"),
        ("retain_days", "9 0"),
        ("retain_days", "٩"),
        ("retain_days", None),
        ("min_count", "many"),
        ("watermark", "yes"),
        ("encrypt", "aes"),
        ("onward", "anyone"),
        ("onward", ""),
        ("notify", ""),
        ("notify", "holder press"),
        ("recall_on", "bored"),
        ("retain_day", "90"),
        ("Retain_days", "90"),
        ("approval", "officer"),
    ],
)
def test_what_cannot_be_read_is_named(annotation, value):
    assert read({"id": "x", annotation: value}) == UnknownObligation(annotation)


@given(st.lists(obligations, max_size=4), obligations)
def test_a_further_permit_never_makes_an_answer_lighter(found, further):
    before, after = merge(found), merge([*found, further])

    assert merge([before, after]) == after


@given(st.lists(obligations, max_size=4).flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_the_order_of_permits_does_not_matter(two_orders):
    one, other = two_orders

    assert merge(one) == merge(other)


def test_the_strictest_value_counts():
    one = Obligations(retain_days=90, min_count=5, onward="owner_only", notify=frozenset({"holder"}))
    other = Obligations(retain_days=30, min_count=10, onward="none", watermark=True, notify=frozenset({"owner"}))

    assert merge([one, other]).document() == {
        "retain_days": 30,
        "min_count": 10,
        "watermark": True,
        "onward": "none",
        "notify": ["holder", "owner"],
    }


def release(world, *policies):
    decision = decide(world.book(*policies), world.question("customs-xa", "ipo-xa", "trademark", "border_enforcement"))
    assert isinstance(decision, Release)
    return decision


def test_obligations_come_from_both_sides(world):
    text = "permit (principal, action, resource);"
    heavier = world.policy("egress", "customs-xa", "heavier", text, '@legal_basis("a law") @retain_days("7") @encrypt')

    found = release(world, heavier).obligations

    assert (found.retain_days, found.encrypt) == (7, True)


def test_a_permit_of_an_undisclosed_group_obliges_to_nothing(world):
    text = 'permit (principal, action == IPX::Action::"trademark.owner.contact", resource is IPX::Trademark);'
    contact = world.policy("holder", "ipo-xa", "contact", text, '@legal_basis("a law") @retain_days("1")')

    assert release(world, contact).obligations.retain_days == 90


def test_a_permit_that_a_forbid_overrides_obliges_to_nothing(world):
    granted = 'permit (principal, action == IPX::Action::"trademark.examination", resource is IPX::Trademark);'
    taken = 'forbid (principal, action == IPX::Action::"trademark.examination", resource is IPX::Trademark);'

    decision = release(
        world,
        world.policy("holder", "ipo-xa", "notes", granted, '@legal_basis("a law") @retain_days("1")'),
        world.policy("holder", "ipo-xa", "no-notes", taken, '@reason("not_now")'),
    )

    assert decision.obligations.retain_days == 90
    assert [ref.policy_id for ref in decision.basis.overridden] == ["notes"]


def test_the_permit_of_personal_obliges_only_when_a_personal_group_goes(shipped, world):
    personal = 'permit (principal, action == IPX::Action::"personal", resource is IPX::Trademark);'
    contact = 'permit (principal, action == IPX::Action::"trademark.owner.contact", resource is IPX::Trademark);'
    may_personal = world.policy("holder", "ipo-xa", "personal", personal, '@legal_basis("a law") @retain_days("2")')
    may_contact = world.policy("holder", "ipo-xa", "contact", contact, '@legal_basis("a law")')

    assert release(world, may_personal).obligations.retain_days == 90
    assert release(world, may_personal, may_contact).obligations.retain_days == 2
