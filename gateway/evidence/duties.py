"""Whose turn it is: background duties that any number of processes offer to do, and one does at a time."""

from datetime import timedelta

from sqlalchemy import bindparam, select, text, update

from gateway.clock import Clock
from gateway.db.base import UtcDateTime
from gateway.db.engine import Database
from gateway.evidence.models import EvidenceDuty

_CREATE = text(
    "INSERT INTO evidence_duty (name, since, next_at) VALUES (:name, :now, :now) ON CONFLICT (name) DO NOTHING"
).bindparams(bindparam("now", type_=UtcDateTime))


class Duties:
    """Turns taken through the database: a process that dies in its turn only delays the next one."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def take(self, name: str, lasts_seconds: float) -> bool:
        """Take the turn where it is due; no other process gets one before `lasts_seconds` have passed."""
        now = self._clock()
        with self._database.read_connection() as connection:
            due = connection.execute(select(EvidenceDuty.next_at).where(EvidenceDuty.name == name)).scalar_one_or_none()
        if due is not None and due > now:
            return False  # most rounds end here, without a lock
        with self._database.write_connection() as connection:
            if due is None:
                connection.execute(_CREATE, {"name": name, "now": now})
            taken = (
                update(EvidenceDuty)
                .where(EvidenceDuty.name == name, EvidenceDuty.next_at <= now)
                .values(next_at=now + timedelta(seconds=lasts_seconds))
            )
            return connection.execute(taken).rowcount == 1

    def finish(self, name: str, next_seconds: float, failure: str | None = None) -> None:
        """Say when the next turn is due, and why this one achieved nothing, where it did not."""
        values = {"next_at": self._clock() + timedelta(seconds=next_seconds), "failure": failure}
        with self._database.write_connection() as connection:
            connection.execute(update(EvidenceDuty).where(EvidenceDuty.name == name).values(values))
