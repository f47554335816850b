"""One exchange as an auditor reads it: when each step was, what was asked and why, what was decided and proved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.audit.models import AuditEntry
from gateway.auditor.decided import DecidedAgain, Decisions
from gateway.auditor.decision_search import Verdict, verdicts_of
from gateway.auditor.models import ExchangeRight
from gateway.auditor.receipts import payload_of
from gateway.auditor.scope import Scope
from gateway.auditor.search import instant
from gateway.db.engine import Database
from gateway.errors import GatewayError, UnknownError
from gateway.evidence.errors import ErasedError
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import LogEntry
from gateway.exchange.finished import FinishedExchanges, step_of
from gateway.exchange.models import RECEIVED, Exchange
from gateway.exchange.recall_reading import RecallReader
from gateway.exchange.recall_told import RecallTold
from gateway.exchange.releases import released_groups
from ipx.commitment import entry, receipt_commitment
from ipx.encoding import b64url_bytes
from ipx.errors import EvidenceError
from ipx.jws import Json

RELATED: Final = 20
LOOKED: Final = ("audit.opened", "audit.bundle")


@dataclass(frozen=True, slots=True)
class Related:
    """Another exchange of the same record, right or case."""

    id: str
    because: str
    """`record`, `right` or `case`."""
    received_at: datetime
    requester: str
    holder: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody who opened this exchange before."""

    at: datetime
    actor: str
    act: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Where the newest leaf of the exchange stands, proved anew from the tiles when this was read."""

    holds: bool
    index: int | None
    size: int | None
    """Of the published log in which it is proved."""
    problem: str | None
    """Why it cannot be proved, in words."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is shown of one exchange; the record itself is in its bundle only."""

    id: str
    row: Exchange = field(repr=False)
    request: Mapping[str, Json]
    """The members of the signed request; empty once it was erased."""
    receipt: Mapping[str, Json]
    released: Sequence[str] | None
    """Field groups that were handed over; None where none were, or what was asked was erased."""
    verdicts: Sequence[Verdict]
    """What officers of the holder said, the oldest first."""
    proof: Proof
    decided: DecidedAgain | None
    """None where it is not told to this reader, or cannot be."""
    related: Sequence[Related]
    recalls: Sequence[RecallTold]
    """Of the records that it released, the oldest first."""
    looks: Sequence[Look]

    def document(self) -> dict[str, Any]:
        row = self.row
        return {
            "id": self.id,
            "received_at": instant(row.received_at),
            "finished_at": None if row.finished_at is None else instant(row.finished_at),
            "client": row.client_id,
            "requester": row.requester,
            "supplier": (row.acts_as or {}).get("supplier"),
            "holder": row.holder,
            "record_type": row.record_type,
            "purpose": row.purpose,
            "outcome": row.state,
            "stage": row.stage,
            "reason": row.reason,
            "timing_ms": row.timing_ms,
            "request": dict(self.request),
            "receipt": dict(self.receipt),
            "released": None if self.released is None else list(self.released),
            "verdicts": [one.document() for one in self.verdicts],
            "erased_at": None if row.erased_at is None else instant(row.erased_at),
            "answer_expired_at": None if row.answer_expired_at is None else instant(row.answer_expired_at),
            "proof": {
                "holds": self.proof.holds,
                "index": self.proof.index,
                "size": self.proof.size,
                "problem": self.proof.problem,
            },
            "decided_again": None if self.decided is None else self.decided.document(),
            "related": [
                {
                    "id": one.id,
                    "because": one.because,
                    "received_at": instant(one.received_at),
                    "requester": one.requester,
                    "holder": one.holder,
                    "outcome": one.outcome,
                }
                for one in self.related
            ],
            "recalls": [one.document() for one in self.recalls],
            "looked_at": [{"at": instant(look.at), "actor": look.actor, "act": look.act} for look in self.looks],
        }


