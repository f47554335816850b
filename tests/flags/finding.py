"""Runs the finder over a planted world in a database of its own."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from gateway.auditor.flag_finding import FlagFinder
from gateway.auditor.models import Flag, FlagDay
from gateway.db.engine import Database
from gateway.tables import Base
from tests.flags.planted import END, LOOKED_AT


class Acts:
    """Takes the place of the audit trail where there is no log."""

    def __init__(self) -> None:
        self.said = []

    def record(self, _session, actor, act, subject, detail) -> None:
        self.said.append((actor, act, subject, dict(detail)))


def database_of(world, folder) -> Database:
    database = Database(f"sqlite:///{folder / 'flags.db'}")
    Base.metadata.create_all(database.writer)
    world.write(database)
    return database


def raised(database) -> set:
    """Look at each of the last days, a day after the end; give what was raised."""
    now = datetime(END.year, END.month, END.day, tzinfo=UTC) + timedelta(days=2)
    finder = FlagFinder(database, Acts(), lambda: now)
    for number in range(LOOKED_AT):
        finder.look_at(END - timedelta(days=LOOKED_AT - 1 - number))
    with database.read() as session:
        assert len(session.scalars(select(FlagDay)).all()) == LOOKED_AT
        return {
            (flag.kind, flag.requester, flag.holder, flag.subject, flag.day) for flag in session.scalars(select(Flag))
        }
