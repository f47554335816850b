"""The signed list of recalls: says of receipts, by their hashes alone, what became of the records they released.

Whoever holds a receipt finds it there years later, offline; whoever does not learns nothing but how many there are. The
list grows at its end only, in parts.
"""

from math import ceil
from typing import Final

from sqlalchemy import func, select

from gateway.db.engine import Database
from gateway.errors import UnknownError
from gateway.evidence.receipts import Receipts, receipt_hash
from gateway.exchange.models import Exchange, Recall, RecallExchange
from ipx.documents import RECALLS_TYP
from ipx.jws import Json

PART_ITEMS: Final = 5000
"""About half a mebibyte signed; a reader takes a mebibyte."""


class RecallList:
    def __init__(self, database: Database, receipts: Receipts) -> None:
        self._database = database
        self._receipts = receipts

    def part(self, number: int) -> str:
        """Sign one part of the list as it is now; those before the last change no more but for their date.

        Args:
            number: from 0; there always is a first part, be it empty.

        Raises:
            UnknownError: the list has no such part.
        """
        listed = (
            select(Exchange.receipt, Recall.kind, Recall.made_at)
            .join(RecallExchange, RecallExchange.exchange_id == Exchange.id)
            .join(Recall, Recall.id == RecallExchange.recall_id)
            .order_by(Recall.log_index, RecallExchange.exchange_id)
            .offset(number * PART_ITEMS)
            .limit(PART_ITEMS)
        )
        with self._database.read() as session:
            total = session.scalar(select(func.count()).select_from(RecallExchange)) or 0
            rows = session.execute(listed).all()
        parts = max(1, ceil(total / PART_ITEMS))
        if number >= parts:
            raise UnknownError(f"the list of recalls has {parts} parts")
        items: list[Json] = [
            [receipt_hash(receipt or ""), kind, f"{made_at:%Y-%m-%d}"] for receipt, kind, made_at in rows
        ]
        return self._receipts.statement({"part": number, "parts": parts, "items": items}, typ=RECALLS_TYP)
