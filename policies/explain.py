"""Why a question was answered as it was, and what would change the answer; how much of it depends on who reads it.

Each policy is taken apart into lines (who, which records, every part of its conditions), and Cedar says of each line
whether it holds. Lines may repeat facts of the record, so a requester never sees any.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from policies import cedar
from policies.book import PolicyBook, Slice
from policies.compiled import CompiledPolicy, variables
from policies.decision import Basis, Denial, Refuser, Release
from policies.hearing import Hearing
from policies.question import Question
from policies.reference import PolicyRef
from policies.schema import RELEASE

Audience = Literal["requester", "holder", "auditor"]


@dataclass(frozen=True, slots=True)
class Line:
    """One part of a policy, as Cedar text. `is_about_request`: another purpose, case or mode could make it true."""

    cedar: str
    is_about_request: bool


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """One policy that covers something asked for: whether it applies, whether it decided, and the lines that fail."""

    ref: PolicyRef
    effect: str
    title: str
    applies: bool
    decides: bool
    failing: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class GroupReport:
    """One group asked for; `legal_basis` is the law under which the holder's permits give it, to whomever."""

    group: str
    is_disclosed: bool
    reason: str | None
    legal_basis: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """`within_reach` are permits that only another request by the same client would satisfy.

    For a requester there are no policies, no basis and nothing within reach; where even existence is kept, there is
    nothing but the outcome `no_information`.
    """

    outcome: Literal["released", "denied", "no_information"]
    refused_by: Refuser | None = None
    reason: str | None = None
    groups: tuple[GroupReport, ...] = ()
    approvals: tuple[frozenset[str], ...] = ()
    policies: tuple[PolicyReport, ...] = ()
    within_reach: tuple[PolicyRef, ...] = ()
    basis: Basis | None = None


def explanation(
    book: PolicyBook,
    question: Question,
    decision: Release | Denial,
    approvals: tuple[frozenset[str], ...],
    audience: Audience,
) -> Explanation:
    """Explain a decision on a question to a reader.

    Raises:
        OutsideCatalogueError: the question does not fit the catalogue; the decision then was an error.
        CedarRefusedError: the same, found by Cedar.
    """
    is_denied = isinstance(decision, Denial)
    if audience == "requester" and isinstance(decision, Denial) and not decision.may_acknowledge:
        return Explanation("no_information")
    holder = book.holder_slice(question.holder.code, question.record_type)
    egress = book.egress_slice(question.asking.code, question.record_type)
    outcome: Literal["released", "denied"] = "denied" if is_denied else "released"
    refused_by, reason = (decision.refused_by, decision.reason) if isinstance(decision, Denial) else (None, None)
    groups = tuple(group_reports(holder, question, book, decision))
    if audience == "requester":
        return Explanation(outcome, refused_by, reason, groups, approvals)
    hearing = Hearing(book, [question])
    actions = (RELEASE, *(report.group for report in groups))
    reports = [
        report for slice_ in (holder, egress) if slice_ for report in _reports(hearing, slice_, actions, decision)
    ]
    return Explanation(
        outcome,
        refused_by,
        reason,
        groups,
        approvals,
        policies=tuple(reports),
        within_reach=tuple(
            report.ref
            for report in reports
            if report.effect == "permit" and report.failing and all(line.is_about_request for line in report.failing)
        ),
        basis=decision.basis,
    )


def group_reports(
    holder: Slice, question: Question, book: PolicyBook, decision: Release | Denial
) -> Iterator[GroupReport]:
    """Say of each group asked for whether it was disclosed, and why not."""
    known = book.catalogue.record_type(question.record_type)
    withheld = {one.group: one.reason for one in decision.withheld}
    disclosed = decision.disclosed if isinstance(decision, Release) else frozenset()
    for group in known.groups if known is not None else ():
        if question.groups and group.name not in question.groups:
            continue
        permits = (one for one in holder.policies.values() if one.effect == "permit" and group.name in one.actions)
        laws = sorted({one.annotations.get("legal_basis") or "" for one in permits} - {""})
        reason = withheld.get(group.name, decision.reason if isinstance(decision, Denial) else None)
        is_disclosed = group.name in disclosed
        yield GroupReport(group.name, is_disclosed, None if is_disclosed else reason, tuple(laws))


def _reports(
    hearing: Hearing, slice_: Slice, actions: Iterable[str], decision: Release | Denial
) -> Iterator[PolicyReport]:
    """Report the policies that cover an action asked for; a forbid that does not apply has nothing to say."""
    wanted = frozenset(actions)
    covering = {name: one for name, one in slice_.policies.items() if not wanted.isdisjoint(one.actions)}
    as_permits = {name: {**one.tree, "effect": "permit"} for name, one in covering.items()}
    applying = hearing.holding(as_permits, sorted(wanted))
    lines = {name: list(lines_of(one)) for name, one in covering.items()}
    probes = {f"{name} {number}": tree for name, found in lines.items() for number, tree in enumerate(found)}
    holding = hearing.holding(probes, [RELEASE])
    for name, policy in sorted(covering.items()):
        applies = name in applying
        if policy.effect == "forbid" and not applies:
            continue
        failing = [part for number, part in enumerate(lines[name]) if f"{name} {number}" not in holding]
        yield PolicyReport(
            ref=policy.ref,
            effect=policy.effect,
            title=policy.annotations.get("title") or policy.ref.policy_id,
            applies=applies,
            decides=applies and policy.ref in decision.basis.by,
            failing=() if applies else tuple(line_of(part) for part in failing),
        )


def lines_of(policy: CompiledPolicy) -> Iterator[cedar.PolicyTree]:
    """A permit of its own for every part of a policy: principal, record, each conjunct of its conditions."""
    anything, tree = {"op": "All"}, policy.tree
    for scope in ("principal", "resource"):
        if tree[scope] != anything:
            yield _probe(**{scope: tree[scope]})
    for clause in tree["conditions"]:
        for part in _split(clause["body"], "&&" if clause["kind"] == "when" else "||"):
            yield _probe(conditions=[{"kind": clause["kind"], "body": part}])


def _probe(**parts: Any) -> cedar.PolicyTree:
    anything = {"op": "All"}
    whole = {"effect": "permit", "principal": anything, "action": anything, "resource": anything, "conditions": []}
    return {**whole, **parts}


def _split(body: Mapping[str, Any], operator: str) -> Iterator[Mapping[str, Any]]:
    if operator in body:
        for side in ("left", "right"):
            yield from _split(body[operator][side], operator)
    else:
        yield body


def line_of(tree: cedar.PolicyTree) -> Line:
    """Write one part of a policy as text."""
    return Line(cedar.line_text(tree), is_about_request="context" in variables(tree["conditions"]))
