"""How many recalls an agency has not acknowledged in time: a fact that policies may read of whoever asks."""

import time
from typing import Final

from sqlalchemy import bindparam, func, select

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.exchange.models import RecallAddressee

KEPT_SECONDS: Final = 1.0
"""How long a count is used again: as long as a change of policies may take to reach a worker."""
AGENCIES_MAX: Final = 4096


class OverdueAcknowledgements:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, tuple[float, int]] = {}

    def of(self, agency: str) -> int:
        """Count what is overdue, of recalls by whichever holder; at most a second old."""
        now = time.monotonic()
        known = self._known.get(agency)
        if known is not None and now < known[0]:
            return known[1]
        with self._database.read_connection() as connection:
            count = connection.execute(_OVERDUE, {"agency": agency, "now": self._clock()}).scalar_one()
        if len(self._known) >= AGENCIES_MAX:
            self._known = {}
        self._known[agency] = (now + KEPT_SECONDS, count)
        return int(count)

    def forget(self) -> None:
        """Count anew at the next question."""
        self._known = {}


_OVERDUE = (
    select(func.count())
    .select_from(RecallAddressee)
    .where(
        RecallAddressee.agency == bindparam("agency"),
        RecallAddressee.state == "open",
        RecallAddressee.due_at <= bindparam("now", type_=RecallAddressee.due_at.type),
    )
)
