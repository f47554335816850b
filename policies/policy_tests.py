"""Policy tests: questions with the answer they must get, stored beside the policies they are about.

    {"name": "customs-gets-the-mark", "question": {"asking": {"code": "customs-xa", "kind": "customs",
     "jurisdictions": ["XA"]}, "record_type": "trademark", "purpose": "border_enforcement"},
     "expect": {"outcome": "released", "groups": ["trademark.biblio"], "obligations": {"retain_days": 90},
     "decided_by": ["customs-trademark-border"]}}

What a question leaves out is plain: a record about which there is nothing to say, no case, no approval, all groups.
What an expectation leaves out is not looked at.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast

from policies.book import PolicyBook, compile_book
from policies.decision import Release
from policies.engine import decide
from policies.matrix import ASSURANCE, plain_record
from policies.question import Agency, CaseReference, Client, Delegation, Fact, Question, Record, Representation
from policies.reference import CODE, TIERS, PolicyRef, PolicyText, Tier, revision_of
from policies.schema import Catalogue

OTHER_SIDE: Final = "other-side"
"""Stands in, while tests run, for what is not under test."""
SOME_HOLDER: Final = "some-holder"
OUTCOMES: Final = ("released", "denied")
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When a test is asked that says no time: the answer must not depend on the day it is run."""
_TEXT_BYTES: Final = 16 * 1024
_TOP: Final = {"name", "question", "expect"}
_QUESTION: Final = {
    *("asking", "holder", "source", "supplier", "record_type", "purpose", "legal_basis", "groups", "facts", "mode"),
    *("now", "approvals", "case_reference", "representing", "delegation", "units", "client"),
    "overdue_acknowledgements",
}
_EXPECT: Final = {"outcome", "groups", "withheld", "obligations", "decided_by", "reason"}


