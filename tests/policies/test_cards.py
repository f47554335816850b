"""A card says what the policy says, no more and no less; where it cannot, there is no card."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import bundle_files
from policies.cards import Card, NoCard, card
from policies.engine import parse
from policies.forms import Form, NoForm, read_form, write_form
from policies.obligations import ADDRESSEES, DESCRIPTIVE, RECALL_EVENTS

HEAD = """@id("x-1") @legal_basis("a law")
permit (principal, action in [IPX::Action::"trademark.goods"], resource is IPX::Trademark)"""


def tree(text):
    found = parse(text)
    return next(iter([*found.static_policies.values(), *found.templates.values()]))


def labels(language):
    return tomllib.loads((bundle_files.BUNDLES / f"labels.{language}.toml").read_text("utf-8"))


CUSTOMS_AT_THE_BORDER = """@id("customs") @legal_basis("art. 4") @retain_days("90")
permit (principal in IPX::Agency::"customs-xa",
  action in [IPX::Action::"acknowledge", IPX::Action::"release", IPX::Action::"trademark.biblio",
    IPX::Action::"trademark.owner"],
  resource is IPX::Trademark)
when { context.purpose == IPX::Purpose::"border_enforcement" };
"""


@pytest.mark.parametrize(
    ("language", "name", "text"),
    [
        (
            "en",
            "Customs XA",
            (
                "Allow clients of “Customs XA” to receive bibliographic data, owner of trademarks · "
                "only if the purpose is “border enforcement” · delete after 90 days"
            ),
        ),
        ("zh", "XA海关", "允许“XA海关”的客户端获取商标的著录信息、权利人 · 仅当用途为“边境执法” · 90天后删除"),
    ],
)
def test_the_worked_policy_reads_as_a_sentence(language, name, text):
    assert str(card(tree(CUSTOMS_AT_THE_BORDER), language, {"customs-xa": name})) == text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_shipped_policy_has_a_card_without_raw_names(language):
    for text in [*bundle_files.load(), bundle_files.default_egress("customs-xa", ["statistics"])]:
        drawn = card(tree(text.cedar), language)

        assert isinstance(drawn, Card), text.ref
        assert not any(mark in str(drawn) for mark in ("_", "IPX", "context.", "resource.", "principal.", "{", "@"))


def test_every_shipped_policy_comes_back_from_its_form():
    for text in bundle_files.load():
        form = read_form(text.cedar)

        assert isinstance(form, Form), text.ref
        assert read_form(write_form(form)) == form


def test_both_languages_have_the_same_labels(world):
    english, chinese = labels("en"), labels("zh")

    assert {part: set(words) for part, words in english.items()} == {
        part: set(words) for part, words in chinese.items()
    }
    assert english["holds"].keys() == english["fails"].keys()
    enums = world.catalogue.enums
    for name in ("Purpose", "AgencyKind", "Approval"):
        assert {f"{name}.{value}" for value in enums[name]} <= english["value"].keys()
    assert english["obligation_value"].keys() >= ADDRESSEES | RECALL_EVENTS
    assert not DESCRIPTIVE & english["obligation"].keys()


def test_and_is_split_under_when_and_or_under_unless():
    text = HEAD + " when { resource.final && resource.notified } unless { resource.sealed || resource.deferred };"

    drawn = card(tree(text), "en")

    assert drawn.conditions == ("only if the decision is final", "only if the owner was notified")
    assert drawn.exceptions == ("not if the record is sealed", "not if publication is deferred")


def test_and_under_unless_stays_one_exception():
    text = HEAD + " unless { resource.sealed && resource.final };"

    assert card(tree(text), "en").exceptions == ("not if (the record is sealed and the decision is final)",)


def test_or_under_when_stays_one_condition():
    text = HEAD + " when { resource.final && (resource.sealed || !resource.notified) };"

    assert card(tree(text), "en").conditions == (
        "only if the decision is final",
        "only if (the record is sealed or the owner was not notified)",
    )


@pytest.mark.parametrize(
    ("condition", "line"),
    [
        ('resource.stage != IPX::Stage::"seized"', "the stage is not “seized”"),
        ('!(resource.stage == IPX::Stage::"seized")', "it is not so that the stage is “seized”"),
        (
            '[IPX::Stage::"seized", IPX::Stage::"destroyed"].contains(resource.stage)',
            "the stage is one of “seized”, “destroyed”",
        ),
        ('![IPX::Stage::"seized"].contains(resource.stage)', "the stage is none of “seized”"),
        ("!(context has case_reference)", "no case is cited"),
        ('context.now >= datetime("2027-01-01")', "the present is not before 2027-01-01"),
        ("resource.case_numbers.isEmpty()", "the cases of the record are none"),
        ('resource.right_keys.containsAll(["a"])', "the rights of the record include all of “a”"),
        ("principal.assurance > 1", "the client's level of proof is more than “1”"),
        ('resource in IPX::Source::"marks"', "resource is in “marks”"),
        ("resource.colourful", "resource.colourful is true"),
        ('context.approvals.contains(IPX::Approval::"personal_data")', "“the release of personal data” was approved"),
    ],
)
def test_rows_are_sentences(condition, line):
    assert card(tree(f"{HEAD} when {{ {condition} }};"), "en").conditions == (f"only if {line}",)


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("principal, action, resource", "clients of every agency to receive anything of any record"),
        ('principal in IPX::Unit::"north", action, resource', "clients of the unit “north”"),
        ('principal == IPX::Client::"c", action, resource', "the client “c”"),
        ("principal in ?principal, action, resource is IPX::Trademark in ?resource", "the source of the agreement"),
        ('principal, action, resource in IPX::Agency::"ipo-xa"', "any record in “ipo-xa”"),
        ('principal, action, resource == IPX::Trademark::"d"', "the trademarks “d”"),
        ('principal, action == IPX::Action::"release", resource', "receive the release of"),
        ('principal, action in IPX::Action::"class.public", resource', "receive all public groups of"),
    ],
)
def test_scopes_are_named(scope, words):
    assert words in str(card(tree(f"permit ({scope});"), "en"))


@pytest.mark.parametrize(
    "text",
    [
        HEAD + " when { resource.final } when { resource.sealed };",
        HEAD + " unless { resource.final } when { resource.sealed };",
        HEAD + " when { if resource.final then resource.sealed else resource.notified };",
        HEAD + " when { !(resource.final && resource.sealed) };",
        HEAD + " when { !!resource.final };",
        HEAD + " when { principal.assurance + 1 > 2 };",
        HEAD + " when { {flag: resource.final}.flag };",
        HEAD + ' when { context.legal_basis like "a*" };',
        HEAD + " when { resource is Other::Thing };",
        'permit (principal is IPX::Client, action, resource) when { resource["sealed field"] };',
    ],
)
def test_what_a_form_cannot_say_in_full_is_shown_as_text_only(text):
    assert isinstance(read_form(text), NoForm)
    assert isinstance(card(tree(text), "en"), NoCard)


def test_two_policies_fit_no_form():
    assert read_form(f"{HEAD};{HEAD};") == NoForm("a form holds one policy")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20))
def test_any_text_in_an_annotation_comes_back(text):
    written = text.replace("\\", "\\\\").replace('"', '\\"')
    form = read_form(f'@id("x-1") @title("{written}") permit (principal, action, resource);')

    assert isinstance(form, Form)
    assert dict(form.annotations)["title"] == text
    assert read_form(write_form(form)) == form
