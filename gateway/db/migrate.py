"""Bring a database's tables to this version's shape (Alembic), or say which shape they have."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from gateway.db.engine import Database

MIGRATIONS = Path(__file__).parent / "migrations"


def configuration(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database"] = database
    return config


def upgrade(database: Database, revision: str = "head") -> None:
    """Apply what is missing, in one transaction; on SQLite also choose the write-ahead log once and for all."""
    if database.is_sqlite:
        with database.writer.connect() as connection:
            connection.commit()
            raw = connection.connection.dbapi_connection
            if raw is not None:
                raw.cursor().execute("PRAGMA journal_mode=WAL").close()
    command.upgrade(configuration(database), revision)


def downgrade(database: Database, revision: str) -> None:
    command.downgrade(configuration(database), revision)


def current(database: Database) -> str | None:
    """Give the revision that the tables have; None where there are no tables yet."""
    with database.read_connection() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """Give the revision that this version of the program needs."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config).get_current_head()
