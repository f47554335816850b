"""From Cedar's answers, action by action, to one decision."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from policies.book import PolicyBook, Slice
from policies.cedar import ENGINE_VERSION, Answer
from policies.compiled import CompiledPolicy
from policies.decision import (
    EGRESS_NOT_GRANTED,
    NOT_GRANTED,
    NOTHING_DISCLOSED,
    PERSONAL_NOT_GRANTED,
    POLICY_FAILED,
    UNKNOWN_OBLIGATION,
    Basis,
    Denial,
    Refuser,
    Release,
    Withheld,
)
from policies.obligations import Obligations, UnknownObligation, merge
from policies.reference import PolicyRef
from policies.schema import ACKNOWLEDGE, PERSONAL, RELEASE


@dataclass(frozen=True, slots=True)
class Granted:
    """Allowed by both sides; `permits` are the determining ones."""

    permits: tuple[CompiledPolicy, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Not allowed; `by` are the deciding forbids, or the permits whose obligations cannot be read."""

    refused_by: Refuser
    reason: str
    by: tuple[PolicyRef, ...]


Verdict = Granted | Refused


@dataclass(frozen=True, slots=True)
class Answers:
    """All that was asked for one question; an action no permit lists was not asked and is in neither mapping."""

    holder_slice: Slice
    holder: Mapping[str, Answer]
    egress_slice: Slice
    egress: Mapping[str, Answer] = field(default_factory=dict)

    def failure(self) -> tuple[PolicyRef, ...] | None:
        """The policies that could not be evaluated for some action, or None if all could."""
        sides = ((self.holder_slice, self.holder), (self.egress_slice, self.egress))
        failed = [(slice_, answer) for slice_, found in sides for answer in found.values() if answer.has_failed]
        if not failed:
            return None
        return tuple(sorted({ref for slice_, answer in failed for ref in slice_.refs(answer.failed)}))

    def verdict(self, action: str) -> Verdict:
        """One action, judged over both sides."""
        holder, egress = self.holder.get(action), self.egress.get(action)
        if holder is None:
            return Refused("holder", NOT_GRANTED, ())
        if not holder.is_allowed:
            return refusal((self.holder_slice.policies[name] for name in holder.by), "holder")
        if egress is None:
            return refusal((), "egress")
        if not egress.is_allowed:
            return refusal((self.egress_slice.policies[name] for name in egress.by), "egress")
        permits = (
            *(self.holder_slice.policies[name] for name in holder.by),
            *(self.egress_slice.policies[name] for name in egress.by),
        )
        unreadable = [permit for permit in permits if isinstance(permit.obligations, UnknownObligation)]
        if unreadable:
            return Refused(unreadable[0].ref.tier, UNKNOWN_OBLIGATION, _refs(unreadable))
        return Granted(permits)


def refusal(forbids: Iterable[CompiledPolicy], side: Literal["holder", "egress"]) -> Refused:
    """A denial of one side, with the words of its first forbid if forbids decided; guardrails come first."""
    deciding = sorted(forbids, key=lambda policy: policy.ref)
    if not deciding:
        return Refused(side, NOT_GRANTED if side == "holder" else EGRESS_NOT_GRANTED, ())
    return Refused(deciding[0].ref.tier, deciding[0].reason, _refs(deciding))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one question is about.

    `groups`: those asked for, in the order in which withheld ones are listed. `personal`: groups that hold data on
    individuals. `sealed`: groups that act as sealed in this record and were not approved, with the reason.
    """

    groups: Sequence[str]
    personal: frozenset[str]
    sealed: Mapping[str, str]


def judge(book: PolicyBook, answers: Answers, wanted: Wanted) -> Release | Denial:
    """Judge one question.

    Returns:
        A release of the groups that are allowed, if the release itself is and at least one group; else a denial. The
        overridden permits are left to be named.
    """
    failed = answers.failure()
    if failed is not None:
        return error(book, POLICY_FAILED, failed)
    may_acknowledge = isinstance(answers.verdict(ACKNOWLEDGE), Granted)
    release = answers.verdict(RELEASE)
    if isinstance(release, Refused):
        return Denial(release.refused_by, release.reason, may_acknowledge, basis(book, release.by))
    granted: dict[str, Granted] = {}
    refused: dict[str, Refused] = {}
    grant_personal = answers.verdict(PERSONAL)
    for group in wanted.groups:
        verdict = answers.verdict(group)
        if isinstance(verdict, Granted) and group in wanted.sealed:
            verdict = Refused("guardrail", wanted.sealed[group], ())
        if isinstance(verdict, Granted) and group in wanted.personal and isinstance(grant_personal, Refused):
            verdict = Refused(grant_personal.refused_by, PERSONAL_NOT_GRANTED, grant_personal.by)
        if isinstance(verdict, Granted):
            granted[group] = verdict
        else:
            refused[group] = verdict
    withheld = tuple(Withheld(group, verdict.reason, verdict.by) for group, verdict in refused.items())
    if not granted:
        return _nothing(book, tuple(refused.values()), withheld, may_acknowledge=may_acknowledge)
    determining = [release, *granted.values()]
    if isinstance(grant_personal, Granted) and not wanted.personal.isdisjoint(granted):
        determining.append(grant_personal)
    permits = [permit for one in determining for permit in one.permits]
    return Release(
        disclosed=frozenset(granted),
        withheld=withheld,
        obligations=merge(permit.obligations for permit in permits if isinstance(permit.obligations, Obligations)),
        basis=basis(book, _refs(permits)),
    )


def error(book: PolicyBook, reason: str, by: tuple[PolicyRef, ...] = ()) -> Denial:
    """The denial of a question that could not be decided; it tells nothing of the record."""
    return Denial("error", reason, may_acknowledge=False, basis=basis(book, by))


def basis(book: PolicyBook, by: tuple[PolicyRef, ...], overridden: tuple[PolicyRef, ...] = ()) -> Basis:
    return Basis(by, overridden, book.digest, ENGINE_VERSION)


def _nothing(
    book: PolicyBook, refused: tuple[Refused, ...], withheld: tuple[Withheld, ...], *, may_acknowledge: bool
) -> Denial:
    """What kept back the groups somebody granted says more than that nobody granted the rest."""
    telling = [verdict for verdict in refused if verdict.reason != NOT_GRANTED] or refused
    refusers = {verdict.refused_by for verdict in telling}
    reasons = {verdict.reason for verdict in telling}
    return Denial(
        refused_by=refusers.pop() if len(refusers) == 1 else "holder",
        reason=reasons.pop() if len(reasons) == 1 else NOTHING_DISCLOSED,
        may_acknowledge=may_acknowledge,
        basis=basis(book, tuple(sorted({ref for verdict in refused for ref in verdict.by}))),
        withheld=withheld,
    )


def _refs(policies: Iterable[CompiledPolicy]) -> tuple[PolicyRef, ...]:
    return tuple(sorted({policy.ref for policy in policies}))
