"""The text gate keeps from the parser what could kill it or look like something else; the lint keeps tiers apart."""

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import bundle_files, untrusted
from policies.lint import gate, lint


def codes(findings):
    return {finding.code for finding in findings}


def when(condition):
    return f"permit (principal, action, resource) when {{ {condition} }};"


# the gate


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (when("true") + " " * 16_384, "too_large"),
        (when("(" * 24 + "true" + ")" * 24), "too_deep"),
        (when("[" * 25 + "]" * 25 + ".isEmpty()"), "too_deep"),
        (when(" && ".join(["true"] * 66)), "too_many_operators"),
        (when("1" + "+1" * 65 + " == 1"), "too_many_operators"),
        (when("!" * 65 + "true"), "too_many_operators"),
        (when("if true then true else " * 65 + "true"), "too_many_operators"),
        (when("resource" + ".a" * 17), "chain_too_long"),
        (when("resource" + '["a"]' * 17), "chain_too_long"),
        (when("resource.a" + ".contains(1)" * 17), "chain_too_long"),
        (when("true)"), "brackets"),
        (when("(true"), "brackets"),
        (when("(true]"), "brackets"),
        (when('"open'), "text_open"),
        (when('"two\nlines" == "x"'), "text_open"),
        ('@id("a\u202eb") ' + when("true"), "hidden_character"),
        ('@id("a\x00b") ' + when("true"), "hidden_character"),
        ('@id("a\u200bb") ' + when("true"), "hidden_character"),
        (when("true") + "\r\n", "hidden_character"),
        ("// \u2028 permit" + when("true"), "hidden_character"),
        ('@title("Cafe\u0301") ' + when("true"), "not_nfc"),
        ("\ud800", "hidden_character"),
    ],
)
def test_dangerous_text_does_not_reach_the_parser(text, code):
    assert code in codes(gate(text))


@pytest.mark.parametrize(
    "text",
    [
        when("(" * 23 + "true" + ")" * 23),
        when(" && ".join(["true"] * 65)),
        when("resource" + ".a" * 16),
        when('"((((((((((((((((((((((((((((((" == "\\"))"'),
        '// (((((((((((((((((((((((((((( " && && &&\n' + when("true"),
        '@title("著录信息") ' + when("true"),
    ],
)
def test_ordinary_text_passes(text):
    assert gate(text) == ()


def test_every_shipped_policy_passes():
    assert all(gate(text.cedar) == () for text in bundle_files.load())


@given(st.text(max_size=300))
def test_the_gate_judges_any_text_without_failing(text):
    findings = gate(text)

    if any(unicodedata.category(char) == "Cf" for char in text):
        assert codes(findings) & {"hidden_character", "too_large"}


@given(st.text(alphabet='()[]{}.,;&|!=<>"/ axinhas0\\', max_size=200))
def test_what_the_gate_lets_through_the_parser_survives(text):
    untrusted._problem(text) if not gate(text) else None


def worst(levels, chain, operators):
    nested = "1"
    for _ in range(levels):
        nested = "resource" + ".a" * chain + f".contains(1 + {nested})"
    return when(" && ".join(["true"] * operators + [nested]))


def test_the_worst_text_that_passes_fits_a_quarter_of_the_stack_of_a_thread():
    text = worst(23, 14, 39)
    assert gate(text) == ()
    script = (
        "import sys, threading, cedarpy\n"
        "text = sys.stdin.read()\n"
        "def read():\n"
        "    cedarpy.policies_to_json_str(text); cedarpy.PolicySet.from_str(text)\n"
        "    cedarpy.validate_policies(text, 'entity U, R; action a appliesTo {principal: U, resource: R};')\n"
        "threading.stack_size(512 * 1024)\n"
        "thread = threading.Thread(target=read)\n"
        "thread.start(); thread.join(); print('survived')\n"
    )

    child = subprocess.run(
        [sys.executable, "-c", script], input=text, capture_output=True, text=True, check=False, timeout=60
    )

    assert child.stdout.strip() == "survived"


# the child that reads what comes from outside


