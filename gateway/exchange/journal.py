"""The exchange table as a journal: opened before the holder is called, closed in the transaction of the log entry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, String, Table, bindparam, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway import meters
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.db.group_commit import GroupCommit
from gateway.db.prepared import Prepared
from gateway.evidence.class_keys import ClassKey, ClassKeys
from gateway.evidence.errors import DuplicateStepError
from gateway.evidence.leaf import Leaf
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import LogEntry
from gateway.evidence.payloads import PayloadCipher, Payloads
from gateway.evidence.receipts import Ending, Receipts
from gateway.evidence.state import EvidenceState
from gateway.exchange.cases import CaseHashes
from gateway.exchange.endings import stated
from gateway.exchange.errors import InFlightError, JtiReusedError, LostRaceError, RecalledMeanwhileError
from gateway.exchange.finished import Finished, FinishedExchanges, FirstStep, step_of
from gateway.exchange.models import PENDING, RECEIVED, Exchange, ExchangePayload
from gateway.exchange.outcomes import RECALLED, Denied, Outcome, Pending, ReleasedRecords, name_of
from gateway.exchange.questions import Parties
from gateway.exchange.requests import Requests, SignedRequest
from gateway.exchange.steps import Stopwatch
from gateway.exchange.stored_answer import DISCLOSURES, answer_of, objects_of
from gateway.governance.books import BookInForce, PolicyBooks
from gateway.oauth.errors import AccessRefusedError, Reason
from gateway.oauth.guard import Caller
from gateway.oauth.replay import ReplayedError, ReplayStore
from ipx.ids import uuid7

_EXCHANGE = cast("Table", Exchange.__table__)
_PAYLOAD = cast("Table", ExchangePayload.__table__)
_FILED = (
    "id",
    "client_id",
    "requester",
    "holder",
    "jti",
    "request_sha256",
    "record_type",
    "record_sha256",
    "purpose",
    "received_at",
    "deadline_at",
    "node",
    "state",
    "wrapped_key",
    "class_key",
    "case_hash",
    "acts_as",
)
"""Columns of a new row; the others are empty until it is closed."""

_INSERT_ONCE = Prepared(
    {
        dialect: insert_into(_EXCHANGE).values({name: bindparam(name) for name in _FILED}).on_conflict_do_nothing()
        for dialect, insert_into in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
    }
)


@dataclass(frozen=True, slots=True)
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
        *,
        node: str,
        exchange_seconds: float,
    ) -> None:
        self._database = database
        self._group = GroupCommit(database)
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
            known = self._find(connection, request)
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
        while True:
            key = self._class_keys.current(request.holder, request.record_type)
            try:
                found = self._file(request, parties, caller, key)
            except _ClassKeyGoneError:
                continue
            return self._finished.read(found, is_replayed=True) if isinstance(found, str) else found

    def _file(self, request: SignedRequest, parties: Parties, caller: Caller, key: ClassKey) -> Filed | str:
        """Commit the row; gives the id of the exchange instead where these bytes were answered before."""
        exchange_id = uuid7()
        cipher = self._payloads.new(exchange_id, key)
        sealed_request = cipher.encrypt("request", request.raw.encode("ascii"))
        now = self._clock()

        def write(connection: Connection) -> Filed | _Known | None:
            self._use_up(connection, caller)
            known = self._find(connection, request)
            if known is None:
                self._requests.require_fresh(request)
                self._state.require_current()
                if not self._class_keys.is_live(connection, key):
                    raise _ClassKeyGoneError
                values = {
                    "id": exchange_id,
                    "client_id": request.client_id,
                    "requester": caller.agency,
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
                if self._insert(connection, values):
                    _INSERT_PAYLOAD.run(
                        connection, {"exchange_id": exchange_id, "name": "request", "ciphertext": sealed_request}
                    )
                    return Filed(exchange_id, request.raw, request.holder, caller.agency, cipher)
                known = self._find(connection, request)
            return known

        known = self._group.run(write)
        if isinstance(known, Filed):
            return known
        if known is None or known.request_sha256 != request.sha256:
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
            {"exchange_id": filed.exchange_id, "name": name, "ciphertext": filed.cipher.encrypt(name, data)}
            for name, data in objects.items()
            if data or name == DISCLOSURES
        ]
        timing: dict[str, float] = {}
        step = step_of(filed.exchange_id, ending.outcome)

        def finish(connection: Connection) -> None:
            timing.clear()
            timing.update(watch.spent_ms() if watch else {})
            if watch:
                timing["log"] = round(timing.get("log", 0.0) + watch.running_ms(), 3)
            values = {
                "exchange": filed.exchange_id,
                "step": step,
                "new_state": ending.outcome,
                "new_stage": ending.stage,
                "new_reason": ending.reason,
                "new_finished_at": self._clock(),
                "new_timing_ms": timing,
                "new_receipt": receipt.token,
                "new_salt": receipt.salt,
                "new_pending_receipt": first.receipt if first else None,
                "new_pending_salt": first.salt if first else None,
                "old_state": PENDING if first else RECEIVED,
                "ends_as": ending.outcome,
            }
            if _FINISH.run(connection, values) != 1:
                if _IS_OPEN.first(connection, {"exchange": filed.exchange_id, "old_state": values["old_state"]}):
                    raise RecalledMeanwhileError(filed.exchange_id)
                raise LostRaceError(filed.exchange_id)
            _INSERT_PAYLOAD.run_each(connection, stored)
            if also is not None:
                also(connection)

        try:
            logged = self._log.append(Leaf(step, receipt.entry, finish))
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
            timing_ms=timing,
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

    def _use_up(self, connection: Connection, caller: Caller) -> None:
        try:
            self._replay.consume(connection, caller.consume, self._clock())
        except ReplayedError as error:
            raise AccessRefusedError(Reason.PROOF_REPLAY) from error

    def _find(self, connection: Connection, request: SignedRequest) -> "_Known | None":
        row = _FIND.first(connection, {"client_id": request.client_id, "jti": request.jti})
        return None if row is None else _Known(*row)

    def _insert(self, connection: Connection, values: Mapping[str, Any]) -> bool:
        """File the row; False where another worker filed the same `jti` at this very moment."""
        return _INSERT_ONCE.run(connection, values) == 1

    def _ending(self, filed: Filed, outcome: Outcome, watch: Stopwatch | None, by: BookInForce) -> Ending:
        """Say how an exchange ended; a silent refusal says the same whether there is a record or not."""
        common: dict[str, Any] = {
            "exchange_id": filed.exchange_id,
            "request": filed.request,
            "holder": filed.holder,
            "outcome": name_of(outcome),
            "policies": {
                tier: version
                for tier, owner in (("guardrail", "gateway"), ("holder", filed.holder), ("egress", filed.requester))
                if (version := by.versions.get((tier, owner)))
            },
            "book": by.book.digest,
            "snapshot": outcome.snapshot or None,
            "timing_ms": watch.spent_ms() if watch else None,
        }
        return stated(outcome, common)


_FIND = Prepared(
    select(Exchange.id, Exchange.request_sha256, Exchange.state).where(
        Exchange.client_id == bindparam("client_id"), Exchange.jti == bindparam("jti")
    )
)

_LOG_INDEX = select(LogEntry.idx).where(LogEntry.step_id == bindparam("step")).scalar_subquery()
"""Of the leaf that was appended in the same transaction."""

_FINISH = Prepared(
    update(_EXCHANGE)
    .where(
        _EXCHANGE.c.id == bindparam("exchange"),
        _EXCHANGE.c.state == bindparam("old_state"),
        # A recall marks open exchanges while it holds the log, as this does: none slips through between the two.
        or_(_EXCHANGE.c.recalled_at.is_(None), bindparam("ends_as", type_=String) != "released"),
    )
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                *("state", "stage", "reason", "finished_at", "timing_ms", "receipt", "salt"),
                *("pending_receipt", "pending_salt"),
            )
        }
        | {"log_index": _LOG_INDEX}
    )
)
_IS_OPEN = Prepared(
    select(_EXCHANGE.c.id).where(_EXCHANGE.c.id == bindparam("exchange"), _EXCHANGE.c.state == bindparam("old_state"))
)
_INSERT_PAYLOAD = Prepared(insert(_PAYLOAD))


class _Known(NamedTuple):
    """An exchange that has the `jti` already."""

    id: str
    request_sha256: bytes
    state: str


class _ClassKeyGoneError(Exception):
    """The retention class's key was destroyed between its being read and the filing; another one is made."""
