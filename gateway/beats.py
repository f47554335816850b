"""Each process that does background work says now and then that it lives; who falls silent is seen later."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import String, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from gateway.clock import Clock
from gateway.db.base import Base, UtcDateTime
from gateway.db.engine import Database

BEAT_SECONDS: Final = 30.0
SILENT: Final = timedelta(seconds=120)
"""After which a process counts as dead: four beats are missing."""
FORGOTTEN: Final = timedelta(days=1)


class WorkerBeat(Base):
    __tablename__ = "worker_beat"

    node: Mapped[str] = mapped_column(String(255), primary_key=True)
    """As `IPX_NODE` says."""
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    """`worker`: a process of its own; `server`: the threads of those that serve."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Beat:
    node: str
    role: str
    at: datetime


class Beats:
    """Of one process."""

    def __init__(self, database: Database, clock: Clock, *, node: str) -> None:
        self._database = database
        self._clock = clock
        self._node = node
        self._next_at = float("-inf")
        self.role = "server"

    def beat(self) -> None:
        """Say that this process lives; does nothing while the last time is not long ago.

        Raises:
            StoreUnavailableError: nobody can be told.
        """
        if time.monotonic() < self._next_at:
            return
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        now = self._clock()
        row = insert(WorkerBeat).values(node=self._node, role=self.role, at=now)
        with self._database.write() as session:
            session.execute(row.on_conflict_do_update(index_elements=["node", "role"], set_={"at": row.excluded.at}))
            session.execute(delete(WorkerBeat).where(WorkerBeat.at < now - FORGOTTEN))
        self._next_at = time.monotonic() + BEAT_SECONDS

    def all(self) -> Sequence[Beat]:
        """Give the last beat of each node and role, the newest first; those of the last day."""
        query = select(WorkerBeat.node, WorkerBeat.role, WorkerBeat.at).order_by(WorkerBeat.at.desc())
        with self._database.read_connection() as connection:
            return [Beat(*row) for row in connection.execute(query)]
