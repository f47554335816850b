"""What may be released: one question to one book of policies, answered action by action.

A holder's Cedar set (with the guardrails in it) says what may go; the asking agency's set says what its client may ask
for; both must agree. Whatever goes wrong on the way is a denial.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations

from policies.book import BookError, PolicyBook, compile_book, validity
from policies.cedar import (
    ENGINE_VERSION,
    CedarRefusedError,
    PolicyTextError,
    RawAnswer,
    RawRequest,
    evaluate,
    is_valid,
    parse,
)
from policies.decision import (
    NO_EGRESS,
    OUTSIDE_CATALOGUE,
    POLICY_FAILED,
    REASONS,
    Basis,
    Decision,
    Denial,
    Pending,
    Release,
    Withheld,
)
from policies.documents import OutsideCatalogueError
from policies.early import foresee
from policies.explain import Audience, Explanation, explanation
from policies.hearing import Hearing, candidates, named_plainly, record_type
from policies.judgement import Answers, Wanted, basis, error, judge
from policies.question import Agency, CaseReference, Client, Delegation, Question, Record, Representation
from policies.reference import PolicyRef, PolicyText, TemplateLink, Tier, revision_of
from policies.rows import RowFilter
from policies.schema import ACKNOWLEDGE, PERSONAL, RELEASE

SEALED_RELEASE = "sealed_release"
"""The approval that lifts a seal."""

__all__ = [
    "ENGINE_VERSION",
    "REASONS",
    "SEALED_RELEASE",
    "Agency",
    "Audience",
    "Basis",
    "BookError",
    "CaseReference",
    "CedarRefusedError",
    "Client",
    "Decision",
    "Delegation",
    "Denial",
    "Explanation",
    "Pending",
    "PolicyBook",
    "PolicyRef",
    "PolicyText",
    "PolicyTextError",
    "Question",
    "RawAnswer",
    "RawRequest",
    "Record",
    "Release",
    "Representation",
    "RowFilter",
    "TemplateLink",
    "Tier",
    "Withheld",
    "compile_book",
    "decide",
    "decide_early",
    "decide_many",
    "evaluate",
    "explain",
    "is_valid",
    "named_approvals",
    "obtainable",
    "parse",
    "revision_of",
    "validity",
]


def decide(book: PolicyBook, question: Question) -> Release | Denial:
    """Decide one question with its record known. Never raises: what cannot be decided is denied by `error`."""
    return decide_many(book, [question])[0]


def decide_many(book: PolicyBook, questions: Sequence[Question]) -> list[Release | Denial]:
    """Decide questions, in order; those of one holder, asking agency and record type cost one batch."""
    if len({(one.holder.code, one.asking.code, one.record_type) for one in questions}) > 1:
        return [decide(book, one) for one in questions]
    try:
        return _decide_alike(book, questions) if questions else []
    except BookError as broken:
        return [error(book, POLICY_FAILED, (broken.ref,)) for _ in questions]
    except (OutsideCatalogueError, CedarRefusedError):
        if len(questions) == 1:
            return [error(book, OUTSIDE_CATALOGUE)]
        return [decide(book, one) for one in questions]  # one bad question must not deny the others


def decide_early(book: PolicyBook, question: Question) -> Denial | RowFilter:
    """Decide before the holder is called: a sure denial, or the filter of the rows that could be released.

    The filter is never narrower than `decide`, and what it lets through is decided again.
    """
    try:
        return foresee(book, named_plainly(replace(question, record=None)))
    except BookError as broken:
        return error(book, POLICY_FAILED, (broken.ref,))
    except (OutsideCatalogueError, CedarRefusedError):
        return error(book, OUTSIDE_CATALOGUE)


def obtainable(
    book: PolicyBook,
    question: Question,
    denial: Denial,
    *,
    ask: Callable[[Question], Release | Denial] | None = None,
) -> Denial | Pending:
    """Find the smallest sets of further approvals that would turn a denial into a release; a plain denial if none.

    Args:
        book: decides.
        question: which was denied.
        denial: the answer.
        ask: decides by this book too, and may remember what it answered.
    """
    if denial.refused_by == "error":
        return denial
    decided = ask or partial(decide, book)
    missing = sorted(named_approvals(book, question) - question.approvals)
    if not isinstance(decided(replace(question, approvals=question.approvals.union(missing))), Release):
        return denial  # more of them never release less
    found: list[frozenset[str]] = []
    for size in range(1, len(missing) + 1):
        for approvals in map(frozenset, combinations(missing, size)):
            if any(smaller <= approvals for smaller in found):
                continue
            granted = replace(question, approvals=question.approvals | approvals)
            if isinstance(decided(granted), Release):
                found.append(approvals)
    return Pending(tuple(found), denial) if found else denial


def named_approvals(book: PolicyBook, question: Question) -> frozenset[str]:
    """Name the approvals that can bear on a question: more of them never release less."""
    slice_ = book.holder_slice(question.holder.code, question.record_type)
    return frozenset({SEALED_RELEASE, *(name for policy in slice_.policies.values() for name in policy.approvals)})


def explain(book: PolicyBook, question: Question, audience: Audience) -> Explanation:
    """Decide a question afresh and say why: to its requester, to the holder's officers, or to an auditor."""
    decision = decide(book, question)
    if isinstance(decision, Denial) and decision.refused_by == "error":
        if audience == "requester":
            return Explanation("no_information")
        return Explanation("denied", decision.refused_by, decision.reason, basis=decision.basis)
    change = obtainable(book, question, decision) if isinstance(decision, Denial) else decision
    approvals = change.approvals if isinstance(change, Pending) else ()
    return explanation(book, question, decision, approvals, audience)


