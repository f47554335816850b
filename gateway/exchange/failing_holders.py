"""Whose systems fail now, as the exchanges of the last minutes tell: the health page asks no holder itself."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, or_, select

from gateway.db.engine import Database
from gateway.exchange.models import Exchange

LOOKED_BACK: Final = timedelta(minutes=10)
AT_THE_HOLDER: Final = or_(Exchange.stage == "holder", Exchange.reason.in_(("another_record", "signature_invalid")))
"""Of a failed exchange: the holder was silent, answered badly, gave another record or a wrong signature."""


def failing_holders(database: Database, now: datetime) -> list[str]:
    """Name the holders of which nothing was released since an exchange last failed by their doing.

    Args:
        database: of the exchanges; what all processes of all nodes saw counts.
        now: the present instant; what failed more than ten minutes ago is not looked at.

    Returns:
        codes of agencies, in order.

    Raises:
        StoreUnavailableError: the database cannot be asked.
    """
    failed = (
        select(Exchange.holder, func.max(Exchange.received_at))
        .where(Exchange.state == "failed", Exchange.received_at > now - LOOKED_BACK, AT_THE_HOLDER)
        .group_by(Exchange.holder)
        .order_by(Exchange.holder)
    )
    with database.read_connection() as connection:
        last = connection.execute(failed).all()
        return [
            holder
            for holder, at in last
            if connection.scalar(
                select(Exchange.id)
                .where(Exchange.holder == holder, Exchange.received_at > at, Exchange.state == "released")
                .limit(1)
            )
            is None
        ]
