"""What breaks, for some seconds each. Only that is put right again, a moved folder say: nobody helps the gateway."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from sqlalchemy import create_engine, make_url, text

from gateway.demo import turns
from gateway.demo.run import Demo
from tests.soak.server import Server

OFFICE, CUSTOMS = turns.MARK_AT_THE_BORDER.client, turns.RECORDAL.client
"""Who asks the holder with the folder, and who asks the one with the database."""
BOTH = (OFFICE, CUSTOMS)


@dataclass(frozen=True)
class Fault:
    name: str
    breaks: Callable[[float, float], None]
    """Called with the seconds that it lasts and a number from 0 up to 1 that says which; returns when it is over."""
    clients: tuple[str, ...] = BOTH
    """Who must be released something again afterwards."""


class Faults:
    """All that can be made to break in this world."""

    def __init__(self, demo: Demo, server: Server) -> None:
        self._demo, self._server = demo, server
        self._is_sqlite = make_url(demo.settings.database_url).get_backend_name() == "sqlite"

    def all(self) -> list[Fault]:
        settings = self._demo.settings
        found = [
            Fault("worker-killed", lambda _, place: self._server.kill_worker(place)),
            Fault("server-killed", self._power_cut),
            Fault("holder-folder-gone", self._folder_gone, (OFFICE,)),
            Fault(
                "holder-database-locked",
                lambda s, _: _locked(self._demo.world.secrets["CUSTOMS_XA_DSN"], s),
                (CUSTOMS,),
            ),
        ]
        if self._is_sqlite:
            return [
                *found,
                Fault("database-locked", lambda s, _: _locked(settings.database_url, s)),
                Fault("checkpoints-locked", lambda s, _: _locked(settings.checkpoint_database_url, s)),
            ]
        return [
            *found,
            Fault("database-connections-cut", lambda *_: _cut(settings.database_url)),
            Fault("database-read-only", lambda s, _: _read_only(settings.database_url, s)),
            Fault("checkpoints-read-only", lambda s, _: _read_only(settings.checkpoint_database_url, s)),
        ]

    def _power_cut(self, seconds: float, _: float) -> None:
        self._server.kill()
        time.sleep(seconds / 4)
        self._server.start()

    def _folder_gone(self, seconds: float, _: float) -> None:
        folder = self._demo.world.sources_root / "ipo-xa" / "trademarks"
        away = folder.with_name("trademarks-away")
        folder.rename(away)
        try:
            time.sleep(seconds)
        finally:
            away.rename(folder)


def _locked(url: str, seconds: float) -> None:
    """Hold the lock of a database in SQLite for which writers wait, readers too where it has no write-ahead log."""
    with closing(sqlite3.connect(str(make_url(url).database), timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(seconds)
        connection.execute("ROLLBACK")


@contextmanager
def _outside(url: str) -> Iterator[tuple[Callable[[str], object], str]]:
    """Speak to PostgreSQL from another database, as its administrator would."""
    parsed = make_url(url)
    engine = create_engine(
        parsed.set(database="postgres", drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as connection:
            yield lambda statement: connection.execute(text(statement)), str(parsed.database)
    finally:
        engine.dispose()


def _cut(url: str) -> None:
    with _outside(url) as (execute, name):
        execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


def _read_only(url: str, seconds: float) -> None:
    with _outside(url) as (execute, name):
        execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        try:
            _cut(url)
            time.sleep(seconds)
        finally:
            execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
            _cut(url)