def _decide_alike(book: PolicyBook, questions: Sequence[Question]) -> list[Release | Denial]:
    first = questions[0]
    known = record_type(book, first)
    personal = frozenset(group.name for group in known.groups if group.is_personal)
    holder = book.holder_slice(first.holder.code, known.name)
    plans = [candidates(known, holder, question) for question in questions]
    hearing = Hearing(book, questions)
    asked = [
        {ACKNOWLEDGE, RELEASE, *listed, *({PERSONAL} if not personal.isdisjoint(listed) else ())} for _, listed in plans
    ]
    by_holder = hearing.ask(holder, asked)
    egress = book.egress_slice(first.asking.code, first.record_type)
    if egress is None:
        return [Denial("egress", NO_EGRESS, may_acknowledge=True, basis=basis(book, ())) for _ in questions]
    allowed = [{action for action, answer in answers.items() if answer.is_allowed} for answers in by_holder]
    by_egress = hearing.ask(egress, [one if RELEASE in one else one & {ACKNOWLEDGE} for one in allowed])
    decisions: list[Release | Denial] = []
    heard: list[Answers] = []
    for number, (wanted, _) in enumerate(plans):
        answers = Answers(holder, by_holder[number], egress, by_egress[number])
        heard.append(answers)
        decisions.append(judge(book, answers, Wanted(wanted, personal, _sealed(questions[number]))))
    return _with_overridden(hearing, heard, decisions, [wanted for wanted, _ in plans])


def _sealed(question: Question) -> Mapping[str, str]:
    """The groups that act as sealed in this record alone: Cedar's classes are the catalogue's, not a record's."""
    if question.record is None or SEALED_RELEASE in question.approvals:
        return {}
    return question.record.sealed_groups


def _with_overridden(
    hearing: Hearing,
    heard: Sequence[Answers],
    decisions: Sequence[Release | Denial],
    groups: Sequence[Sequence[str]],
) -> list[Release | Denial]:
    """Name the permits that forbids overrode; asks Cedar again, and only where a forbid decided."""
    found: list[set[PolicyRef]] = [set() for _ in decisions]
    actions: list[list[str]] = []
    for decision, wanted in zip(decisions, groups, strict=True):
        if isinstance(decision, Denial) and decision.refused_by == "error":
            actions.append([])
        else:
            of_groups = wanted if isinstance(decision, Release) or decision.withheld else ()
            actions.append([RELEASE, *of_groups])
    for slice_, sides in (
        (heard[0].holder_slice, [one.holder for one in heard]),
        (heard[0].egress_slice, [one.egress for one in heard]),
    ):
        forbidden = [
            [one for one in asked if one in given and not given[one].is_allowed and given[one].by]
            for asked, given in zip(actions, sides, strict=True)
        ]
        if any(forbidden):
            for refs, named in zip(found, hearing.overridden(slice_, forbidden), strict=True):
                refs.update(named)
    return [
        replace(decision, basis=replace(decision.basis, overridden=tuple(sorted(refs)))) if refs else decision
        for decision, refs in zip(decisions, found, strict=True)
    ]
