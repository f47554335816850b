"""Questions that a book cannot tell apart: equal in all that the policies which bear on them read.

A slice's policies name every member of the record and of the context that they look at. Two questions of the same
parties that are equal there get the same answer, whatever else differs: the record's digest, its other facts, the time.
Every fact is checked to be what the schema asks for, because a malformed one denies even where nobody reads it; a
question that is malformed is like no other.
"""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from policies.book import PolicyBook
from policies.question import CaseReference, Fact, Question, Record, Representation
from policies.schema import Attribute, Catalogue
from policies.sets import BookError

_RECORD: Final = "resource"
_CONTEXT: Final = "context"

PLACES_MAX: Final = 16
"""For how many books and sets of read facts one record keeps what is read of it."""

_NOT_YET: Final = object()


def likeness(book: PolicyBook, question: Question) -> Hashable | None:
    """Give what a question is equal in to all that this book answers alike; None where it is like no other."""
    if not book.knows(question.record_type):
        return None
    try:
        reads = book.reads(question.holder.code, question.asking.code, question.record_type)
    except BookError:
        return None
    about = () if question.record is None else _about(book, question, question.record, reads)
    context = _context(book.catalogue, question, reads)
    if about is None or context is None:
        return None
    return (
        question.record_type,
        question.client,
        question.asking,
        question.supplier,
        question.holder,
        question.source,
        question.groups,
        question.purpose,
        question.legal_basis,
        question.mode,
        question.approvals,
        question.delegation,
        context,
        about,
    )


def without_record(question: Question) -> Question:
    """Give the question as it stands before the holder is called."""
    return question if question.record is None else replace(question, record=None)


def _context(catalogue: Catalogue, question: Question, reads: frozenset[str]) -> Hashable | None:
    """Give the read members of the context; those that are always compared aside."""
    reads_all = _CONTEXT in reads
    overdue = question.overdue_acknowledgements
    if question.now.tzinfo is None or type(overdue) is not int or overdue < 0:
        return None
    case, owner = question.case_reference, question.representing
    if (case is not None and not _is_case(catalogue, case)) or (owner is not None and not _is_owner(owner)):
        return None
    return (
        question.now if reads_all or "context.now" in reads else None,
        case if reads_all or "context.case_reference" in reads else None,
        owner if reads_all or "context.representing" in reads else None,
        overdue if reads_all or "context.overdue_acknowledgements" in reads else None,
    )


def _about(book: PolicyBook, question: Question, record: Record, reads: frozenset[str]) -> Hashable | None:
    """Give the read facts of the record; found once for those that read alike."""
    place = (book.digest, question.holder.code, reads)
    found: Hashable | None = record.beside.get(place, _NOT_YET)
    if found is _NOT_YET:
        found = _about_record(book.catalogue, question.holder.code, record, reads)
        if len(record.beside) >= PLACES_MAX:
            record.beside.clear()
        record.beside[place] = found
    return found


def _about_record(catalogue: Catalogue, holder: str, record: Record, reads: frozenset[str]) -> Hashable | None:
    facts = record.facts
    if not _is_text(record.digest) or not record.digest or facts.get("holder") != holder:
        return None
    reads_all = _RECORD in reads
    known = 0
    read: list[Fact | None] = []
    for attribute in catalogue.facts:
        value = facts.get(attribute.name)
        if attribute.name in facts:
            known += 1
            if not _is_fact(attribute, catalogue.enums, value):
                return None
        elif not attribute.is_optional:
            return None
        if reads_all or f"resource.{attribute.name}" in reads:
            read.append(value)
    if known != len(facts):
        return None  # a fact outside the catalogue
    sealed = tuple(sorted(record.sealed_groups.items())) if record.sealed_groups else ()
    return record.digest if reads_all else None, tuple(read), sealed


def _is_fact(attribute: Attribute, enums: Mapping[str, tuple[str, ...]], value: Any) -> bool:
    kind = attribute.kind
    if kind == "Bool":
        return isinstance(value, bool)
    if kind == "datetime":
        return isinstance(value, datetime) and value.tzinfo is not None
    if kind.startswith("Set<"):
        kind = kind[4:-1]
        return isinstance(value, frozenset) and all(_is_word(kind, enums, one) for one in value)
    return _is_word(kind, enums, value)


def _is_word(kind: str, enums: Mapping[str, tuple[str, ...]], value: Any) -> bool:
    known = enums.get(kind)
    return _is_text(value) and (known is None or value in known)


def _is_text(value: Any) -> bool:
    """Tell whether it is text that can be written as UTF-8."""
    if not isinstance(value, str):
        return False
    return value.isascii() or not any("\ud800" <= one <= "\udfff" for one in value)


def _is_case(catalogue: Catalogue, case: CaseReference) -> bool:
    return (
        _is_text(case.number)
        and case.jurisdiction in catalogue.enums["Jurisdiction"]
        and all(isinstance(flag, bool) for flag in (case.active, case.verified))
        and all(map(_is_text, case.defendants))
    )


def _is_owner(owner: Representation) -> bool:
    return _is_text(owner.party) and all(map(_is_text, owner.right_keys)) and isinstance(owner.verified, bool)