def test_text_from_outside_is_read_by_a_child():
    fine, malformed, nested = when("true"), "permit (principal", when("(" * 5000 + "true" + ")" * 5000)

    found = untrusted.examine([fine, malformed, "permit;", nested])

    assert [codes(findings) for findings in found] == [set(), {"brackets"}, {"syntax"}, {"too_deep"}]


def test_a_text_that_kills_the_parser_kills_the_child_only(monkeypatch):
    monkeypatch.setattr(untrusted, "gate", lambda text: ())
    deadly = when("(" * 5000 + "true" + ")" * 5000)

    found = untrusted.examine([when("true"), deadly, "permit;"])

    assert [codes(findings) for findings in found] == [set(), {"parser_died"}, {"syntax"}]
    assert codes(untrusted.examine([deadly])[0]) == {"parser_died"}


def test_a_child_that_takes_too_long_is_not_waited_for():
    assert codes(untrusted.examine([when("1 == 1")], timeout_seconds=0.001)[0]) == {"parser_died"}


def test_a_text_that_was_read_is_not_read_again_and_one_with_a_problem_is(monkeypatch):
    untrusted.examine([when("2 == 2"), "permit;"])
    asked = []
    monkeypatch.setattr(untrusted, "_read", lambda texts, _: asked.append(texts) or [None] * len(texts))

    untrusted.examine([when("2 == 2"), "permit;", when("3 == 3")])

    assert asked == [["permit;", when("3 == 3")]]


def test_nothing_to_read_starts_no_child():
    assert untrusted.examine([]) == []


# the lint

GOOD = (
    '@id("good") @legal_basis("a law") permit (principal, action in [IPX::Action::"acknowledge", '
    'IPX::Action::"release", IPX::Action::"trademark.biblio"], resource is IPX::Trademark)'
)


def found(world, text, tier="holder", owner="ipo-xa"):
    return codes(lint(text, tier, owner, world.catalogue))


def test_the_shipped_bundles_have_no_findings(world):
    texts = [*bundle_files.load(), bundle_files.default_egress("customs-xa", world.purposes)]

    assert {text.ref: lint(text.cedar, text.ref.tier, text.ref.owner, world.catalogue) for text in texts} == {
        text.ref: () for text in texts
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("permit(", "brackets"),
        ("permit;", "syntax"),
        ("", "not_one_policy"),
        (f"{GOOD};{GOOD};", "not_one_policy"),
        (GOOD.replace("trademark.biblio", "trademark.bibliography") + ";", "not_valid"),
        (GOOD + ' when { resource.stage == IPX::Stage::"lost" };', "not_valid"),
        (GOOD.replace('@id("good")', "") + ";", "id"),
        (GOOD.replace('@id("good")', '@id("no good")') + ";", "id"),
        (GOOD.replace('@legal_basis("a law")', "") + ";", "legal_basis"),
        (GOOD.replace('"a law"', '" "') + ";", "legal_basis"),
        (GOOD.replace("permit", "forbid") + ";", "reason"),
        (GOOD.replace("permit", '@reason("No!") forbid') + ";", "reason"),
        (GOOD.replace("permit", "@sing permit") + ";", "obligation"),
        (GOOD.replace("permit", '@retain_days("soon") permit') + ";", "obligation"),
        (GOOD.replace("principal,", 'principal == IPX::Client::"a",') + ";", "one_entity"),
        (GOOD.replace("resource is IPX::Trademark", 'resource == IPX::Trademark::"a"') + ";", "one_entity"),
        (GOOD + ' when { principal == IPX::Client::"a" };', "one_entity"),
        (GOOD.replace("Trademark)", 'Trademark in IPX::Agency::"ipo-xb")') + ";", "foreign_records"),
        ('@id("good") @legal_basis("a law") permit (principal, action, resource is IPX::Trademark);', "bare_action"),
        (GOOD.replace("resource is IPX::Trademark", "resource") + ";", "no_record_type"),
        (GOOD.replace("trademark.biblio", "class.public") + ";", "class_granted"),
        (GOOD.replace("trademark.biblio", "disclose") + ";", "class_granted"),
        (
            GOOD.replace('"trademark.biblio"', '"trademark.biblio", IPX::Action::"detention.goods"') + ";",
            "foreign_group",
        ),
        (GOOD + ' when { context.legal_basis like "*" };', "like_anything"),
        (GOOD + " when { principal.assurance + 1 > 2 };", "arithmetic"),
        (GOOD + " when { -principal.assurance < 2 };", "arithmetic"),
        (GOOD + ' unless { context.approvals.contains(IPX::Approval::"personal_data") };', "approval_refuses"),
        (GOOD + ' when { !context.approvals.contains(IPX::Approval::"personal_data") };', "approval_refuses"),
        (GOOD + " when { context.approvals.isEmpty() };", "approval_refuses"),
        (GOOD + ' when { context.approvals == [IPX::Approval::"personal_data"] };', "approval_refuses"),
        (
            GOOD + ' when { if context.approvals.contains(IPX::Approval::"personal_data") then true else false };',
            "approval_refuses",
        ),
        (
            GOOD + ' when { [IPX::Approval::"personal_data"].containsAll(context.approvals) };',
            "approval_refuses",
        ),
        (
            GOOD.replace("permit", '@reason("x") forbid')
            + ' when { context.approvals.contains(IPX::Approval::"personal_data") };',
            "approval_refuses",
        ),
    ],
)
def test_a_holders_policy_is_linted(world, text, code):
    assert code in found(world, text)


