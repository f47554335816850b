"""The exchange table as a journal: opened before the holder is called, closed in the transaction of the log entry."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import Connection, Row, Table, bindparam, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import UnknownError
from gateway.evidence.errors import DuplicateStepError
from gateway.evidence.leaf import Leaf, Logged
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import LogEntry
from gateway.evidence.payloads import PayloadCipher, Payloads
from gateway.evidence.receipts import Ending, Receipt, Receipts
from gateway.exchange.errors import ExchangeErasedError, InFlightError, JtiReusedError, LostRaceError
from gateway.exchange.models import RECEIVED, Exchange, ExchangePayload
from gateway.exchange.outcomes import Denied, Failed, Outcome, Released, name_of
from gateway.exchange.questions import Parties
from gateway.exchange.requests import Requests, SignedRequest
from gateway.exchange.steps import Stopwatch
from gateway.governance.books import PolicyBooks
from gateway.oauth.errors import AccessRefusedError, Reason
from gateway.oauth.guard import Caller
from gateway.oauth.replay import ReplayedError, ReplayStore
from ipx.ids import uuid7

_EXCHANGE = cast("Table", Exchange.__table__)
_PAYLOAD = cast("Table", ExchangePayload.__table__)
_INSERT_ONCE = {
    "sqlite": sqlite.insert(_EXCHANGE).on_conflict_do_nothing().returning(_EXCHANGE.c.id),
    "postgresql": postgresql.insert(_EXCHANGE).on_conflict_do_nothing().returning(_EXCHANGE.c.id),
}


@dataclass(frozen=True, slots=True)
class Filed:
    """An exchange that is open: filed, and without an outcome yet."""

    exchange_id: str
    request: str
    holder: str
    requester: str
    cipher: PayloadCipher


@dataclass(frozen=True, slots=True)
class Finished:
    """An exchange that is over, with all that its answer is made of."""

    exchange_id: str
    outcome: str
    stage: str | None
    reason: str | None
    request: str
    presentation: str | None
    sealed_by: str | None
    obligations: Mapping[str, Any]
    withheld: list[dict[str, Any]]
    receipt: str
    timing_ms: Mapping[str, float]
    salt: bytes
    entry: bytes
    logged: Logged
    is_replayed: bool


class Journal:
    def __init__(
        self,
        database: Database,
        log: EvidenceLog,
        receipts: Receipts,
        payloads: Payloads,
        books: PolicyBooks,
        requests: Requests,
        replay: ReplayStore,
        clock: Clock,
        *,
        node: str,
        exchange_seconds: float,
    ) -> None:
        self._database = database
        self._log = log
        self._receipts = receipts
        self._payloads = payloads
        self._books = books
        self._requests = requests
        self._replay = replay
        self._clock = clock
        self._node = node
        self._lasts = timedelta(seconds=exchange_seconds)

    def open(self, request: SignedRequest, parties: Parties, caller: Caller) -> Filed | Finished:
        """File a request: one committed row before anybody is asked, and the proof of possession used up with it.

        Returns:
            `Finished` where the same bytes were answered before; freshness is judged only the first time.

        Raises:
            StaleRequestError, JtiReusedError, InFlightError, AccessRefusedError: nothing was filed.
            LogUnavailableError, StoreUnavailableError: an outcome could not be logged, so nobody is asked.
        """
        self._log.ready()
        exchange_id = uuid7()
        cipher = self._payloads.new(exchange_id)
        sealed_request = cipher.encrypt("request", request.raw.encode("ascii"))
        now = self._clock()
        with self._database.write_connection() as connection:
            self._use_up(connection, caller)
            known = self._find(connection, request)
            if known is None:
                self._requests.require_fresh(request)
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
                    "acts_as": {"supplier": parties.supplier.code} if parties.supplier else None,
                }
                if self._insert(connection, values):
                    connection.execute(
                        insert(_PAYLOAD),
                        {"exchange_id": exchange_id, "name": "request", "ciphertext": sealed_request},
                    )
                    return Filed(exchange_id, request.raw, request.holder, caller.agency, cipher)
                known = self._find(connection, request)
        if known is None or known.request_sha256 != request.sha256:
            raise JtiReusedError(f"jti {request.jti} was used for another request")
        if known.state == RECEIVED:
            raise InFlightError(known.id)
        return self.read(known.id, is_replayed=True)

    def close(self, filed: Filed, outcome: Outcome, watch: Stopwatch | None) -> Finished:
        """Sign the receipt, append its entry, and finish the row in the same transaction.

        Where the exchange was closed meanwhile (its time was up), that outcome stands and is returned.

        Raises:
            LogUnavailableError: the outcome is not in the log; nothing may be released.
        """
        ending = self._ending(filed, outcome, watch)
        receipt = self._receipts.make(ending)
        answer = _stored_answer(outcome)
        objects = {"answer": json.dumps(answer).encode(), "snapshot": outcome.snapshot}
        stored = [
            {"exchange_id": filed.exchange_id, "name": name, "ciphertext": filed.cipher.encrypt(name, data)}
            for name, data in objects.items()
            if data
        ]
        timing: dict[str, float] = {}

        def finish(connection: Connection) -> None:
            timing.clear()
            timing.update(watch.spent_ms() if watch else {})
            if watch:
                timing["log"] = round(timing.get("log", 0.0) + watch.running_ms(), 3)
            finished = connection.execute(
                update(_EXCHANGE)
                .where(_EXCHANGE.c.id == filed.exchange_id, _EXCHANGE.c.state == RECEIVED)
                .values(
                    state=ending.outcome,
                    stage=ending.stage,
                    reason=ending.reason,
                    finished_at=self._clock(),
                    timing_ms=timing,
                    receipt=receipt.token,
                    salt=receipt.salt,
                )
            )
            if finished.rowcount != 1:
                raise LostRaceError(filed.exchange_id)
            connection.execute(insert(_PAYLOAD), stored)

        try:
            logged = self._log.append(Leaf(step_of(filed.exchange_id), receipt.entry, finish))
        except (DuplicateStepError, LostRaceError):
            return self.read(filed.exchange_id)
        return self._finished(filed, ending, answer, receipt, timing, logged)

    def reopen(self, exchange_id: str) -> Filed:
        """Take an exchange up again that a crash left open."""
        with self._database.read() as session:
            row = session.get_one(Exchange, exchange_id)
            payload = session.get_one(ExchangePayload, (exchange_id, "request"))
        cipher = self._payloads.of(exchange_id, row.wrapped_key or b"")
        request = cipher.decrypt("request", payload.ciphertext).decode("ascii")
        return Filed(exchange_id, request, row.holder, row.requester, cipher)

    def look(self, exchange_id: str, agency: str) -> Finished:
        """Give a finished exchange to one of its two parties.

        Raises:
            UnknownError: there is none, or the agency is no party to it: the two look alike.
            InFlightError: it is not over.
            ExchangeErasedError: its payloads were erased.
        """
        with self._database.read() as session:
            state = session.scalar(
                select(Exchange.state).where(
                    Exchange.id == exchange_id,
                    or_(
                        Exchange.requester == agency,
                        # The holder of a record learns who asked; of what is not its own, it learns nothing.
                        Exchange.holder == agency,
                    ),
                )
            )
        if state is None:
            raise UnknownError(f"no exchange {exchange_id}")
        if state == RECEIVED:
            raise InFlightError(exchange_id)
        return self.read(exchange_id)

    def read(self, exchange_id: str, *, is_replayed: bool = False) -> Finished:
        """Build a finished exchange again from what was stored; byte for byte what was answered."""
        with self._database.read() as session:
            row = session.get_one(Exchange, exchange_id)
            payloads = {
                item.name: item.ciphertext
                for item in session.scalars(select(ExchangePayload).where(ExchangePayload.exchange_id == exchange_id))
            }
            entry = session.scalars(select(LogEntry.entry).where(LogEntry.step_id == step_of(exchange_id))).one()
        if row.wrapped_key is None or row.salt is None or row.receipt is None or "answer" not in payloads:
            raise ExchangeErasedError(exchange_id)
        cipher = self._payloads.of(exchange_id, row.wrapped_key)
        answer = json.loads(cipher.decrypt("answer", payloads["answer"]))
        return Finished(
            exchange_id=exchange_id,
            outcome=row.state,
            stage=row.stage,
            reason=row.reason,
            request=cipher.decrypt("request", payloads["request"]).decode("ascii"),
            **answer,
            receipt=row.receipt,
            timing_ms=row.timing_ms or {},
            salt=row.salt,
            entry=entry,
            logged=self._log.logged(step_of(exchange_id)),
            is_replayed=is_replayed,
        )

    def _use_up(self, connection: Connection, caller: Caller) -> None:
        try:
            self._replay.consume(connection, caller.consume, self._clock())
        except ReplayedError as error:
            raise AccessRefusedError(Reason.PROOF_REPLAY) from error

    def _find(self, connection: Connection, request: SignedRequest) -> Row[str, bytes, str] | None:
        return connection.execute(_FIND, {"client_id": request.client_id, "jti": request.jti}).one_or_none()

    def _insert(self, connection: Connection, values: Mapping[str, Any]) -> bool:
        """File the row; False where another worker filed the same `jti` at this very moment."""
        statement = _INSERT_ONCE[connection.dialect.name]
        return connection.execute(statement, values).scalar_one_or_none() is not None

    def _ending(self, filed: Filed, outcome: Outcome, watch: Stopwatch | None) -> Ending:
        """Say how an exchange ended; a silent refusal says the same whether there is a record or not."""
        current = self._books.current()
        common: dict[str, Any] = {
            "exchange_id": filed.exchange_id,
            "request": filed.request,
            "holder": filed.holder,
            "outcome": name_of(outcome),
            "policies": {
                tier: version
                for tier, owner in (("guardrail", "gateway"), ("holder", filed.holder), ("egress", filed.requester))
                if (version := current.versions.get((tier, owner)))
            },
            "book": current.book.digest,
            "snapshot": outcome.snapshot or None,
            "timing_ms": watch.spent_ms() if watch else None,
        }
        match outcome:
            case Released():
                return Ending(
                    **common,
                    sealed_by=outcome.sealed_by,
                    presentation=outcome.presentation,
                    obligations=outcome.obligations,
                    withheld=[(item.group, item.reason) for item in outcome.withheld],
                )
            case Denied(is_silent=True):
                return Ending(**{**common, "timing_ms": None}, reason=outcome.reason)
            case Denied():
                withheld = [(item.group, item.reason) for item in outcome.withheld]
                return Ending(**common, reason=outcome.reason, withheld=withheld)
            case Failed():
                return Ending(**common, stage=outcome.stage, reason=outcome.reason)

    def _finished(
        self,
        filed: Filed,
        ending: Ending,
        answer: Mapping[str, Any],
        receipt: Receipt,
        timing: Mapping[str, float],
        logged: Logged,
    ) -> Finished:
        return Finished(
            exchange_id=filed.exchange_id,
            outcome=ending.outcome,
            stage=ending.stage,
            reason=ending.reason,
            request=filed.request,
            presentation=answer["presentation"],
            sealed_by=answer["sealed_by"],
            obligations=answer["obligations"],
            withheld=answer["withheld"],
            receipt=receipt.token,
            timing_ms=timing,
            salt=receipt.salt,
            entry=receipt.entry,
            logged=logged,
            is_replayed=False,
        )


_FIND = select(Exchange.id, Exchange.request_sha256, Exchange.state).where(
    Exchange.client_id == bindparam("client_id"), Exchange.jti == bindparam("jti")
)


def step_of(exchange_id: str) -> str:
    """Name the leaf that ends an exchange; the log takes each name once."""
    return f"exchange:{exchange_id}:final"


def _stored_answer(outcome: Outcome) -> dict[str, Any]:
    """Write what an answer holds beside its evidence: the object `answer` of the exchange."""
    withheld = () if isinstance(outcome, Failed) else outcome.withheld
    released = outcome if isinstance(outcome, Released) else None
    return {
        "presentation": released.presentation if released else None,
        "sealed_by": released.sealed_by if released else None,
        "obligations": dict(released.obligations) if released else {},
        "withheld": [asdict(item) for item in withheld],
    }
