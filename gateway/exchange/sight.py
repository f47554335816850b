"""Who can see what, and why, of real records: past exchanges explained, and one record asked about for everybody.

Nothing leaves by this, and no exchange is filed. Lines of an explanation may repeat facts of the record: readers are
officers of its holder or of the gateway authority, and every look is an entry of the audit trail.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import select

from connectors.deadline import Deadline
from connectors.protocol import Absent
from gateway.agencies.models import Agency as AgencyRow
from gateway.agencies.models import Source
from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError, UnknownError
from gateway.evidence.errors import ErasedError
from gateway.exchange.holders import Holders, SourceRef, Unavailable
from gateway.exchange.past import PastQuestions
from gateway.exchange.questions import Questions, Registered
from gateway.exchange.sealing import RecordSeals, SealedRecord
from gateway.governance.books import PolicyBooks
from gateway.records.record_ids import RecordId, RecordIdError, parse_record_id
from ipx import jws
from ipx.encoding import b64url_bytes
from policies.engine import Agency, Client, Explanation, PolicyBook, Question, Release, decide, explain
from policies.explain_early import explain_early
from policies.matrix import ASSURANCE, Asked, Matrix, record_rights
from policies.obligations import Obligations
from policies.schema import Catalogue
from policies.snapshots import SnapshotError, read_snapshots

HOLDER_SECONDS: Final = 10.0
NATIONAL: Final = None
"""For whom it is looked: an agency's code, or the gateway authority."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One question with what it gets by the policies in force. `record` is the record's digest, None: not known."""

    record: str | None
    purpose: str
    explanation: Explanation
    obligations: Obligations | None


@dataclass(frozen=True, slots=True)
class ExplainedExchange:
    """A past exchange by the policies in force; `is_same_book`: they are those that decided it then.

    A query has one question for its choice of rows, then one for each record that was read.
    """

    exchange: str
    book_then: str | None
    book: str
    questions: tuple[Explained, ...]

    @property
    def is_same_book(self) -> bool:
        return self.book_then == self.book


class Sight:
    def __init__(
        self,
        database: Database,
        past: PastQuestions,
        questions: Questions,
        registered: Registered,
        holders: Holders,
        seals: RecordSeals,
        books: PolicyBooks,
        audit: AuditTrail,
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self._database = database
        self._past = past
        self._questions = questions
        self._registered = registered
        self._holders = holders
        self._seals = seals
        self._books = books
        self._audit = audit
        self._catalogue = catalogue
        self._clock = clock

    def exchange(self, actor: str, exchange_id: str, *, reader: str | None = NATIONAL) -> ExplainedExchange:
        """Explain what a past exchange would get now, from what was kept of its question.

        Args:
            actor: who looks.
            exchange_id: one that is over.
            reader: the agency whose officer looks, the holder of what was asked for; None: the gateway authority.

        Raises:
            UnknownError: there is none of this name for this reader.
            ErasedError: its question was erased, or was never put to the policies, or cannot be read any more.
        """
        kept = self._past.of(exchange_id)
        if reader not in (NATIONAL, kept.holder):
            raise UnknownError(f"no exchange {exchange_id} that is over")
        if kept.data is None:
            raise ErasedError(f"nothing is kept of what exchange {exchange_id} asked", receipt=kept.receipt)
        try:
            asked = read_snapshots(kept.exchange, kept.data, self._catalogue, kept.record_type, kept.holder)
        except SnapshotError as error:
            raise ErasedError(str(error), receipt=kept.receipt) from error
        book = self._books.newest().book
        self._note(actor, f"exchange:{exchange_id}", {"record_type": kept.record_type, "holder": kept.holder})
        return ExplainedExchange(
            exchange_id, _book_of(kept.receipt), book.digest, tuple(_explained(book, one.question) for one in asked)
        )

    def question(
        self,
        actor: str,
        record: str,
        agency: str,
        purpose: str,
        *,
        approvals: Iterable[str] = (),
        reader: str | None = NATIONAL,
    ) -> Explained:
        """Explain what an agency would get of a real record, and what would change it.

        Args:
            actor: who looks.
            record: the record's name.
            agency: who would ask.
            purpose: for what.
            approvals: taken for granted.
            reader: as `exchange`.

        Raises:
            InvalidInputError: the name is none, there is no such agency, purpose or approval.
            UnknownError: the holder has no such record, or it is none of this reader's business.
        """
        registered = self._registered()
        granted = frozenset(approvals)
        self._require_known(registered, agency, purpose, granted)
        name, source, sealed = self._record(record, reader)
        asked = _question(registered[agency], registered[name.agency], source, purpose, self._questions, granted)
        whole = self._questions.about(asked, sealed, Deadline.within(HOLDER_SECONDS))
        if isinstance(whole, Unavailable):
            whole = replace(asked, record=sealed.known)
        self._note(actor, record, {"agency": agency, "purpose": purpose})
        return _explained(self._books.newest().book, whole)

    def record(self, actor: str, record: str, *, agencies: Sequence[str] = (), reader: str | None = NATIONAL) -> Matrix:
        """Say which agency may receive which group of one real record, for each purpose it is registered for.

        Args:
            actor: who looks.
            record: the record's name.
            agencies: these only; none: all that are registered.
            reader: as `exchange`.

        Raises:
            InvalidInputError, UnknownError: as `question`.
        """
        registered, purposes = self._registered(), self._registered.purposes()
        for code in agencies:
            self._require_known(registered, code, None, frozenset())
        name, source, sealed = self._record(record, reader)
        columns = [
            Asked(registered[code], purpose) for code in agencies or sorted(registered) for purpose in purposes[code]
        ]
        self._note(actor, record, {"agencies": sorted(agencies)})
        return record_rights(
            self._books.newest().book,
            registered[name.agency],
            source.name,
            name.record_type,
            sealed.known,
            columns,
            self._questions.moment(),
        )

    def _record(self, record: str, reader: str | None) -> tuple[RecordId, SourceRef, SealedRecord]:
        try:
            name = parse_record_id(record)
        except RecordIdError as error:
            raise InvalidInputError([Fault("/record", "record_id", str(error))]) from error
        source = self._source(name) if reader in (NATIONAL, name.agency) else None
        if source is None:
            raise UnknownError(f"no record {record}")
        held = self._holders.fetch(name, source, Deadline.within(HOLDER_SECONDS))
        sealed = held if isinstance(held, Absent | Unavailable) else self._seals.seal(held)
        if isinstance(sealed, Absent):
            raise UnknownError(f"no record {record}")
        if isinstance(sealed, Unavailable):
            raise UnknownError(f"record {record} cannot be had now: {sealed.reason}")
        return name, source, sealed

    def _source(self, name: RecordId) -> SourceRef | None:
        wanted = (
            select(Source, AgencyRow)
            .join(AgencyRow, AgencyRow.code == Source.holder)
            .where(Source.holder == name.agency, Source.record_type == name.record_type)
        )
        with self._database.read() as session:
            row = session.execute(wanted).one_or_none()
        if row is None:
            return None
        source, agency = row
        return SourceRef(source.name, source.sha256, source.holder, source.record_type, agency.jurisdictions[0])

    def _require_known(
        self, registered: Mapping[str, Agency], agency: str, purpose: str | None, approvals: frozenset[str]
    ) -> None:
        faults = []
        if agency not in registered:
            faults.append(Fault("/agency", "unknown_agency", f"no agency {agency} is registered here"))
        if purpose is not None and purpose not in self._catalogue.enums["Purpose"]:
            faults.append(Fault("/purpose", "unknown_purpose", ", ".join(self._catalogue.enums["Purpose"])))
        if not approvals <= set(self._catalogue.enums["Approval"]):
            faults.append(Fault("/approvals", "unknown_approval", ", ".join(self._catalogue.enums["Approval"])))
        if faults:
            raise InvalidInputError(faults)

    def _note(self, actor: str, subject: str, detail: Mapping[str, Any]) -> None:
        with self._database.write() as session:
            self._audit.record(session, actor, "policy.explained", subject, detail, leaf=False)


def _question(
    asking: Agency,
    holder: Agency,
    source: SourceRef,
    purpose: str,
    questions: Questions,
    approvals: frozenset[str],
) -> Question:
    return Question(
        client=Client("sight", frozenset(), ASSURANCE, suspended=False),
        asking=asking,
        supplier=None,
        holder=holder,
        source=source.name,
        record_type=source.record_type,
        record=None,
        groups=frozenset(),
        purpose=purpose,
        legal_basis="",
        mode="single",
        now=questions.moment(),
        approvals=approvals,
        case_reference=None,
        representing=None,
        delegation=None,
        overdue_acknowledgements=questions.overdue.of(asking.code),
    )


def _explained(book: PolicyBook, question: Question) -> Explained:
    if question.record is None:
        return Explained(None, question.purpose, explain_early(book, question), None)
    decision = decide(book, question)
    return Explained(
        question.record.digest,
        question.purpose,
        explain(book, question, "auditor"),
        decision.obligations if isinstance(decision, Release) else None,
    )


def _book_of(receipt: str | None) -> str | None:
    if receipt is None:
        return None
    payload = jws.parse_object(b64url_bytes(receipt.split(".")[1]))
    return str(payload["book"]) if payload.get("book") else None
