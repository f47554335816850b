"""The database itself refuses to change or remove what is evidence, whoever asks."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.audit.models import AuditEntry
from gateway.evidence.leaf import Leaf

CHANGES = [
    "UPDATE {table} SET {column} = {column}",
    "DELETE FROM {table}",
    "DELETE FROM {table} WHERE 1 = 1",
]


@pytest.fixture
def filled(log, database, clock):
    log.append(Leaf("exchange:1:final", b"{}"))
    with database.write() as session:
        session.add(AuditEntry(id="1", at=clock(), actor="a", act="b", subject="c", detail={}))


@pytest.mark.parametrize("statement", CHANGES)
@pytest.mark.parametrize(("table", "column"), [("log_entry", "entry"), ("audit_entry", "actor")])
def test_rows_of_evidence_cannot_be_changed_or_removed(filled, database, table, column, statement):
    with pytest.raises(DBAPIError, match="append-only"), database.write_connection() as connection:
        connection.execute(text(statement.format(table=table, column=column)))

    with database.read_connection() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 1


@pytest.mark.parametrize("table", ["log_entry", "audit_entry"])
def test_tables_of_evidence_cannot_be_emptied_at_once(filled, database, table):
    if database.is_sqlite:
        pytest.skip("SQLite has no TRUNCATE")
    with pytest.raises(DBAPIError, match="append-only"), database.write_connection() as connection:
        connection.execute(text(f"TRUNCATE {table}"))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT OR REPLACE INTO log_entry VALUES (0, 'exchange:1:final', x'00', x'00')",
        "INSERT OR REPLACE INTO log_entry VALUES (0, 'exchange:2:final', x'00', x'00')",
        "INSERT OR REPLACE INTO log_entry VALUES (1, 'exchange:1:final', x'00', x'00')",
        "REPLACE INTO audit_entry (id, at, actor, act, subject, detail) VALUES ('1', '2026-01-01', '', '', '', '{}')",
    ],
)
def test_a_row_cannot_be_replaced_on_sqlite(filled, database, statement):
    """`INSERT OR REPLACE` deletes without firing a DELETE trigger (https://www.sqlite.org/lang_conflict.html)."""
    if not database.is_sqlite:
        pytest.skip("a statement of SQLite")
    with pytest.raises(DBAPIError, match="append-only"), database.write_connection() as connection:
        connection.execute(text(statement))
