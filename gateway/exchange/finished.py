"""Finished exchanges as they are kept: read again for their two parties, byte for byte, and for their bundles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import select

from gateway.db.engine import Database
from gateway.errors import UnknownError
from gateway.evidence.bundles import Documents
from gateway.evidence.errors import ErasedError
from gateway.evidence.leaf import Logged
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import LogEntry
from gateway.evidence.payloads import Payloads
from gateway.exchange.errors import InFlightError
from gateway.exchange.models import PENDING, RECEIVED, Exchange, ExchangePayload
from gateway.exchange.outcomes import Pending
from gateway.exchange.readers import Reader
from gateway.exchange.stored_answer import (
    ANSWER,
    DISCLOSURES,
    WAITING,
    StoredAnswer,
    answer_of,
    read_answer,
    read_pending,
)

REQUEST: Final = "request"

_OBJECTS: Final = select(ExchangePayload).where(ExchangePayload.name.in_((REQUEST, ANSWER, DISCLOSURES, WAITING)))


@dataclass(frozen=True, slots=True)
class FirstStep:
    """What proves the step by which an exchange became pending; later its receipt is another one's `prior`."""

    receipt: str
    salt: bytes
    entry: bytes
    logged: Logged


class Finished(NamedTuple):
    """An exchange that has an outcome, with all that its answer is made of."""

    exchange_id: str
    outcome: str
    stage: str | None
    reason: str | None
    request: str
    answer: StoredAnswer
    receipt: str
    timing_ms: Mapping[str, float]
    salt: bytes
    entry: bytes
    logged: Logged
    is_replayed: bool
    first: FirstStep | None = None
    pending: Pending | None = None
    """What it waits for, where its outcome is that."""


@dataclass(frozen=True, slots=True)
class _Kept:
    row: Exchange
    salt: bytes
    receipt: str
    request: str
    answer: StoredAnswer
    entry: bytes
    pending: Pending | None

    @property
    def step(self) -> str:
        return step_of(self.row.id, self.row.state)

    @property
    def is_recalled(self) -> bool:
        """Whether what was released is given out no more."""
        return self.row.state == "released" and self.row.recalled_at is not None


class FinishedExchanges:
    def __init__(self, database: Database, log: EvidenceLog, payloads: Payloads) -> None:
        self._database = database
        self._log = log
        self._payloads = payloads

    def require_party(self, exchange_id: str, reader: Reader) -> None:
        """Let only the parties of a finished exchange pass.

        Raises:
            UnknownError: there is none, or the reader is no party to it: the two look alike.
            InFlightError: it is not over.
        """
        with self._database.read() as session:
            state = session.scalar(select(Exchange.state).where(Exchange.id == exchange_id, reader.either_side()))
        if state is None:
            raise UnknownError(f"no exchange {exchange_id}")
        if state == RECEIVED:
            raise InFlightError(exchange_id)

    def read(self, exchange_id: str, *, is_replayed: bool = False) -> Finished:
        """Build a finished exchange again from what was stored; byte for byte what was answered.

        Raises:
            ErasedError: it was erased, the time for which answers are kept is over, or the holder called it back.
        """
        kept = self._kept(exchange_id)
        if kept.is_recalled:
            raise ErasedError(f"the answer of exchange {exchange_id} was called back", receipt=kept.receipt)
        if not kept.answer.is_whole:
            raise ErasedError(f"the answer of exchange {exchange_id} is kept no longer", receipt=kept.receipt)
        return Finished(
            exchange_id=exchange_id,
            outcome=kept.row.state,
            stage=kept.row.stage,
            reason=kept.row.reason,
            request=kept.request,
            answer=kept.answer,
            receipt=kept.receipt,
            timing_ms=kept.row.timing_ms or {},
            salt=kept.salt,
            entry=kept.entry,
            logged=self._log.logged(kept.step),
            is_replayed=is_replayed,
            first=self.first_step(exchange_id) if kept.row.pending_receipt is not None else None,
            pending=kept.pending,
        )

    def first_step(self, exchange_id: str) -> FirstStep:
        """Give what proves that an exchange became pending.

        Raises:
            ErasedError: it was erased.
        """
        step = step_of(exchange_id, PENDING)
        with self._database.read() as session:
            row = session.get_one(Exchange, exchange_id)
            entry = session.scalars(select(LogEntry.entry).where(LogEntry.step_id == step)).one()
        is_over = row.pending_receipt is not None
        receipt, salt = (row.pending_receipt, row.pending_salt) if is_over else (row.receipt, row.salt)
        if receipt is None or salt is None:
            raise ErasedError(f"exchange {exchange_id} was erased", receipt=row.receipt)
        return FirstStep(receipt, salt, entry, self._log.logged(step))

    def documents(self, exchange_id: str) -> Documents:
        """Give what proves an exchange, whether or not its fields are still kept; without them once it was called back.

        Raises:
            ErasedError: it was erased.
        """
        kept = self._kept(exchange_id)
        return Documents(
            request=kept.request,
            receipt=kept.receipt,
            presentation=(kept.answer.without_fields if kept.is_recalled else kept.answer).presentation,
            salt=kept.salt,
            entry=kept.entry,
            step_id=kept.step,
            prior=self._prior(kept),
        )

    def _prior(self, kept: _Kept) -> Documents | None:
        if kept.row.pending_receipt is None:
            return None
        first = self.first_step(kept.row.id)
        step = step_of(kept.row.id, PENDING)
        return Documents(kept.request, first.receipt, None, first.salt, first.entry, step)

    def _kept(self, exchange_id: str) -> _Kept:
        with self._database.read() as session:
            row = session.get_one(Exchange, exchange_id)
            sealed = {
                item.name: item.ciphertext
                for item in session.scalars(_OBJECTS.where(ExchangePayload.exchange_id == exchange_id))
            }
            step = step_of(exchange_id, row.state)
            entry = session.scalars(select(LogEntry.entry).where(LogEntry.step_id == step)).one()
        told = WAITING if row.state == PENDING else ANSWER
        if row.wrapped_key is None or row.salt is None or row.receipt is None or told not in sealed:
            raise ErasedError(f"exchange {exchange_id} was erased", receipt=row.receipt)
        try:
            cipher = self._payloads.of(exchange_id, row.wrapped_key, row.class_key)
        except ErasedError as error:
            raise ErasedError(str(error), receipt=row.receipt) from error
        objects = {name: cipher.decrypt(name, ciphertext) for name, ciphertext in sealed.items()}
        pending = read_pending(objects[WAITING]) if row.state == PENDING else None
        answer = answer_of(pending) if pending else read_answer(objects)
        return _Kept(row, row.salt, row.receipt, objects[REQUEST].decode("ascii"), answer, entry, pending)


def step_of(exchange_id: str, outcome: str) -> str:
    """Name the leaf of an outcome; the log takes each name once, so an exchange is pending once and ends once."""
    return f"exchange:{exchange_id}:{'pending' if outcome == PENDING else 'final'}"
