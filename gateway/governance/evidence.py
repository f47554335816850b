"""Evidence about a proposal: collected without any transaction open, each kind with the hash of its bytes."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from gateway import cores
from gateway.governance.books import PolicyBooks
from gateway.governance.replays import Replays
from policies.cards import NoCard, card
from policies.diff import Comparison, Limits, compare_apart
from policies.engine import BookError, PolicyBook, PolicyText, parse
from policies.lint import lint
from policies.policy_tests import PolicyTest, report
from policies.question import Agency
from policies.reference import Tier
from policies.replay import ReplayReport
from policies.schema import Catalogue

LANGUAGES: Final = ("en", "zh")
Tell = Callable[[str, int, int], None]
"""Is told the phase (one of `PHASES`), and how many of how many are done in it; 0 of 0 where that is not known."""
PHASES: Final = ("waiting", "lint", "validation", "tests", "diff", "replay", "card")


def unheard(_phase: str, _done: int, _total: int) -> None:
    """Tell nobody."""


Registry = Callable[[], Mapping[str, Agency]]
"""Gives the registered agencies by code: what the analysis may take for a fact about them."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """All policies and tests that would be in force for one tier and owner."""

    tier: Tier
    owner: str
    texts: tuple[PolicyText, ...]
    tests: tuple[PolicyTest, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One kind of evidence; `result` is JSON text without floating-point numbers."""

    kind: str
    is_passed: bool
    result: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.result.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Collected:
    """All evidence about one proposal, the book it was held against, and what it widens."""

    book: str
    kinds: tuple[Found, ...]
    widened: tuple[str, ...]


class EvidenceRuns:
    def __init__(
        self,
        books: PolicyBooks,
        replays: Replays,
        catalogue: Catalogue,
        registry: Registry,
        limits: Limits | None = None,
    ) -> None:
        self._books = books
        self._replays = replays
        self._catalogue = catalogue
        self._registry = registry
        self._limits = limits or Limits()

    def collect(self, proposal: Proposal, tell: Tell = unheard) -> Collected:
        """Collect all kinds; where lint or validation fails, the others cannot be and are said to be missing."""
        tell("lint", 0, len(proposal.texts))
        in_force = self._books.newest().book
        linted = self._lint(proposal)
        tell("validation", 0, len(proposal.texts))
        try:
            candidate = self._books.candidate(proposal.tier, proposal.owner, proposal.texts)
        except BookError as error:
            validation = _found("validation", {"problems": [{"policy": error.ref.policy_id, "problem": error.problem}]})
            return Collected(in_force.digest, (linted, Found("validation", is_passed=False, result=validation)), ())
        tell("tests", 0, len(proposal.tests))
        tests = report(candidate, proposal.tier, proposal.owner, proposal.tests)
        tell("diff", 0, 0)
        compared = self.compare(in_force, candidate, proposal.tier, proposal.owner)
        side = _side(proposal)
        replayed = self._replays.against(
            candidate,
            holder=side.get("holder"),
            requester=side.get("requester"),
            asks_all=True,
            tell=lambda done, total: tell("replay", done, total),
        )
        tell("card", 0, len(proposal.texts))
        return Collected(
            in_force.digest,
            (
                linted,
                Found("validation", is_passed=True, result=_found("validation", {"problems": []})),
                Found("tests", tests.is_passed, _found("tests", asdict(tests))),
                Found("diff", compared.is_sound, _found("diff", compared.document())),
                Found("replay", is_passed=True, result=_found("replay", replayed.document())),
                Found("coverage", is_passed=True, result=_found("coverage", _coverage(proposal, tests, replayed))),
                Found("card", is_passed=True, result=_found("card", _cards(proposal.texts))),
            ),
            compared.widened,
        )

    def compare(self, old: PolicyBook, new: PolicyBook, tier: Tier, owner: str) -> Comparison:
        """Compare what two books make of one tier and owner, in a child process."""
        with cores.any_core():
            return compare_apart(old, new, tier, owner, self._registry(), self._limits)

    def _lint(self, proposal: Proposal) -> Found:
        findings = [
            {"policy": text.ref.policy_id, "code": one.code, "message": one.message, "severity": one.severity}
            for text in proposal.texts
            for one in lint(text.cedar, proposal.tier, proposal.owner, self._catalogue)
        ]
        is_passed = all(finding["severity"] != "error" for finding in findings)
        return Found("lint", is_passed, _found("lint", {"findings": findings}))


def _side(proposal: Proposal) -> dict[str, str]:
    """A holder's policies bear on what was asked of it, egress policies on what the agency asked."""
    match proposal.tier:
        case "holder":
            return {"holder": proposal.owner}
        case "egress":
            return {"requester": proposal.owner}
        case "guardrail":
            return {}


def _coverage(proposal: Proposal, tests: Any, replayed: ReplayReport) -> dict[str, Any]:
    """Which of the proposed policies decided some test or past exchange, and which none."""
    tested = {policy_id for result in tests.results for policy_id in result.by}
    rows = [
        {
            "policy": text.ref.policy_id,
            "tested": text.ref.policy_id in tested,
            "decided": replayed.deciding.get(f"{proposal.tier}/{proposal.owner}/{text.ref.policy_id}", 0),
        }
        for text in proposal.texts
    ]
    return {"policies": rows, "untested": [row["policy"] for row in rows if not row["tested"]]}


def _cards(texts: Sequence[PolicyText]) -> dict[str, Any]:
    """The policies' cards as the reviewers saw them."""
    cards: dict[str, Any] = {}
    for text in texts:
        tree = parse(text.cedar)
        policy = next(iter([*tree.static_policies.values(), *tree.templates.values()]))
        cards[text.ref.policy_id] = {
            language: None if isinstance(drawn := card(policy, language), NoCard) else str(drawn)
            for language in LANGUAGES
        }
    return {"cards": cards}


def _found(kind: str, result: Mapping[str, Any]) -> str:
    return json.dumps({"kind": kind, **result}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