class PolicyTestError(Exception):
    """A test that cannot be read; names the member at fault."""

    def __init__(self, pointer: str, problem: str) -> None:
        super().__init__(f"{pointer}: {problem}")
        self.pointer = pointer
        self.problem = problem


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """One test of the policies of a tier and owner; `document` is what `read_test` read."""

    tier: Tier
    owner: str
    name: str
    document: Mapping[str, Any] = field(hash=False)

    @property
    def record_type(self) -> str:
        return str(self.document["question"]["record_type"])

    @property
    def is_negative(self) -> bool:
        """It expects that nothing goes."""
        return bool(self.document["expect"]["outcome"] == "denied")

    def text(self) -> str:
        """Write it as it is stored and hashed."""
        return json.dumps(self.document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class TestResult:
    """What came of one test; `failures` says what was not as expected, `by` which policies decided."""

    __test__ = False  # no test of pytest's

    name: str
    is_passed: bool
    failures: tuple[str, ...]
    outcome: Literal["released", "denied", "error"]
    groups: tuple[str, ...]
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TestReport:
    """All results; `missing` names what has no negative test, a record type or `any`."""

    __test__ = False

    results: tuple[TestResult, ...]
    missing: tuple[str, ...]

    @property
    def is_passed(self) -> bool:
        return not self.missing and all(result.is_passed for result in self.results)


def read_test(document: Any, tier: Tier, owner: str) -> PolicyTest:
    """Read a test's JSON.

    Raises:
        PolicyTestError: a member is missing, unknown or of the wrong kind.
    """
    _members(document, "", _TOP)
    if len(json.dumps(document)) > _TEXT_BYTES:
        raise PolicyTestError("", f"larger than {_TEXT_BYTES} bytes")
    name = document.get("name")
    if not isinstance(name, str) or CODE.fullmatch(name) is None:
        raise PolicyTestError("/name", "a name of letters, digits and hyphens")
    asked, expected = document.get("question"), document.get("expect")
    _members(asked, "/question", _QUESTION)
    _members(expected, "/expect", _EXPECT)
    for wanted in ("record_type", "purpose"):
        if not isinstance(asked.get(wanted), str):
            raise PolicyTestError(f"/question/{wanted}", "is missing")
    for member in ("asking", "holder", "supplier"):
        if member in asked:
            _agency(asked[member], f"/question/{member}")
    if "asking" not in asked:
        raise PolicyTestError("/question/asking", "is missing")
    if expected.get("outcome") not in OUTCOMES:
        raise PolicyTestError("/expect/outcome", f"one of {', '.join(OUTCOMES)}")
    return PolicyTest(tier, owner, name, document)


def run_tests(book: PolicyBook, tests: Iterable[PolicyTest]) -> tuple[TestResult, ...]:
    """Ask every test's question of the policies it stands beside, as if the other side let everything pass.

    A holder's tests do not fail because some agency stops asking, nor an agency's because a holder releases less.
    """
    found = list(tests)
    alone = {place: _alone(book, *place, found) for place in {(test.tier, test.owner) for test in found}}
    return tuple(_run(alone[test.tier, test.owner], test) for test in found)


def report(book: PolicyBook, tier: Tier, owner: str, tests: Iterable[PolicyTest]) -> TestReport:
    """Run the tests of a tier and owner and say which negative ones are missing."""
    own = list(tests)
    return TestReport(run_tests(book, own), missing_negatives(book, tier, owner, own))


def missing_negatives(book: PolicyBook, tier: Tier, owner: str, tests: Iterable[PolicyTest]) -> tuple[str, ...]:
    """Name the record types that a permit of this tier and owner opens and no test expects to stay closed.

    Policies about all types at once, and guardrails, need one negative test of any type (`any`); none need none.
    """
    own = [policy for ref, policy in book.texts.items() if (ref.tier, ref.owner) == (tier, owner)]
    negative = {test.record_type for test in tests if test.is_negative}
    everything = {known.name for known in book.catalogue.record_types}
    opened: set[str] = set()
    for policy in own:
        if policy.effect == "permit" and policy.record_types != everything:
            opened |= policy.record_types
    missing = sorted(opened - negative)
    is_wide = any(policy.effect == "forbid" or policy.record_types == everything for policy in own)
    if is_wide and not negative and not missing:
        missing = ["any"]
    return tuple(missing)


def question_of(test: PolicyTest, catalogue: Catalogue) -> Question:
    """Build the question of a test.

    Raises:
        PolicyTestError: a member is of the wrong kind.
    """
    asked = test.document["question"]
    asking = _agency(asked["asking"], "/question/asking")
    if "holder" in asked:
        holder = _agency(asked["holder"], "/question/holder")
    else:
        code = test.owner if test.tier == "holder" else SOME_HOLDER
        holder = asking if asking.code == code else Agency(code, "ip_office", asking.jurisdictions, suspended=False)
    try:
        return _question(asked, asking, holder, catalogue)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PolicyTestError("/question", f"a member is missing or of the wrong kind ({error})") from error


def _question(asked: Mapping[str, Any], asking: Agency, holder: Agency, catalogue: Catalogue) -> Question:
    supplier = _agency(asked["supplier"], "/question/supplier") if "supplier" in asked else None
    kinds = {fact.name: fact.kind for fact in catalogue.facts}
    plain = plain_record(catalogue, holder)
    given = {name: _fact(kinds.get(name, ""), value) for name, value in asked.get("facts", {}).items()}
    case, owner, mandate = asked.get("case_reference"), asked.get("representing"), asked.get("delegation")
    now = asked.get("now")
    return Question(
        client=Client(
            asked.get("client", f"{asking.code}.test"), frozenset(asked.get("units", ())), ASSURANCE, suspended=False
        ),
        asking=asking,
        supplier=supplier,
        holder=holder,
        source=asked.get("source", f"{holder.code}-source"),
        record_type=asked["record_type"],
        record=Record("test", {**plain.facts, **given}),
        groups=frozenset(asked.get("groups", ())),
        purpose=asked["purpose"],
        legal_basis=asked.get("legal_basis", ""),
        mode=asked.get("mode", "single"),
        now=datetime.fromisoformat(now) if now else NOW,
        approvals=frozenset(asked.get("approvals", ())),
        case_reference=CaseReference(
            case["number"],
            case["jurisdiction"],
            bool(case.get("active", True)),
            bool(case.get("verified", True)),
            frozenset(case.get("defendants", ())),
        )
        if case
        else None,
        representing=Representation(
            owner.get("party", "somebody"), frozenset(owner.get("right_keys", ())), bool(owner.get("verified", True))
        )
        if owner
        else None,
        delegation=Delegation(
            supplier.code, bool(mandate.get("active", True)), bool(mandate.get("covers_purpose", True))
        )
        if supplier is not None and mandate is not None
        else None,
        overdue_acknowledgements=int(asked.get("overdue_acknowledgements", 0)),
    )


def _alone(book: PolicyBook, tier: Tier, owner: str, tests: Iterable[PolicyTest]) -> PolicyBook:
    """Make the book of one tier and owner: its policies and the guardrails, all else open."""
    asked = [test.document["question"] for test in tests if (test.tier, test.owner) == (tier, owner)]
    kept = [
        text
        for place, one in book.sets.items()
        if place[0] == "guardrail" or place == (tier, owner)
        for text in one.given
    ]
    opened: list[PolicyText] = []
    if tier != "egress":
        opened += (_open("egress", code) for code in sorted({question["asking"]["code"] for question in asked}))
    if tier != "holder":
        codes = {question["holder"]["code"] if "holder" in question else SOME_HOLDER for question in asked}
        opened += (_open("holder", code) for code in sorted(codes))
    return compile_book(book.catalogue, [*kept, *opened], (), previous=book, validated=frozenset(opened))


def _open(tier: Tier, owner: str) -> PolicyText:
    cedar = f'@id("{OTHER_SIDE}") @legal_basis("a test")\npermit (principal, action, resource);\n'
    return PolicyText(PolicyRef(tier, owner, OTHER_SIDE, revision_of(cedar)), cedar)


def _run(book: PolicyBook, test: PolicyTest) -> TestResult:
    try:
        question = question_of(test, book.catalogue)
    except PolicyTestError as error:
        return TestResult(test.name, is_passed=False, failures=(str(error),), outcome="error", groups=(), by=())
    decision = decide(book, question)
    disclosed = tuple(sorted(decision.disclosed)) if isinstance(decision, Release) else ()
    by = tuple(sorted({ref.policy_id for ref in decision.basis.by if ref.policy_id != OTHER_SIDE}))
    if isinstance(decision, Release):
        outcome: Literal["released", "denied", "error"] = "released"
    else:
        outcome = "error" if decision.refused_by == "error" else "denied"
    expected = test.document["expect"]
    failures = []
    if expected["outcome"] != outcome:
        reason = "" if isinstance(decision, Release) else f" ({decision.reason})"
        failures.append(f"expected {expected['outcome']}, was {outcome}{reason}")
    if "groups" in expected and sorted(expected["groups"]) != list(disclosed):
        failures.append(f"expected the groups {sorted(expected['groups'])}, got {list(disclosed)}")
    kept_back = set(expected.get("withheld", ())) & set(disclosed)
    if kept_back:
        failures.append(f"must not go: {sorted(kept_back)}")
    duties = decision.obligations.document() if isinstance(decision, Release) else {}
    if "obligations" in expected and expected["obligations"] != duties:
        failures.append(f"expected the obligations {expected['obligations']}, got {duties}")
    if not set(expected.get("decided_by", ())) <= set(by):
        failures.append(f"expected {sorted(expected['decided_by'])} to decide, decided: {list(by)}")
    if "reason" in expected and (isinstance(decision, Release) or decision.reason != expected["reason"]):
        failures.append(f"expected the reason {expected['reason']}")
    return TestResult(test.name, not failures, tuple(failures), outcome, disclosed, by)


def _members(value: Any, pointer: str, known: set[str]) -> None:
    if not isinstance(value, dict):
        raise PolicyTestError(pointer or "/", "must be an object")
    unknown = sorted(set(value) - known)
    if unknown:
        raise PolicyTestError(f"{pointer}/{unknown[0]}", "no such member")


def _agency(value: Any, pointer: str) -> Agency:
    _members(value, pointer, {"code", "kind", "jurisdictions", "suspended"})
    code, kind, places = value.get("code"), value.get("kind"), value.get("jurisdictions", [])
    if not isinstance(code, str) or CODE.fullmatch(code) is None:
        raise PolicyTestError(f"{pointer}/code", "an agency's code")
    if not isinstance(kind, str) or not isinstance(places, list):
        raise PolicyTestError(f"{pointer}/kind", "an agency has a kind and a list of jurisdictions")
    return Agency(code, kind, frozenset(places), suspended=bool(value.get("suspended", False)))


def _fact(kind: str, value: Any) -> Fact:
    if kind.startswith("Set<"):
        return frozenset(value)
    return datetime.fromisoformat(value) if kind == "datetime" else cast("Fact", value)


def tier_of(text: str) -> Tier | None:
    """Give the tier of that name."""
    return next((tier for tier in TIERS if tier == text), None)
