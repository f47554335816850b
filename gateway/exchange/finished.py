"""Finished exchanges as they are kept: read again for their two parties, byte for byte, and for their bundles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

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
from gateway.exchange.models import RECEIVED, Exchange, ExchangePayload
from gateway.exchange.readers import Reader
from gateway.exchange.stored_answer import ANSWER, DISCLOSURES, StoredAnswer, read_answer

REQUEST: Final = "request"

_OBJECTS: Final = select(ExchangePayload).where(ExchangePayload.name.in_((REQUEST, ANSWER, DISCLOSURES)))


@dataclass(frozen=True, slots=True)
class Finished:
    """An exchange that is over, with all that its answer is made of."""

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


@dataclass(frozen=True, slots=True)
class _Kept:
    row: Exchange
    salt: bytes
    receipt: str
    request: str
    answer: StoredAnswer
    entry: bytes


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
            ErasedError: it was erased, or the time for which answers are kept is over.
        """
        kept = self._kept(exchange_id)
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
            logged=self._log.logged(step_of(exchange_id)),
            is_replayed=is_replayed,
        )

    def documents(self, exchange_id: str) -> Documents:
        """Give what proves an exchange, whether or not its fields are still kept.

        Raises:
            ErasedError: it was erased.
        """
        kept = self._kept(exchange_id)
        return Documents(
            request=kept.request,
            receipt=kept.receipt,
            presentation=kept.answer.presentation,
            salt=kept.salt,
            entry=kept.entry,
            step_id=step_of(exchange_id),
        )

    def _kept(self, exchange_id: str) -> _Kept:
        with self._database.read() as session:
            row = session.get_one(Exchange, exchange_id)
            sealed = {
                item.name: item.ciphertext
                for item in session.scalars(_OBJECTS.where(ExchangePayload.exchange_id == exchange_id))
            }
            entry = session.scalars(select(LogEntry.entry).where(LogEntry.step_id == step_of(exchange_id))).one()
        if row.wrapped_key is None or row.salt is None or row.receipt is None or ANSWER not in sealed:
            raise ErasedError(f"exchange {exchange_id} was erased", receipt=row.receipt)
        try:
            cipher = self._payloads.of(exchange_id, row.wrapped_key, row.class_key)
        except ErasedError as error:
            raise ErasedError(str(error), receipt=row.receipt) from error
        objects = {name: cipher.decrypt(name, ciphertext) for name, ciphertext in sealed.items()}
        return _Kept(row, row.salt, row.receipt, objects[REQUEST].decode("ascii"), read_answer(objects), entry)


def step_of(exchange_id: str) -> str:
    """Name the leaf that ends an exchange; the log takes each name once."""
    return f"exchange:{exchange_id}:final"
