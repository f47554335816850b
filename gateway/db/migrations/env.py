"""Alembic's entry: runs migrations over the engine that the caller hands in."""

from collections.abc import Collection
from typing import Any, Literal

from alembic import context

from gateway.db.base import UtcDateTime
from gateway.db.migrate import LOCK_SECONDS, keep_floor
from gateway.tables import Base


def plain_types(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our instants into migrations as what the database sees: those must not change with our code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def applied(ctx: Any, step: Any, heads: Collection[Any], run_args: Any) -> None:
    """Keep the floor in each migration's own transaction (the names are Alembic's)."""
    del ctx, step, run_args
    keep_floor(connection, next(iter(heads), None))


database = context.config.attributes["database"]
with database.writer.begin() as connection:
    if not database.is_sqlite:
        # One migrates at a time; and a table that is in use must not make all calls queue behind the migration.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('ipx-migrations'))")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=database.is_sqlite,
        render_item=plain_types,
        compare_type=True,
        on_version_apply=applied,
    )
    context.run_migrations()