@pytest.mark.parametrize(
    "text",
    [
        GOOD + ";",
        GOOD + ' when { context.approvals.contains(IPX::Approval::"personal_data") };',
        GOOD + ' unless { !context.approvals.containsAny([IPX::Approval::"personal_data"]) };',
        GOOD + ' when { context.legal_basis like "art. *" };',
        GOOD + " when { resource has happened_on && resource.happened_on < context.now };",
        GOOD.replace("Trademark)", 'Trademark in IPX::Agency::"ipo-xa")') + ";",
        GOOD.replace("Trademark)", 'Trademark in IPX::Source::"ipo-xa-trademarks")') + ";",
        GOOD.replace("principal,", "principal in ?principal,").replace("Trademark)", "Trademark in ?resource)") + ";",
        GOOD.replace("permit", '@reason("x") forbid')
        + ' unless { context.approvals.contains(IPX::Approval::"personal_data") };',
        '@id("none") @reason("closed") forbid (principal, action, resource);',
    ],
)
def test_ordinary_holder_policies_have_no_findings(world, text):
    assert found(world, text) == set()


def test_a_guardrail_only_forbids_and_rests_on_required_facts(world):
    guard = '@id("guard") @reason("closed") forbid (principal, action, resource)'

    assert found(world, guard + " when { resource.sealed };", "guardrail", "gateway") == set()
    assert "guardrail_permits" in found(world, GOOD + ";", "guardrail", "gateway")
    assert "owner" in found(world, guard + ";", "guardrail", "ipo-xa")
    optional = " when { resource has happened_on && resource.happened_on < context.now };"
    assert "optional_fact" in found(world, guard + optional, "guardrail", "gateway")


def test_an_egress_policy_is_about_its_own_clients_and_may_leave_the_action_open(world):
    own = '@id("own") @legal_basis("x") permit (principal in IPX::Agency::"ipo-xa", action, resource);'

    assert found(world, own, "egress", "ipo-xa") == set()
    assert found(world, own, "egress", "ipo-xb") == {"foreign_clients"}


def test_obligations_on_a_forbid_are_a_warning_only(world):
    text = '@id("x-1") @reason("closed") @retain_days("9") forbid (principal, action, resource);'

    findings = lint(text, "holder", "ipo-xa", world.catalogue)

    assert [(one.code, one.severity) for one in findings] == [("obligation_on_forbid", "warning")]


@pytest.mark.parametrize("owner", ["", "x", "a b", "-a"])
def test_an_owner_has_a_code(world, owner):
    assert "owner" in found(world, GOOD + ";", owner=owner)
