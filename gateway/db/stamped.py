"""A stamp that the database renews whenever a row of certain tables changes: what was read under it still holds.

The stamp is random, so that two of them are never the same, whatever was restored or deleted in between.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, event

_FUNCTION = """
CREATE OR REPLACE FUNCTION ipx_stamp_register() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO register_stamp (id, stamp) VALUES (1, gen_random_uuid()::text)
    ON CONFLICT (id) DO UPDATE SET stamp = excluded.stamp;
  RETURN NULL;
END $$
"""


def stamps(dialect: str, table: str, columns: Sequence[str] = ()) -> list[str]:
    """Give the statements that renew the stamp when a row comes, goes or changes, on `sqlite` or `postgresql`.

    Args:
        dialect: the dialect's name as SQLAlchemy says it.
        table: the table's name.
        columns: those whose change counts; all of them where none is named.
    """
    changed = f"UPDATE OF {', '.join(columns)}" if columns else "UPDATE"
    if dialect == "postgresql":
        happened = f"INSERT OR DELETE OR {changed} ON {table}"
        run = "FOR EACH STATEMENT EXECUTE FUNCTION ipx_stamp_register()"
        return [_FUNCTION, f"CREATE TRIGGER {table}_stamps AFTER {happened} {run}"]
    renew = (
        "BEGIN DELETE FROM register_stamp; INSERT INTO register_stamp (id, stamp) VALUES (1, hex(randomblob(16))); END"
    )
    return [
        f"CREATE TRIGGER {table}_stamps_{name} AFTER {happened} ON {table} {renew}"
        for name, happened in (("insert", "INSERT"), ("delete", "DELETE"), ("update", changed))
    ]


def unstamps(dialect: str, table: str) -> list[str]:
    """Give the statements that take these triggers away again."""
    if dialect == "postgresql":
        return [f"DROP TRIGGER {table}_stamps ON {table}"]
    return [f"DROP TRIGGER {table}_stamps_{name}" for name in ("insert", "delete", "update")]


def stamp_changes(table: Table, columns: Sequence[str] = ()) -> None:
    """Let `create_all` give the table these triggers, as the migration does."""

    @event.listens_for(table, "after_create")
    def _stamp(_table: Table, connection: Connection, **_: Any) -> None:
        for statement in stamps(connection.dialect.name, table.name, columns):
            connection.exec_driver_sql(statement)
