"""Decide before the record is known: each side's policies evaluated once, for all actions together."""

from collections.abc import Iterable
from dataclasses import dataclass

from policies.book import PolicyBook, Slice
from policies.decision import NO_EGRESS, NOT_GRANTED, POLICY_FAILED, Denial
from policies.hearing import Hearing, candidates, record_type
from policies.judgement import basis, error, refusal
from policies.question import Question
from policies.reference import PolicyRef
from policies.residuals import Known, Reading, read_residual, row_filter, sure_forbids
from policies.rows import FALSE, RowFilter, join
from policies.schema import RELEASE, parents


@dataclass(frozen=True, slots=True)
class Foresight:
    """What one side comes to: the rows it may release, and the forbids that let none through."""

    rows: RowFilter
    forbids: frozenset[PolicyRef]


@dataclass(frozen=True, slots=True)
class Failure:
    """Policies that fail whatever the record is."""

    by: tuple[PolicyRef, ...]


def foresee(book: PolicyBook, question: Question) -> Denial | RowFilter:
    """Find the rows that could be released to a question without record.

    Returns:
        A denial if no record could be; it tells nothing of any record. Else the rows both sides may release together
        with at least one of the groups asked for.

    Raises:
        OutsideCatalogueError: the question does not fit the catalogue.
        CedarRefusedError: entities or context are not as the schema says.
    """
    known = record_type(book, question)
    holder = book.holder_slice(question.holder.code, known.name)
    egress = book.egress_slice(question.asking.code, known.name)
    _, listed = candidates(known, holder, question)
    classes = {group.name: parents(group) for group in known.groups}
    asked = {RELEASE: (RELEASE,), **{name: (name, *classes[name]) for name in sorted(listed)}}
    hearing = Hearing(book, [question])
    filters: list[RowFilter] = []
    for slice_ in (holder, egress):
        if slice_ is None:
            return Denial("egress", NO_EGRESS, may_acknowledge=True, basis=basis(book, ()))
        found = _side(hearing, slice_, question, asked)
        if isinstance(found, Failure):
            return error(book, POLICY_FAILED, found.by)
        if found.rows.where == FALSE:
            deciding = (policy for policy in slice_.policies.values() if policy.ref in found.forbids)
            refused = refusal(deciding, slice_.side)
            return Denial(refused.refused_by, refused.reason, may_acknowledge=True, basis=basis(book, refused.by))
        filters.append(found.rows)
    both = join(filters, every=True)
    if both.where == FALSE:
        return Denial("holder", NOT_GRANTED, may_acknowledge=True, basis=basis(book, ()))
    return both


def _side(
    hearing: Hearing, slice_: Slice, question: Question, asked: dict[str, tuple[str, ...]]
) -> Foresight | Failure:
    """Evaluate one side's policies once, then put together what covers each action, alike actions once."""
    outlook = hearing.outlook(slice_)
    failing = [slice_.policies[name] for name in outlook.failed]
    if outlook.has_failed and (not failing or any(not policy.actions.isdisjoint(asked) for policy in failing)):
        return Failure(tuple(sorted({policy.ref for policy in failing})))
    anyhow = {
        name: read_residual(slice_.policies[name].ref, residual, Known.of(question))
        for name, residual in sorted(outlook.residuals.items())
    }

    def readings(action: str) -> Iterable[Reading]:
        for name, reading in anyhow.items():
            policy = slice_.policies[name]
            if action in policy.actions and policy.reads_action:
                yield read_residual(policy.ref, outlook.residuals[name], Known.of(question, asked[action]))
            elif action in policy.actions:
                yield reading

    places = {slice_.asks_as[action]: action for action in reversed(asked)}
    covering = {place: tuple(readings(action)) for place, action in places.items()}
    rows = {place: row_filter(found) for place, found in covering.items()}
    groups = [slice_.asks_as[action] for action in asked if action != RELEASE]
    some_group = join([rows[place] for place in dict.fromkeys(groups)], every=False)
    release = slice_.asks_as[RELEASE]
    forbids = sure_forbids(covering[release])
    by_group = [sure_forbids(covering[place]) for place in groups]
    if not forbids and all(by_group):
        forbids = frozenset(ref for found in by_group for ref in found)
    return Foresight(join([rows[release], some_group], every=True), forbids)