class ExchangeReader:
    def __init__(
        self,
        database: Database,
        log: EvidenceLog,
        finished: FinishedExchanges,
        decisions: Decisions,
        recalls: RecallReader,
    ) -> None:
        self._database = database
        self._log = log
        self._finished = finished
        self._decisions = decisions
        self._recalls = recalls

    def require_seen(self, scope: Scope, exchange_id: str) -> None:
        """Let only those pass whose scope holds the exchange.

        Raises:
            UnknownError: there is none, or it is outside the scope: the two look alike.
        """
        with self._database.read() as session:
            self._row(session, scope, exchange_id)

    def read(self, scope: Scope, exchange_id: str) -> Dossier:
        """Read one exchange, and prove its leaf anew.

        Raises:
            UnknownError: there is none, or it is outside the scope: the two look alike.
        """
        with self._database.read() as session:
            row = self._row(session, scope, exchange_id)
            related = self._related(session, scope, row)
            verdicts = verdicts_of(session, scope, [row]).get(row.id, ())
            looks = [
                Look(entry.at, entry.actor, entry.act)
                for entry in session.scalars(
                    select(AuditEntry)
                    .where(AuditEntry.subject == exchange_id, AuditEntry.act.in_(LOOKED))
                    .order_by(AuditEntry.at.desc())
                    .limit(RELATED)
                )
            ]
        request: Mapping[str, Json] = {}
        documents = None
        try:
            if row.state != RECEIVED:
                documents = self._finished.documents(exchange_id)
                request = payload_of(documents.request)
        except ErasedError:
            pass  # what was asked is gone; that it was, and how it ended, stays
        receipt = payload_of(row.receipt) if row.receipt else {}
        return Dossier(
            id=exchange_id,
            row=row,
            request=request,
            receipt=receipt,
            released=released_groups(row.record_type, request, receipt)
            if row.state == "released" and request
            else None,
            verdicts=verdicts,
            proof=self._proof(row),
            decided=self._decisions.again(scope, row, request, receipt),
            related=related,
            recalls=self._recalls.of_exchange(exchange_id, scope.agency),
            looks=looks,
        )

    def _row(self, session: Session, scope: Scope, exchange_id: str) -> Exchange:
        row = session.scalar(select(Exchange).where(Exchange.id == exchange_id, scope.exchanges()))
        if row is None:
            raise UnknownError(f"no exchange {exchange_id}")
        return row

    def _proof(self, row: Exchange) -> Proof:
        if row.receipt is None:
            return Proof(holds=False, index=None, size=None, problem="It is not over, so there is no receipt yet.")
        try:
            logged = self._log.logged(step_of(row.id, row.state))
        except GatewayError as error:
            return Proof(holds=False, index=row.log_index, size=None, problem=str(error))
        problem = None
        if row.salt is None:
            problem = "It was erased: nothing ties its receipt to the leaf any more. That the leaf stands was proved."
        elif not self._opens(row):
            problem = "The leaf commits to another receipt than the one that is kept."
        return Proof(holds=problem is None, index=logged.index, size=logged.size, problem=problem)

    def _opens(self, row: Exchange) -> bool:
        """Whether the leaf commits to the receipt that is kept."""
        receipt = row.receipt or ""
        try:
            told = payload_of(receipt)
            req_hash, rec_hash = (b64url_bytes(str(told[name])) for name in ("req_hash", "rec_hash"))
            committed = receipt_commitment(row.salt or b"", req_hash, rec_hash, receipt)
            expected = entry(committed, row.state, int(str(told["iat"])))  # type: ignore[arg-type]  # an outcome
        except (EvidenceError, KeyError, ValueError):
            return False
        with self._database.read() as session:
            kept = session.scalar(select(LogEntry.entry).where(LogEntry.step_id == step_of(row.id, row.state)))
        return kept == expected

    def _related(self, session: Session, scope: Scope, row: Exchange) -> list[Related]:
        """Find the newest other exchanges of the same record, right or case that the auditor may see."""
        mine = select(ExchangeRight.right_hash).where(ExchangeRight.exchange_id == row.id)
        same_right = select(ExchangeRight.exchange_id).where(ExchangeRight.right_hash.in_(mine))
        reasons = [("record", Exchange.record_sha256 == row.record_sha256), ("right", Exchange.id.in_(same_right))]
        if row.case_hash is not None:
            reasons.append(("case", Exchange.case_hash == row.case_hash))
        found: dict[str, Related] = {}
        for because, same in reasons:
            query = select(Exchange).where(same, Exchange.id != row.id, scope.exchanges())
            for other in session.scalars(query.order_by(Exchange.received_at.desc()).limit(RELATED)):
                found.setdefault(
                    other.id,
                    Related(other.id, because, other.received_at, other.requester, other.holder, other.state),
                )
        return sorted(found.values(), key=lambda one: one.received_at, reverse=True)[:RELATED]
