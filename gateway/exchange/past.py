"""Past exchanges as the policies were asked about them, opened for a replay one by one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from gateway.db.engine import Database
from gateway.errors import GatewayError, UnknownError
from gateway.evidence.payloads import Payloads
from gateway.exchange.models import OPEN, Exchange, ExchangePayload

SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class KeptQuestion:
    exchange: str
    holder: str
    record_type: str
    data: bytes | None
    receipt: str | None = None


class PastQuestions:
    """Reads what was kept of past questions. What was erased is not there and is said to be missing."""

    def __init__(self, database: Database, payloads: Payloads) -> None:
        self._database = database
        self._payloads = payloads

    def kept(
        self, *, since: datetime, limit: int, holder: str | None = None, requester: str | None = None
    ) -> Iterator[KeptQuestion]:
        """Give the newest exchanges that are over, those of one holder, record type and requester together."""
        query = (
            select(Exchange)
            .where(Exchange.finished_at >= since, Exchange.state.not_in(OPEN))
            .order_by(Exchange.finished_at.desc())
            .limit(limit)
        )
        for column, wanted in ((Exchange.holder, holder), (Exchange.requester, requester)):
            if wanted is not None:
                query = query.where(column == wanted)
        with self._database.read() as session:
            rows = session.scalars(query).all()
            for row in sorted(rows, key=lambda row: (row.holder, row.record_type, row.requester, row.id)):
                sealed = session.get(ExchangePayload, (row.id, SNAPSHOT))
                session.expunge_all()
                yield KeptQuestion(row.id, row.holder, row.record_type, self._open(row, sealed))

    def of(self, exchange_id: str) -> KeptQuestion:
        """Give what was asked in one exchange.

        Raises:
            UnknownError: there is none of this name, or it is not over.
        """
        with self._database.read() as session:
            row = session.get(Exchange, exchange_id)
            if row is None or row.state in OPEN:
                raise UnknownError(f"no exchange {exchange_id} that is over")
            sealed = session.get(ExchangePayload, (row.id, SNAPSHOT))
            session.expunge_all()
        return KeptQuestion(row.id, row.holder, row.record_type, self._open(row, sealed), row.receipt)

    def _open(self, row: Exchange, sealed: ExchangePayload | None) -> bytes | None:
        if sealed is None or row.wrapped_key is None:
            return None
        try:
            return self._payloads.of(row.id, row.wrapped_key, row.class_key).decrypt(SNAPSHOT, sealed.ciphertext)
        except GatewayError:
            return None
