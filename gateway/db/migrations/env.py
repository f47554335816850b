"""Alembic's entry: runs migrations over the engine that the caller hands in."""

from alembic import context

from gateway.db.tables import Base

database = context.config.attributes["database"]
with database.writer.begin() as connection:
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=database.is_sqlite, compare_type=True
    )
    context.run_migrations()
