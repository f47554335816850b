"""Answers as evidence: judged by the same verifier, and what they say in plain members is compared with the receipt."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipx import bundle, evidence
from ipx.errors import BindingError, EvidenceError, FormatError
from ipx.jws import parse_json
from tests.ipx.world import sha256 as hashed

same_world = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def released(world):
    return world.answer(world.members())


@pytest.fixture(scope="module")
def failed(world):
    return world.answer(world.members("failed", receipt={"stage": "holder", "reason": "timeout"}), reason="timeout")


@pytest.fixture
def verify(world, now):
    def verified(answer):
        return evidence.verify(json.dumps(answer).encode(), world.trust(), now=now)

    return verified


def test_a_released_answer_is_as_verifiable_as_a_bundle(released, verify, world, now):
    report = verify(released)

    assert report == bundle.verify(evidence.bundle_of_answer(released), world.trust(), now=now)


@pytest.mark.parametrize("outcome", ["denied", "failed", "pending", "withdrawn"])
def test_a_refusal_is_as_verifiable_as_a_release(world, now, verify, outcome):
    answer = world.answer(world.members(outcome))

    report = verify(answer)

    assert (report.outcome, report.exchange) == (outcome, answer["exchange"])
    assert bundle.verify(evidence.bundle_of_answer(answer), world.trust(), now=now) == report


@same_world
@given(data=st.data())
def test_any_changed_byte_that_changes_what_is_evidence_is_refused(world, now, released, failed, data):
    document = json.dumps(data.draw(st.sampled_from([released, failed]))).encode()
    at = data.draw(st.integers(0, len(document) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda drawn: drawn != document[at]))
    changed = document[:at] + bytes([byte]) + document[at + 1 :]

    try:
        is_same = evidence_in(changed) == evidence_in(document)
    except EvidenceError:
        is_same = False
    if is_same:
        evidence.verify(changed, world.trust(), now=now)
    else:
        with pytest.raises(EvidenceError):
            evidence.verify(changed, world.trust(), now=now)


def evidence_in(document):
    """The members that the receipt can vouch for; `policy` of a withheld group is an explanation nobody signs."""
    answer = parse_json(document)
    if not isinstance(answer, dict):
        raise FormatError("no answer")
    kept = {"id", "exchange", "outcome", "sealed_by", "obligations", "stage", "reason", "request", "receipt", "record"}
    groups = answer.get("withheld", [])
    signed = [{name: value for name, value in group.items() if name != "policy"} for group in groups]
    return {name: answer[name] for name in kept | {"log"} if name in answer} | {"withheld": signed}


LIES = [
    ("id", "019ab2c0-0000-7000-8000-00000000000b"),
    ("id", None),
    ("outcome", "denied"),
    ("outcome", None),
    ("sealed_by", "holder"),
    ("sealed_by", None),
    ("obligations", {}),
    ("obligations", {"retain_days": 91, "watermark": True}),
    ("obligations", {"retain_days": 90, "watermark": 1}),
    ("obligations", {"retain_days": 90.0, "watermark": True}),
    ("obligations", {"retain_days": 90, "watermark": True, "more": 1}),
    ("obligations", []),
    ("withheld", []),
    ("withheld", {}),
    ("withheld", None),
    ("withheld", [{"group": "trademark.owner", "reason": "not_granted"}]),
    ("withheld", [{"group": "trademark.owner.contact", "reason": "sealed"}]),
    ("withheld", [{"group": "trademark.owner.contact", "reason": "not_granted", "more": 1}]),
    ("withheld", [{"group": "trademark.owner.contact", "reason": "not_granted"}] * 2),
    ("withheld", [{"policy": "holder/ipo-xa/trademark@4"}]),
    ("exchange", "019ab2c0-0000-7000-8000-00000000000b"),
    ("request", ""),
    ("receipt", "x"),
    ("record", 5),
]


@pytest.mark.parametrize(("name", "lie"), LIES)
def test_an_answer_that_says_something_else_than_its_receipt_is_refused(released, verify, name, lie):
    with pytest.raises(EvidenceError):
        verify({**released, name: lie})


def test_the_lie_is_named(released, verify):
    with pytest.raises(BindingError, match="'sealed_by' says something else"):
        verify({**released, "sealed_by": "holder"})


@pytest.mark.parametrize(
    ("name", "lie"),
    [
        ("stage", "policy"),
        ("stage", None),
        ("reason", "denied"),
        ("outcome", "denied"),
        ("exchange", "x"),
        ("withheld", []),
    ],
)
def test_a_problem_that_says_something_else_than_its_receipt_is_refused(failed, verify, name, lie):
    with pytest.raises(BindingError, match=f"'{name}' says something else"):
        verify({**failed, name: lie})


def test_a_stage_that_the_receipt_does_not_name_is_the_problems_own_word(world, verify):
    answer = world.answer(world.members("denied"))

    assert verify({**answer, "stage": "policy"}).outcome == "denied"


def test_the_policy_that_withheld_may_be_explained_without_being_signed(released, verify):
    explained = copy.deepcopy(released)
    explained["withheld"][0]["policy"] = "holder/ipo-xa/trademark@4"

    assert verify(explained).outcome == "released"


def test_a_policy_that_is_signed_must_be_the_one_that_is_told(world, verify):
    group = {"group": "trademark.owner.contact", "reason": "not_granted", "policy": "holder/ipo-xa/trademark@4"}
    answer = world.answer(world.members(receipt={"withheld": [group]}))

    verify({**answer, "withheld": [group]})
    for policy in ("holder/ipo-xa/trademark@5", None):
        with pytest.raises(BindingError, match="withheld"):
            verify({**answer, "withheld": [{**group, "policy": policy}]})


def test_what_is_not_evidence_may_be_anything(released, verify):
    assert verify({**released, "timing_ms": {"auth": 9}, "trace": "x"}) == verify(released)


@pytest.mark.parametrize(
    "name", ["id", "outcome", "sealed_by", "obligations", "withheld", "record", "request", "receipt", "log"]
)
def test_a_release_that_lacks_a_member_is_refused(released, verify, name):
    with pytest.raises(EvidenceError):
        verify({key: value for key, value in released.items() if key != name})


@pytest.mark.parametrize("name", ["obligations", "withheld"])
def test_a_release_says_even_that_nothing_is_withheld_and_nothing_owed(world, verify, name):
    answer = world.answer(world.members(receipt={"obligations": {}, "withheld": []}))

    verify(answer)
    with pytest.raises(FormatError, match=f"lacks {name}"):
        verify({key: value for key, value in answer.items() if key != name})


@pytest.mark.parametrize("name", ["exchange", "outcome", "request", "receipt", "log", "withheld", "stage", "reason"])
def test_a_problem_that_lacks_a_member_is_refused(failed, verify, name):
    with pytest.raises(EvidenceError):
        verify({key: value for key, value in failed.items() if key != name})


@pytest.mark.parametrize("name", ["index", "entry", "salt", "proof", "checkpoint"])
@pytest.mark.parametrize("value", [None, 5.0, True, "", "x", [], [1], {}, -1, "é", [""], 10**30])
def test_a_place_in_the_log_of_another_form_is_refused(released, verify, name, value):
    with pytest.raises(EvidenceError):
        verify({**released, "log": {**released["log"], name: value}})


def test_a_problem_without_a_receipt_says_that_it_proves_nothing(verify):
    with pytest.raises(FormatError, match="carries no receipt"):
        verify({"type": "about:blank", "title": "Bad Request", "status": 400})


@pytest.mark.parametrize("answer", [None, [], "x", 5, True])
def test_an_answer_that_is_no_object_is_refused(answer):
    with pytest.raises(FormatError):
        evidence.members_of_answer(answer)


def test_text_that_is_not_unicode_is_refused_where_a_lax_parser_let_it_through(released):
    for change in ({"request": "\ud800"}, {"outcome": "\ud800"}, {"log": {**released["log"], "entry": "\ud800"}}):
        with pytest.raises(FormatError):
            evidence.members_of_answer({**released, **change})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@same_world
@given(data=st.data())
def test_whatever_stands_in_an_answer_a_verifier_raises_only_its_own_errors(world, now, released, data):
    name = data.draw(st.sampled_from(sorted(released)))
    answer = {**released, name: data.draw(JSON)}
    try:
        bundle.verify_members(evidence.members_of_answer(answer), world.trust(), now=now)
    except EvidenceError:
        return
    assert name == "timing_ms" or answer[name] == released[name]


@pytest.mark.parametrize("outcome", [[], {}, ["pending"], None, 5, True, 1.5])
def test_an_outcome_that_is_no_text_is_refused(released, verify, outcome):
    with pytest.raises(EvidenceError):
        verify({**released, "outcome": outcome})


@pytest.mark.parametrize("index", ["5", True, 5.0, None])
def test_a_place_in_the_log_is_a_number(released, verify, index):
    answer = copy.deepcopy(released)
    answer["log"]["index"] = index

    with pytest.raises(FormatError, match="at which place"):
        verify(answer)


@pytest.fixture(scope="module")
def ended(world):
    """An answer that ends a pending exchange, and shows the receipt of its filing."""
    first = world.members("pending")
    prior = world.answer(first)
    members = world.members(
        request_token=first["request.jws"].decode(),
        receipt={"prior": hashed(first["receipt.jws"].decode())},
        **{"pending.zip": bundle.write(first)},
    )
    return world.answer(members, prior={"receipt": prior["receipt"], "log": prior["log"]})


def test_an_answer_that_ends_a_pending_one_is_verified_with_the_receipt_of_its_filing(ended, verify, world, now):
    report = verify(ended)

    assert report.outcome == "released"
    assert report == bundle.verify(evidence.bundle_of_answer(ended), world.trust(), now=now)


@pytest.mark.parametrize(
    "prior",
    [
        None,
        [],
        "receipt",
        {},
        {"receipt": "x"},
        {"receipt": "x", "log": None},
        {"receipt": "x", "log": []},
        {"receipt": "x", "log": "salt"},
    ],
)
def test_an_answer_that_hides_the_pending_receipt_is_refused(ended, verify, prior):
    with pytest.raises(FormatError, match="does not show the pending receipt"):
        verify({**ended, "prior": prior})


@pytest.mark.parametrize("name", ["receipt", "log"])
def test_an_answer_with_another_pending_receipt_is_refused(ended, verify, world, name):
    other = world.answer(world.members("pending"))

    with pytest.raises(EvidenceError):
        verify({**ended, "prior": {**ended["prior"], name: other[name]}})


def test_an_answer_that_leaves_its_pending_receipt_out_is_refused(ended, verify):
    with pytest.raises(EvidenceError, match="missing"):
        verify({name: value for name, value in ended.items() if name != "prior"})


@pytest.mark.parametrize("outcome", ["pending", "withdrawn"])
def test_a_pending_answer_has_an_id_and_releases_nothing(world, verify, outcome):
    problem = world.answer(world.members(outcome))
    answer = {"id": problem["exchange"]} | {name: value for name, value in problem.items() if name != "exchange"}

    assert verify(answer).outcome == outcome


@pytest.mark.parametrize("records", [None, {}, "x", 5, []])
def test_records_that_are_no_list_are_refused(released, records):
    answer = {name: value for name, value in released.items() if name != "record"}

    with pytest.raises(FormatError, match="records are not a list"):
        evidence.members_of_answer({**answer, "records": records})


def test_records_of_an_answer_stand_on_lines_of_their_own(released):
    answer = {name: value for name, value in released.items() if name != "record"}

    members = evidence.members_of_answer({**answer, "records": [{"record": "one~"}, {"record": "two~"}]})

    assert members["record.sd-jwt"] == b"one~\ntwo~"
