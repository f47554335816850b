"""The exchange table as a journal: opened before the holder is called, closed in the transaction of the log entry."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy import Connection

from gateway import meters
from gateway.clock import Clock
from gateway.db.company import Crowd
from gateway.db.engine import Database
from gateway.db.group_commit import GroupCommit
from gateway.evidence.class_keys import ClassKey, ClassKeys
from gateway.evidence.errors import DuplicateStepError
from gateway.evidence.leaf import Leaf
from gateway.evidence.log import EvidenceLog
from gateway.evidence.payloads import PayloadCipher, Payloads
from gateway.evidence.receipts import Ending, Receipts
from gateway.evidence.state import EvidenceState
from gateway.exchange.cases import CaseHashes
from gateway.exchange.endings import stated
from gateway.exchange.errors import InFlightError, JtiReusedError, LostRaceError, RecalledMeanwhileError
from gateway.exchange.filing import ClassKeyGoneError, Filing, find
from gateway.exchange.finished import Finished, FinishedExchanges, FirstStep, step_of
from gateway.exchange.finishing import Finish
from gateway.exchange.models import PENDING, RECEIVED, Exchange, ExchangePayload
from gateway.exchange.outcomes import RECALLED, Denied, Outcome, Pending, ReleasedRecords, name_of
from gateway.exchange.questions import Parties
from gateway.exchange.requests import Requests, SignedRequest
from gateway.exchange.steps import Stopwatch
from gateway.exchange.stored_answer import DISCLOSURES, answer_of, objects_of
from gateway.governance.books import BookInForce, PolicyBooks
from gateway.oauth.errors import AccessRefusedError, Reason
from gateway.oauth.guard import Caller
from gateway.oauth.replay import ReplayedError, ReplayStore, SeenKey
from ipx.ids import uuid7
from ipx.values import value


@value
class Filed:
    """An exchange that is open: filed, and without an outcome yet."""

    exchange_id: str
    request: str
    holder: str
    requester: str
    cipher: PayloadCipher
    first: FirstStep | None = None
    """The step by which it became pending, where it did."""


class Journal:
    def __init__(
        self,
        database: Database,
        log: EvidenceLog,
        receipts: Receipts,
        payloads: Payloads,
        class_keys: ClassKeys,
        finished: FinishedExchanges,
        cases: CaseHashes,
        books: PolicyBooks,
        requests: Requests,
        replay: ReplayStore,
        clock: Clock,
        state: EvidenceState,
        crowd: Crowd,
        *,
        node: str,
        exchange_seconds: float,
    ) -> None:
        self._database = database
        self._group = GroupCommit(database, crowd)
        self._log = log
        self._receipts = receipts
        self._payloads = payloads
        self._class_keys = class_keys
        self._finished = finished
        self._cases = cases
        self._books = books
        self._requests = requests
        self._replay = replay
        self._clock = clock
        self._state = state
        self._node = node
        self._lasts = timedelta(seconds=exchange_seconds)

    def is_known(self, request: SignedRequest) -> bool:
        """Whether these very bytes were filed before: they get the answer that they got."""
        with self._database.read_connection() as connection:
            known = find(connection, request.client_id, request.jti)
        return known is not None and known.request_sha256 == request.sha256

    def open(self, request: SignedRequest, parties: Parties, caller: Caller) -> Filed | Finished:
        """File a request: one committed row before anybody is asked, and the proof of possession used up with it.

        Returns:
            `Finished` where the same bytes were answered before; freshness is judged only the first time.

        Raises:
            StaleRequestError, JtiReusedError, InFlightError, AccessRefusedError: nothing was filed.
            LogUnavailableError, StoreUnavailableError: an outcome could not be logged, so nobody is asked.
            SignerUnavailableError: an outcome could not be signed.
            EvidenceOverdueError: an outcome would not be provable: time-stamps are missing for too long.
        """
        self._log.ready()
        self._receipts.ready()
        try:
            proofs = self._replay.use_up_ahead(caller.consume, self._clock())
        except ReplayedError as error:
            raise AccessRefusedError(Reason.PROOF_REPLAY) from error
        while True:
            key = self._class_keys.current(request.holder, request.record_type)
            try:
                found = self._file(request, parties, caller.agency, proofs, key)
            except ClassKeyGoneError:
                continue
            return self._finished.read(found, is_replayed=True) if isinstance(found, str) else found

    def _file(
        self, request: SignedRequest, parties: Parties, requester: str, proofs: Sequence[SeenKey], key: ClassKey
    ) -> Filed | str:
        """Commit the row; gives the id of the exchange instead where these bytes were answered before."""
        exchange_id = uuid7()
        cipher = self._payloads.new(exchange_id, key)
        sealed_request = bytes(cipher.encrypt("request", request.raw.encode("ascii")))
        now = self._clock()

        def require_fresh() -> None:
            self._requests.require_fresh(request)
            self._state.require_current()

        row = {
            "id": exchange_id,
            "client_id": request.client_id,
            "requester": requester,
            "holder": request.holder,
            "jti": request.jti,
            "request_sha256": request.sha256,
            "record_type": request.record_type,
            "record_sha256": request.record_sha256,
            "purpose": request.purpose,
            "received_at": now,
            "deadline_at": now + self._lasts,
            "node": self._node,
            "state": RECEIVED,
            "wrapped_key": cipher.wrapped_key,
            "class_key": cipher.class_key,
            "case_hash": self._cases.of(request.case_ref) if request.case_ref else None,
            "acts_as": {"supplier": parties.supplier.code} if parties.supplier else None,
        }
        known = self._group.run(Filing(self._class_keys, proofs, require_fresh, key, row, sealed_request))
        if known is None:
            return Filed(exchange_id, request.raw, request.holder, requester, cipher)
        if known.request_sha256 != request.sha256:
            raise JtiReusedError(f"jti {request.jti} was used for another request")
        if known.state == RECEIVED:
            raise InFlightError(known.id)
        return str(known.id)

    def close(
        self,
        filed: Filed,
        outcome: Outcome,
        watch: Stopwatch | None,
        also: Callable[[Connection], None] | None = None,
        *,
        by: BookInForce | None = None,
    ) -> Finished:
        """Sign the receipt, append its entry, and write the outcome to the row in the same transaction.

        Where the exchange was closed meanwhile (its time was up), that outcome stands and is returned. Where the record
        was called back since the exchange was filed, a release becomes a denial.

        Args:
            filed: an open exchange.
            outcome: how it ends, or that it is pending from now on.
            watch: times its steps.
            also: writes what belongs to the outcome beside the row, in the same transaction; statements only.
            by: the book that decided, which the receipt names; the one in force now where none was asked.

        Raises:
            LogUnavailableError: the outcome is not in the log; nothing may be released.
        """
        ending = self._ending(filed, outcome, watch, by or self._books.current())
        first = filed.first
        receipt = self._receipts.make(ending, prior=first.receipt if first else None)
        answer = answer_of(outcome)
        objects = objects_of(outcome, answer)
        stored = [
            {
                "exchange_id": filed.exchange_id,
                "name": name,
                # Taken out: what is encrypted need not be kept beside it.
                "ciphertext": filed.cipher.encrypt(name, objects.pop(name)),
            }
            for name in [name for name, data in objects.items() if data or name == DISCLOSURES]
        ]
        finish = Finish(
            exchange_id=filed.exchange_id,
            step=step_of(filed.exchange_id, ending.outcome),
            clock=self._clock,
            watch=watch,
            row={
                "new_state": ending.outcome,
                "new_stage": ending.stage,
                "new_reason": ending.reason,
                "new_receipt": receipt.token,
                "new_salt": receipt.salt,
                "new_pending_receipt": first.receipt if first else None,
                "new_pending_salt": first.salt if first else None,
                "old_state": PENDING if first else RECEIVED,
            },
            payloads=stored,
            also=also,
        )
        try:
            logged = self._log.append(Leaf(finish.step, receipt.entry, finish))
        except RecalledMeanwhileError:
            listed = also if not isinstance(outcome, ReleasedRecords) else None  # it lists what was not released
            return self.close(filed, Denied(RECALLED), watch, listed, by=by)
        except (DuplicateStepError, LostRaceError):
            return self._finished.read(filed.exchange_id)
        meters.exchanged(ending.outcome, filed.requester, filed.holder)
        return Finished(
            exchange_id=filed.exchange_id,
            outcome=ending.outcome,
            stage=ending.stage,
            reason=ending.reason,
            request=filed.request,
            answer=answer,
            receipt=receipt.token,
            timing_ms=finish.timing,
            salt=receipt.salt,
            entry=receipt.entry,
            logged=logged,
            is_replayed=False,
            first=first,
            pending=outcome if isinstance(outcome, Pending) else None,
        )

    def reopen(self, exchange_id: str) -> Filed:
        """Take an exchange up again that a crash left open, or that is pending."""
        with self._database.read() as session:
            row = session.get_one(Exchange, exchange_id)
            payload = session.get_one(ExchangePayload, (exchange_id, "request"))
        cipher = self._payloads.of(exchange_id, row.wrapped_key or b"", row.class_key)
        request = cipher.decrypt("request", payload.ciphertext).decode("ascii")
        first = self._finished.first_step(exchange_id) if row.state == PENDING else None
        return Filed(exchange_id, request, row.holder, row.requester, cipher, first)

    def _ending(self, filed: Filed, outcome: Outcome, watch: Stopwatch | None, by: BookInForce) -> Ending:
        """Say how an exchange ended; a silent refusal says the same whether there is a record or not."""
        common = Ending(
            exchange_id=filed.exchange_id,
            request=filed.request,
            holder=filed.holder,
            outcome=name_of(outcome),
            policies={
                tier: version
                for tier, owner in (("guardrail", "gateway"), ("holder", filed.holder), ("egress", filed.requester))
                if (version := by.versions.get((tier, owner)))
            },
            book=by.book.digest,
            snapshot=outcome.snapshot or None,
            timing_ms=watch.spent_ms() if watch else None,
        )
        return stated(outcome, common)
