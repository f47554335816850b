"""Several records for one request: chosen by the requester's selectors, each decided and redacted on its own.

No probing: a record counts as found only if it discloses every field that it was chosen by. What releases nothing is
counted where the request chose by no field, the record passes the policies' row filter and they let the requester know
that it exists; else it looks like a record that is not there, and an answer without any like one whose records are too
few to be shown.
"""

import hashlib
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection, insert

from connectors import row_filter as source_filter
from gateway.exchange.holders import HeldRecord, HeldRecords, Holders, Unavailable
from gateway.exchange.journal import Filed
from gateway.exchange.models import ExchangeRecord
from gateway.exchange.outcomes import (
    NO_INFORMATION,
    Denied,
    Failed,
    Outcome,
    Refused,
    Released,
    ReleasedRecord,
    ReleasedRecords,
    Withheld,
)
from gateway.exchange.questions import Parties, Questions
from gateway.exchange.redaction import denied, release
from gateway.exchange.requests import SignedRequest
from gateway.exchange.sealing import RecordSeals, SealedRecord
from gateway.exchange.steps import Step, Stopwatch
from gateway.governance.books import Consulted
from gateway.governance.shadows import Shadows
from gateway.records.fact_filter import for_source
from gateway.records.record_ids import parse_record_id
from ipx.query import Query
from policies.engine import Denial, Question, Release
from policies.obligations import Obligations, merge
from policies.remembered import RememberedBook
from policies.rows import RowFilter, matches, to_document

NOT_FILTERABLE: Final = "not_filterable"
"""A policy's condition cannot be asked of a source, and without it every record would have to be read."""
NOTHING_DISCLOSED: Final = "nothing_disclosed"
DECIDED_AT_ONCE: Final = 32
ANSWER_BYTES: Final = 512 * 1024
"""Records of one answer, together; a page ends before it is larger."""


@dataclass
class _Page:
    """What has been decided so far."""

    records: list[ReleasedRecord] = field(default_factory=list)
    seals: set[str] = field(default_factory=set)
    obligations: list[Obligations] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    """Up to here."""
    refused_within: Counter[str] = field(default_factory=Counter)
    """Up to the last record of the page, so that the next page counts the others."""
    decided: list[tuple[Question, Release | Denial]] = field(default_factory=list)
    found: int = 0
    """Records that would be released, those of other pages too."""
    size: int = 0
    is_full: bool = False
    is_counting: bool = False
    """What comes now is of the pages before: counted, and not shown again."""

    @property
    def min_count(self) -> int:
        return merge(self.obligations).min_count or 1

    @property
    def is_settled(self) -> bool:
        """Nothing that follows could change the answer."""
        return self.is_full and self.found >= self.min_count


class Queries:
    def __init__(self, questions: Questions, holders: Holders, seals: RecordSeals, shadows: Shadows) -> None:
        self._questions = questions
        self._holders = holders
        self._seals = seals
        self._shadows = shadows

    def outcome(  # noqa: PLR0911  (every way it can end is a return)
        self, request: SignedRequest, query: Query, parties: Parties, books: Consulted, watch: Stopwatch
    ) -> Outcome:
        """Search the holder's source and decide every record that it gives."""
        question = self._questions.ask(request, parties, watch.deadline)
        if isinstance(question, Unavailable):
            return Failed(question.stage, question.reason)
        early = books.current().remembered.decide_early(question)
        watch.reached(Step.DECIDE_EARLY)
        if isinstance(early, Denial):
            self._shadows.beside(question, early)
            return denied(early, self._questions.snapshot(question))
        if early.is_blank:
            return _not_filterable(early, question, self._questions.snapshot(question))
        if not parties.is_open:
            return Failed("holder", "suspended", self._questions.snapshot(question))
        held = self._holders.search(parties.source, _wanted(early, query, parties), watch.deadline)
        watch.reached(Step.FETCH)
        if isinstance(held, Unavailable):
            return Failed(held.stage, held.reason, self._questions.snapshot(question))
        page, current = _Page(), books.current()
        before, rows = self._parted(held, query)
        failed = self._decide(current.remembered, early, question, query, rows, page, watch)
        if failed is None and page.records and page.found < page.min_count:
            page.is_counting = True
            failed = self._decide(current.remembered, early, question, query, before, page, watch)
        watch.reached(Step.DECIDE)
        self._shadows.beside_query(question, early, page.decided)
        snapshot = self._snapshot(question, [asked for asked, _ in page.decided])
        if failed is not None:
            return Failed(failed.stage, failed.reason, snapshot)
        return _outcome(page, held.unreadable, snapshot)

    def listing(self, filed: Filed, outcome: Outcome) -> Callable[[Connection], None] | None:
        """Give what lists the records of an answer, in the transaction that ends the exchange."""
        if not isinstance(outcome, ReleasedRecords):
            return None
        rows = [
            {"exchange_id": filed.exchange_id, "record_sha256": hashlib.sha256(record.name.encode()).digest()}
            for record in outcome.records
        ]

        def write(connection: Connection) -> None:
            connection.execute(insert(ExchangeRecord), rows)

        return write

    def _parted(self, held: HeldRecords, query: Query) -> tuple[list[HeldRecord], list[HeldRecord]]:
        """Put records in the order of their keys, those of the pages before apart from the others."""
        ordered = sorted(held.records)
        last = "" if query.after is None else self._holders.key_of(parse_record_id(query.after))
        # A name that this holder never made is behind everything.
        place = len(ordered) if last is None else bisect_right(ordered, last)
        return [held.records[key] for key in ordered[:place]], [held.records[key] for key in ordered[place:]]

    def _decide(
        self,
        book: RememberedBook,
        rows_allowed: RowFilter,
        question: Question,
        query: Query,
        rows: Sequence[HeldRecord],
        page: _Page,
        watch: Stopwatch,
    ) -> Unavailable | None:
        for start in range(0, len(rows), DECIDED_AT_ONCE):
            if watch.deadline.is_past:
                return Unavailable("holder", "timeout")
            chosen = self._chosen(question, query, rows[start : start + DECIDED_AT_ONCE], watch)
            if isinstance(chosen, Unavailable):
                return chosen
            decisions = book.decide_many([whole for _, whole in chosen])
            for (sealed, whole), decision in zip(chosen, decisions, strict=True):
                if isinstance(decision, Release):
                    _take(page, query, sealed, decision)
                elif decision.may_acknowledge and matches(rows_allowed, sealed.facts):
                    page.refused[decision.reason] += not query.where
                page.decided.append((whole, decision))
                if page.is_settled:
                    return None
        return None

    def _chosen(
        self, question: Question, query: Query, rows: Sequence[HeldRecord], watch: Stopwatch
    ) -> list[tuple[SealedRecord, Question]] | Unavailable:
        """Seal the records that the requester chose, and complete the question with each."""
        chosen: list[tuple[SealedRecord, Question]] = []
        for held in rows:
            if held.found.signature is None and not query.admits(held.mapped.fields):
                continue  # nothing is sealed that nobody asked for
            sealed = self._seals.seal(held)
            if isinstance(sealed, Unavailable):
                return sealed
            if not query.admits(sealed.record.fields):
                continue
            whole = self._questions.about(question, sealed, watch.deadline)
            if isinstance(whole, Unavailable):
                return whole
            chosen.append((sealed, whole))
        return chosen

    def _snapshot(self, question: Question, asked: Sequence[Question]) -> bytes:
        """Write down what was asked of each record; the question without a record stands in front."""
        whole: dict[str, Any] = json.loads(self._questions.snapshot(question))
        rows = [json.loads(self._questions.snapshot(one)) for one in asked]
        whole["rows"] = [{"entities": row["entities"], "context": row["context"]} for row in rows]
        return json.dumps(whole).encode()


