"""The rules that keep a release from happening by mistake: rules 2 and 5 to 8, each at least one test."""

import ast
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

import policies
from policies.decision import POLICY_FAILED, UNKNOWN_OBLIGATION
from policies.engine import BookError, Release, decide, decide_early
from tests.policies.asking import BASIS, border, refusal

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
