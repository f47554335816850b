"""Policy tests: read strictly, answered by the side they stand beside, and wanted for whatever is opened."""

import copy

import pytest

from gateway.demo.world import AGENCIES
from gateway.records.policy_catalogue import policy_catalogue
from policies.bundle_files import default_egress, default_egress_tests, load, load_tests
from policies.engine import compile_book
from policies.policy_tests import PolicyTestError, missing_negatives, read_test, report, run_tests

GOOD = {
    "name": "customs-sees-the-mark",
    "question": {
        "asking": {"code": "customs-xa", "kind": "customs", "jurisdictions": ["XA"]},
        "record_type": "trademark",
        "purpose": "border_enforcement",
    },
    "expect": {"outcome": "released"},
}


@pytest.fixture(scope="module")
def book():
    texts = [*load(), *(default_egress(agency.code, agency.purposes) for agency in AGENCIES)]
    return compile_book(policy_catalogue(), texts, (), validated=frozenset(texts))


def test_the_shipped_policies_pass_their_own_tests_and_none_is_missing(book):
    tests = load_tests()
    tests += (
        test for one in AGENCIES for test in default_egress_tests(one.code, one.kind, one.jurisdictions, one.purposes)
    )

    for place in book.sets:
        own = [test for test in tests if (test.tier, test.owner) == place]
        found = report(book, *place, own)
        assert found.is_passed, (place, found)
        assert own


def test_an_answer_that_is_not_as_expected_says_in_what(book):
    wrong = copy.deepcopy(GOOD) | {
        "expect": {
            "outcome": "released",
            "groups": ["trademark.biblio"],
            "withheld": ["trademark.mark"],
            "obligations": {},
            "decided_by": ["nobody"],
            "reason": "sealed",
        }
    }

    result = run_tests(book, [read_test(wrong, "holder", "ipo-xa")])[0]

    assert not result.is_passed
    assert len(result.failures) == 5
    assert "customs-trademark-border" in result.by


def test_the_side_that_is_not_under_test_lets_everything_pass(book):
    stranger = copy.deepcopy(GOOD)
    stranger["question"]["asking"] |= {"code": "not-registered"}
    stranger["expect"] = {"outcome": "released", "groups": ["trademark.biblio", "trademark.mark", "trademark.status"]}

    result = run_tests(book, [read_test(stranger, "holder", "ipo-xa")])[0]

    assert result.is_passed, result.failures
    assert result.by == ("public-trademark-basics",)


def test_every_record_type_that_is_opened_needs_a_test_that_it_stays_closed(book):
    positive = read_test(GOOD, "holder", "customs-xa")

    assert missing_negatives(book, "holder", "customs-xa", [positive]) == ("customs_recordal", "detention")
    assert missing_negatives(book, "egress", "customs-xa", []) == ("any",)
    assert missing_negatives(book, "guardrail", "gateway", []) == ("any",)
    assert missing_negatives(book, "holder", "nobody", []) == ()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": "with space"}, "/name"),
        ({"more": 1}, "/more"),
        ({"question": {}}, "/question/record_type"),
        ({"question": {**GOOD["question"], "asking": {"code": "a b", "kind": "customs"}}}, "/question/asking/code"),
        ({"question": {**GOOD["question"], "grops": []}}, "/question/grops"),
        ({"expect": {"outcome": "perhaps"}}, "/expect/outcome"),
        ({"expect": []}, "/expect"),
    ],
)
def test_a_malformed_test_is_refused_by_its_member(change, pointer):
    with pytest.raises(PolicyTestError) as error:
        read_test({**GOOD, **change}, "holder", "ipo-xa")

    assert error.value.pointer == pointer


def test_a_question_outside_the_catalogue_fails_its_test(book):
    odd = copy.deepcopy(GOOD)
    odd["question"]["purpose"] = "curiosity"

    result = run_tests(book, [read_test(odd, "holder", "ipo-xa")])[0]

    assert (result.is_passed, result.outcome) == (False, "error")
