"""The policies shipped as files, and plain Cedar for the public corpora."""

import pytest

from gateway.records.policy_catalogue import policy_catalogue
from policies import bundle_files, cedar
from policies.engine import CedarRefusedError, PolicyTextError, RawRequest, compile_book, evaluate, is_valid, parse
from policies.lint import lint


def test_a_files_place_says_tier_and_owner_and_its_name_the_id(tmp_path):
    for place in ("guardrails/g-1.cedar", "holder/ipo-xa/h-1.cedar", "egress/ipo-xa/e-1.cedar", "egress/default.cedar"):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("// text", "utf-8")

    found = bundle_files.load(tmp_path)

    assert [(text.ref.tier, text.ref.owner, text.ref.policy_id) for text in found] == [
        ("egress", "ipo-xa", "e-1"),
        ("guardrail", "gateway", "g-1"),
        ("holder", "ipo-xa", "h-1"),
    ]


def test_shipped_ids_are_unique_and_every_tier_but_egress_is_there():
    found = bundle_files.load()

    places = [(text.ref.tier, text.ref.owner, text.ref.policy_id) for text in found]
    assert len(set(places)) == len(places)
    assert {text.ref.tier for text in found} == {"guardrail", "holder"}


def test_the_default_egress_policy_names_the_agency_and_its_purposes():
    text = bundle_files.default_egress("customs-xa", ["notify_owner", "border_enforcement"])

    assert str(text.ref).startswith("egress/customs-xa/egress-default@")
    assert text == bundle_files.default_egress("customs-xa", {"border_enforcement", "notify_owner"})
    assert 'IPX::Agency::"customs-xa"' in text.cedar
    assert "$" not in text.cedar


@pytest.mark.parametrize(
    ("agency", "purposes"), [('x"', ["statistics"]), ("customs-xa", []), ("customs-xa", ['x"']), ("customs-xa", ["X"])]
)
def test_no_egress_policy_is_written_for_names_cedar_could_misread(agency, purposes):
    with pytest.raises(ValueError, match="no egress policy"):
        bundle_files.default_egress(agency, purposes)


def test_the_shipped_policies_fit_the_catalogue_of_the_gateway():
    catalogue = policy_catalogue()
    egress = bundle_files.default_egress("customs-xa", catalogue.enums["Purpose"])

    book = compile_book(catalogue, [*bundle_files.load(), egress], ())

    assert book.holder_slice("customs-xa", "detention").granted
    assert all(lint(text.cedar, text.ref.tier, text.ref.owner, catalogue) == () for text in bundle_files.load())


SCHEMA = (
    'entity User, Photo; action "view" appliesTo { principal: [User], resource: [Photo], context: { late: Bool } };'
)
POLICIES = """permit (principal == User::"alice", action, resource);
forbid (principal, action, resource) when { context.late };"""


def test_plain_cedar_is_validated():
    assert is_valid(POLICIES, SCHEMA)
    assert not is_valid(POLICIES.replace("context.late", "context.early"), SCHEMA)
    assert not is_valid("permit", SCHEMA)
    assert cedar.problems("permit", SCHEMA)
    assert not is_valid(POLICIES, "entity")


def test_plain_cedar_is_evaluated_in_order():
    requests = [
        RawRequest(f'User::"{name}"', 'Action::"view"', 'Photo::"p"', f'{{"late": {late}}}')
        for name, late in [("alice", "false"), ("alice", "true"), ("bob", "false"), ("bob", '"?"')]
    ]

    answers = evaluate(POLICIES, SCHEMA, "[]", requests)

    assert [answer.decision for answer in answers] == ["Allow", "Deny", "Deny", "NoDecision"]
    assert [answer.reasons for answer in answers] == [{"policy0"}, {"policy1"}, set(), set()]
    assert [answer.has_errors for answer in answers] == [False, False, False, True]


def test_text_that_is_no_cedar_is_an_error_of_its_author():
    with pytest.raises(PolicyTextError):
        parse("permit")
    with pytest.raises(PolicyTextError):
        evaluate("permit", SCHEMA, "[]", [])
    with pytest.raises(PolicyTextError):
        cedar.read_schema("entity")


def test_plain_entities_outside_the_schema_are_refused():
    with pytest.raises(CedarRefusedError):
        evaluate(POLICIES, SCHEMA, '[{"uid": {"type": "Car", "id": "c"}, "attrs": {}, "parents": []}]', [])
