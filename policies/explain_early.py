"""Why a question was refused before the record was known: which policies refused, what of others cannot hold."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from policies.book import BookError, PolicyBook, Slice
from policies.cedar import CedarRefusedError, PolicyTree
from policies.compiled import CompiledPolicy
from policies.decision import Denial
from policies.documents import OutsideCatalogueError
from policies.engine import decide_early
from policies.explain import Explanation, PolicyReport, group_reports, line_of, lines_of
from policies.hearing import Hearing, named_plainly
from policies.question import Question
from policies.reference import PolicyRef
from policies.residuals import Known, read_residual
from policies.rows import FALSE, TRUE
from policies.schema import RELEASE


def explain_early(book: PolicyBook, question: Question) -> Explanation:
    """Decide a question without its record afresh and say why, to the holder's officers or an auditor.

    Of a permit `applies` means that it may, for some record; of a forbid that it does, for every record. What a policy
    asks of the record is left open, so that the lines which fail are those that no record could make true.

    Returns:
        The outcome `denied`, or `no_information` where some record could have been released.
    """
    asked = named_plainly(replace(question, record=None))
    decision = decide_early(book, asked)
    if isinstance(decision, Denial) and decision.refused_by == "error":
        return Explanation("denied", decision.refused_by, decision.reason, basis=decision.basis)
    try:
        reports = tuple(_reports(book, asked, decision.basis.by if isinstance(decision, Denial) else ()))
    except (OutsideCatalogueError, CedarRefusedError, BookError):
        reports = ()
    if not isinstance(decision, Denial):
        return Explanation("no_information", policies=reports)
    holder = book.holder_slice(asked.holder.code, asked.record_type)
    return Explanation(
        "denied",
        decision.refused_by,
        decision.reason,
        groups=tuple(group_reports(holder, asked, book, decision)),
        policies=reports,
        basis=decision.basis,
    )


def _reports(book: PolicyBook, question: Question, by: Iterable[PolicyRef]) -> Iterator[PolicyReport]:
    known = book.catalogue.record_type(question.record_type)
    groups = [group.name for group in known.groups] if known is not None else []
    wanted = frozenset({RELEASE, *(name for name in groups if not question.groups or name in question.groups)})
    hearing, deciding = Hearing(book, [question]), frozenset(by)
    for slice_ in (
        book.holder_slice(question.holder.code, question.record_type),
        book.egress_slice(question.asking.code, question.record_type),
    ):
        if slice_ is not None:
            yield from _of_side(hearing, slice_, question, wanted, deciding)


def _of_side(
    hearing: Hearing, slice_: Slice, question: Question, wanted: frozenset[str], deciding: frozenset[PolicyRef]
) -> Iterator[PolicyReport]:
    covering = {name: one for name, one in slice_.policies.items() if not wanted.isdisjoint(one.actions)}
    lines = {name: list(lines_of(one)) for name, one in covering.items()}
    probes: dict[str, PolicyTree] = {name: one.tree for name, one in covering.items()}
    probes |= {f"{name} {number}": tree for name, found in lines.items() for number, tree in enumerate(found)}
    left = hearing.left_open(probes)

    def rows(name: str, policy: CompiledPolicy) -> object:
        residual = left.get(name)
        return FALSE if residual is None else read_residual(policy.ref, residual, Known.of(question)).where

    for name, policy in sorted(covering.items()):
        where = rows(name, policy)
        applies = where == TRUE if policy.effect == "forbid" else where != FALSE
        if policy.effect == "forbid" and not applies:
            continue
        failing = (part for number, part in enumerate(lines[name]) if rows(f"{name} {number}", policy) == FALSE)
        yield PolicyReport(
            ref=policy.ref,
            effect=policy.effect,
            title=policy.annotations.get("title") or policy.ref.policy_id,
            applies=applies,
            decides=policy.ref in deciding,
            failing=() if applies else tuple(map(line_of, failing)),
        )
