"""Who can see what: each field group against agencies and purposes, over the book in force, all three tiers.

The engine is asked, nothing is guessed from conditions: first with the record still unknown (no record at all could be
released: never), then with a plain record (nothing sealed, unpublished, under appeal or final; no stage of note), and
where the answer is no, with a verified case, a represented owner or all approvals added.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations
from typing import Final, Literal, get_args

from policies.book import PolicyBook
from policies.decision import Denial, Release
from policies.engine import decide, decide_early, named_approvals
from policies.question import Agency, CaseReference, Client, Fact, Question, Record, Representation
from policies.reference import PolicyRef
from policies.remembered import RememberedBook
from policies.schema import COMMON_ACTIONS, Catalogue

Need = Literal["case", "owner", "approval"]
NEEDS: Final[tuple[Need, ...]] = get_args(Need)
ASSURANCE: Final = 2
"""Level of proof of a client that signs its requests: what every exchange has."""


@dataclass(frozen=True, slots=True)
class Asked:
    """For which agency and purpose a column of the matrix stands."""

    agency: Agency
    purpose: str


@dataclass(frozen=True, slots=True)
class Cell:
    """What one agency may receive of one group for one purpose.

    `sight`: `always` a plain record is released; `sometimes` some records are, or only with what `needs` names;
    `never` no record is. `by`: the policies behind it; for `never` those that forbid it, if any do.
    """

    sight: Literal["always", "sometimes", "never"]
    needs: tuple[Need, ...] = ()
    is_record_dependent: bool = False
    by: tuple[PolicyRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Matrix:
    """Cells by group, then in the order of `columns`."""

    holder: str
    record_type: str
    columns: tuple[Asked, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def rights_matrix(
    book: PolicyBook,
    holder: Agency,
    source: str,
    record_type: str,
    columns: Sequence[Asked],
    now: datetime,
) -> Matrix:
    """Ask the book for every group of a record type of one holder.

    Args:
        book: usually the one in force.
        holder: whose records.
        source: name of the holder's source for them.
        record_type: in the catalogue's words.
        columns: whom and for which purposes to ask.
        now: the time to ask at, with a zone.

    Raises:
        LookupError: the catalogue has no such record type.
    """
    known = book.catalogue.record_type(record_type)
    if known is None:
        raise LookupError(record_type)
    groups = [group.name for group in known.groups]
    granted = book.holder_slice(holder.code, record_type).granted
    plain = plain_record(book.catalogue, holder)
    by_group: dict[str, list[Cell]] = {group: [] for group in groups}
    for column in columns:
        base = _question(column, holder, source, record_type, now)
        for group in groups:
            cell = _cell(book, replace(base, groups=frozenset({group})), plain) if group in granted else Cell("never")
            by_group[group].append(cell)
    return Matrix(
        holder.code, record_type, tuple(columns), tuple((group, tuple(cells)) for group, cells in by_group.items())
    )


def record_rights(
    book: PolicyBook,
    holder: Agency,
    source: str,
    record_type: str,
    record: Record,
    columns: Sequence[Asked],
    now: datetime,
) -> Matrix:
    """Ask the book for every group of one real record; arguments and errors as `rights_matrix`.

    Where more is needed, the case is one that stands in the record, about somebody who stands in it, and the owner is
    that of its rights: what is `never` no case, owner or approval opens.
    """
    known = book.catalogue.record_type(record_type)
    if known is None:
        raise LookupError(record_type)
    remembered = RememberedBook(book)
    names = [group.name for group in known.groups]
    granted = book.holder_slice(holder.code, record_type).granted
    by_column: list[dict[str, Cell]] = []
    for column in columns:
        base = replace(_question(column, holder, source, record_type, now), record=record)
        cells: dict[str, Cell] = {}
        for needs, asked in _with_needs(book, base):
            decision = remembered.decide(asked)
            if isinstance(decision, Release):
                sight: Literal["always", "sometimes"] = "sometimes" if needs else "always"
                for group in decision.disclosed - cells.keys():
                    cells[group] = Cell(sight, needs, by=decision.basis.by)
            if granted <= cells.keys() | set(COMMON_ACTIONS):
                break
        plainly = remembered.decide(base)
        withheld = {one.group: one.by for one in plainly.withheld}
        for name in names:
            cells.setdefault(name, Cell("never", by=withheld.get(name, plainly.basis.by)))
        by_column.append(cells)
    return Matrix(
        holder.code,
        record_type,
        tuple(columns),
        tuple((name, tuple(cells[name] for cells in by_column)) for name in names),
    )


def plain_record(catalogue: Catalogue, holder: Agency) -> Record:
    """Make up a record about which there is nothing to say: every mark off, every list empty."""
    facts: dict[str, Fact] = {}
    for fact in catalogue.facts:
        if fact.is_optional:
            continue
        facts[fact.name] = _plain_fact(catalogue, fact.kind, holder)
    facts["jurisdiction"] = min(holder.jurisdictions, default=catalogue.enums["Jurisdiction"][0])
    return Record("plain", {**facts, "status": "active", "stage": "unknown"})


def _plain_fact(catalogue: Catalogue, kind: str, holder: Agency) -> Fact:
    if kind == "Bool":
        return False
    if kind == "Agency":
        return holder.code
    if kind.startswith("Set<"):
        return frozenset()
    return catalogue.enums[kind][0] if kind in catalogue.enums else ""


def _cell(book: PolicyBook, question: Question, plain: Record) -> Cell:
    """Find the least that has to be added until some record is released."""
    decision = decide(book, replace(question, record=plain))
    if isinstance(decision, Release):
        return Cell("always", by=decision.basis.by)
    for needs, asked in _with_needs(book, question):
        released = decide(book, replace(asked, record=plain)) if needs else decision
        if isinstance(released, Release):
            return Cell("sometimes", needs, by=released.basis.by)
        early = decide_early(book, asked)
        if not isinstance(early, Denial):
            return Cell("sometimes", needs, is_record_dependent=True, by=_bearing(book, question))
    return Cell("never", by=decision.basis.by)


def _with_needs(book: PolicyBook, question: Question) -> Iterator[tuple[tuple[Need, ...], Question]]:
    approvals = named_approvals(book, question)
    for size in range(len(NEEDS) + 1):
        for needs in combinations(NEEDS, size):
            asked = question
            if "case" in needs:
                asked = replace(asked, case_reference=_case(question))
            if "owner" in needs:
                rights = _standing_in(question, "right_keys", "some right")
                asked = replace(asked, representing=Representation("somebody", rights, verified=True))
            if "approval" in needs:
                asked = replace(asked, approvals=approvals)
            yield needs, asked


def _bearing(book: PolicyBook, question: Question) -> tuple[PolicyRef, ...]:
    """Name the permits of both sides that cover the group, for whomever they are."""
    group = next(iter(question.groups))
    sides = (
        book.holder_slice(question.holder.code, question.record_type),
        book.egress_slice(question.asking.code, question.record_type),
    )
    return tuple(
        sorted(
            {
                policy.ref
                for side in sides
                if side is not None
                for policy in side.policies.values()
                if policy.effect == "permit" and group in policy.actions
            }
        )
    )


def _case(question: Question) -> CaseReference:
    jurisdiction = min(question.asking.jurisdictions, default="")
    number = min(_standing_in(question, "case_numbers", "some case"))
    defendants = _standing_in(question, "parties", "somebody")
    return CaseReference(number, jurisdiction, active=True, verified=True, defendants=defendants)


def _standing_in(question: Question, fact: str, otherwise: str) -> frozenset[str]:
    """Give what stands in the record a question is about, or some name where nothing does."""
    found = question.record.facts.get(fact) if question.record is not None else None
    return found if isinstance(found, frozenset) and found else frozenset({otherwise})


def _question(column: Asked, holder: Agency, source: str, record_type: str, now: datetime) -> Question:
    return Question(
        client=Client("matrix", frozenset(), ASSURANCE, suspended=False),
        asking=column.agency,
        supplier=None,
        holder=holder,
        source=source,
        record_type=record_type,
        record=None,
        groups=frozenset(),
        purpose=column.purpose,
        legal_basis="",
        mode="single",
        now=now,
        approvals=frozenset(),
        case_reference=None,
        representing=None,
        delegation=None,
    )
