"""Alembic's entry: runs migrations over the engine that the caller hands in."""

from typing import Any, Literal

from alembic import context

from gateway.db.base import UtcDateTime
from gateway.tables import Base


def plain_types(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our instants into migrations as what the database sees: those must not change with our code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


database = context.config.attributes["database"]
with database.writer.begin() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=database.is_sqlite,
        render_item=plain_types,
        compare_type=True,
    )
    context.run_migrations()
