"""Tables whose rows are never changed or removed: the database itself refuses, whoever asks."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, event

_FUNCTION = """
CREATE OR REPLACE FUNCTION ipx_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only', ERRCODE = 'integrity_constraint_violation';
END $$
"""


def refusals(dialect: str, table: str, unique: Sequence[str]) -> list[str]:
    """Give the statements that make a table append-only on `sqlite` or `postgresql`.

    Args:
        dialect: the dialect's name as SQLAlchemy says it.
        table: the table's name.
        unique: its unique columns. SQLite needs them: `INSERT OR REPLACE` removes the row that is in the way without
            firing a DELETE trigger (https://www.sqlite.org/lang_conflict.html), so such an insert is refused itself.
    """
    if dialect == "postgresql":
        run = "EXECUTE FUNCTION ipx_append_only()"
        return [
            _FUNCTION,
            f"CREATE TRIGGER {table}_keeps_rows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {run}",
            f"CREATE TRIGGER {table}_keeps_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {run}",
        ]
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    taken = " OR ".join(f"{column} = NEW.{column}" for column in unique)
    is_taken = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {taken})"  # noqa: S608  (our own names, no input)
    return [
        f"CREATE TRIGGER {table}_keeps_rows BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_keeps_all BEFORE DELETE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} {is_taken} {refuse}",
    ]


def refuse_changes(table: Table, unique: Sequence[str]) -> None:
    """Let `create_all` give the table its triggers, as the migration does."""

    @event.listens_for(table, "after_create")
    def _protect(_table: Table, connection: Connection, **_: Any) -> None:
        for statement in refusals(connection.dialect.name, table.name, unique):
            connection.exec_driver_sql(statement)