def _wanted(rows: RowFilter, query: Query, parties: Parties) -> source_filter.RowFilter:
    """Ask the source for what the policies may release and the requester chose, as far as it can tell."""
    constants = {"jurisdiction": parties.source.jurisdiction, "holder": parties.holder.code}
    allowed = for_source(to_document(rows), parties.source.record_type, constants)
    chosen = [_selected(selector.field, selector.op, selector.values) for selector in query.where]
    return source_filter.from_document({"op": "and", "parts": [allowed, *chosen]})


def _selected(name: str, op: str, values: Sequence[Any]) -> dict[str, Any]:
    if op == "in":
        return {"op": "in", "field": name, "values": list(values)}
    return {"op": op, "field": name, "value": values[0]}


def _take(page: _Page, query: Query, sealed: SealedRecord, decision: Release) -> None:
    """Put one record into the page, behind it, or among those that release nothing after all."""
    fields = sealed.record.record_type.fields
    if not {fields[name] for name in query.fields} <= decision.disclosed:
        return  # it would be found by what it does not disclose
    obligations = decision.obligations
    released = release(sealed, replace(decision, obligations=replace(obligations, min_count=None)), b"")
    if not isinstance(released, Released):
        page.refused[released.reason] += not query.where
        return
    page.found += 1
    page.obligations.append(obligations)
    if page.is_counting or page.is_full:
        return
    page.size += len(released.presentation)
    page.is_full = bool(page.records) and (len(page.records) == query.limit or page.size > ANSWER_BYTES)
    if not page.is_full:
        name = str(sealed.record.envelope.record_id)
        page.records.append(ReleasedRecord(name, released.presentation, released.withheld))
        page.seals.add(released.sealed_by)
        page.refused_within = page.refused.copy()


def _outcome(page: _Page, unreadable: int, snapshot: bytes) -> Outcome:
    refused = tuple(
        Refused(reason, count)
        for reason, count in sorted((page.refused_within if page.is_full else page.refused).items())
        if count
    )
    if page.found < page.min_count or not page.records:
        # As many as none: whether there are some, too few to be shown, is not told.
        return Denied(NOTHING_DISCLOSED if refused else NO_INFORMATION, snapshot=snapshot)
    if len(page.seals) > 1:
        return Failed("verify", "mixed_seals", snapshot)
    return ReleasedRecords(
        records=tuple(page.records),
        sealed_by="holder" if page.seals == {"holder"} else "gateway",
        obligations=merge(page.obligations).document(),
        next=page.records[-1].name if page.is_full else None,
        refused=refused,
        unreadable=unreadable,
        snapshot=snapshot,
    )


def _not_filterable(rows: RowFilter, question: Question, snapshot: bytes) -> Denied:
    """Refuse to read a whole source; names the policies that would make it necessary."""
    groups = sorted(question.groups) or ["*"]
    blamed: Iterator[Withheld] = (Withheld(group, NOT_FILTERABLE, str(ref)) for ref in rows.blamed for group in groups)
    return Denied(NOT_FILTERABLE, tuple(blamed), snapshot)
