"""Bring a database's tables to this version's shape (Alembic), or say which shape they have.

A migration is an *expansion* where the program before it works on with what it leaves: it adds tables, columns that may
be empty, indexes. It then says `works_with = "<revision that such a program knows>"`. One that says nothing is a
*contraction*: programs that do not know it must be gone before it runs.
"""

from enum import Enum, auto
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import OperationalError

from gateway.db.engine import Database
from gateway.db.schema import SchemaFloor
from gateway.errors import StoreUnavailableError

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_SECONDS = 5
"""How long a migration waits for a table on PostgreSQL: all calls that need the table wait behind it meanwhile."""
LOCK_NOT_AVAILABLE = "55P03"


class Fit(Enum):
    """How the tables of a database fit to this program."""

    EXACT = auto()
    NEWER = auto()
    """A later program has expanded them; this one works on with them."""
    TOO_OLD = auto()
    TOO_NEW = auto()


def configuration(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database"] = database
    return config


def upgrade(database: Database, revision: str = "head") -> None:
    """Apply what is missing, in one transaction; on SQLite also choose the write-ahead log once and for all.

    Raises:
        StoreUnavailableError: a table was in use for longer than `LOCK_SECONDS`; nothing was changed.
    """
    if database.is_sqlite:
        with database.writer.connect() as connection:
            connection.commit()
            raw = connection.connection.dbapi_connection
            if raw is not None:
                raw.cursor().execute("PRAGMA journal_mode=WAL").close()
    try:
        command.upgrade(configuration(database), revision)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        raise StoreUnavailableError(
            f"a table was in use for longer than {LOCK_SECONDS} s; nothing was changed. Run it again; if that does not "
            "help, look in pg_stat_activity for the transaction that stays open"
        ) from error


def downgrade(database: Database, revision: str) -> None:
    command.downgrade(configuration(database), revision)


def current(database: Database) -> str | None:
    """Give the revision that the tables have; None where there are no tables yet."""
    with database.read_connection() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """Give the revision that this version of the program needs."""
    return _scripts().get_current_head()


def fit(database: Database) -> Fit:
    """Tell whether this program can work with a database's tables."""
    present = current(database)
    if present == newest():
        return Fit.EXACT
    if present is None or _knows(present):
        return Fit.TOO_OLD
    with database.read_connection() as connection:
        floor = _floor(connection)
    return Fit.NEWER if floor is not None and _knows(floor) else Fit.TOO_NEW


def oldest_for(revision: str) -> str:
    """Give the revision that a program must know, at least, to work with the tables of a revision."""
    chain = [script.revision for script in _scripts().iterate_revisions(revision, "base")][::-1]
    scripts = _scripts()
    needed = (getattr(scripts.get_revision(step).module, "works_with", step) for step in chain)
    return max(needed, key=chain.index)


def keep_floor(connection: Connection, revision: str | None) -> None:
    """Write down, in the transaction of a migration, which programs can work with what it leaves."""
    if revision is None or not inspect(connection).has_table(SchemaFloor.__tablename__):
        return
    table = SchemaFloor.__table__
    connection.execute(table.delete())  # type: ignore[attr-defined]
    connection.execute(table.insert().values(id=1, oldest=oldest_for(revision)))  # type: ignore[attr-defined]


def _floor(connection: Connection) -> str | None:
    if not inspect(connection).has_table(SchemaFloor.__tablename__):
        return None
    return connection.execute(select(SchemaFloor.oldest)).scalar_one_or_none()


def _knows(revision: str) -> bool:
    try:
        return _scripts().get_revision(revision) is not None
    except CommandError:
        return False


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config)
