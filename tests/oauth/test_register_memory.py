"""What is remembered of the register ends with the very change that would make it wrong, whoever makes the change."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, text, update

from gateway.agencies.models import STAMPED as AGENCY_TABLES
from gateway.agencies.models import RegisterStamp
from gateway.agencies.register import RegisterMemory
from gateway.oauth.models import STAMPED as OAUTH_TABLES
from gateway.tables import Base

TABLES = [Base.metadata.tables[name] for name in (*AGENCY_TABLES, *OAUTH_TABLES)]
SILENT = {
    "client_key": {"id", "client_id", "alg", "revoked_reason", "suspended_reason", "last_used_at", "warned_days"},
    "client_key_set": {"client_id", "asked_at", "problem"},
}
"""Columns that decide on no call, or never change. Some change with every sign-in, and would empty the memory."""


@pytest.fixture
def rows(database, clock):
    """One row in every table whose changes count, the rows they refer to first."""
    now = clock()
    times = {"created_at": now, "valid_from": now, "valid_until": now + timedelta(days=1), "revoked_at": None}
    with database.write_connection() as connection:
        for code in ("customs-xa", "court-xa"):
            _put(connection, "agency", code=code, kind="customs", name="Customs", jurisdictions=["XA"], **times)
        _put(connection, "client", id="customs-xa.intake", agency_code="customs-xa", name="Intake", **times)
        key = {"client_id": "customs-xa.intake", "kid": "k", "alg": "ES256", "jwk": {}}
        _put(connection, "client_key", **key, is_fetched=False, **times)
        _put(connection, "client_key_set", client_id="customs-xa.intake", uri="https://customs.example/keys")
        _put(connection, "source", name="s", holder="customs-xa", record_type="detention", text="", sha256="0", **times)
        _put(connection, "quota", subject="customs-xa", per_day=1)
        _put(connection, "delegation", id="d", consumer="customs-xa", supplier="court-xa", scopes=[], **times)
        _put(connection, "revoked_token", jti="j", client_id="customs-xa.intake", exp=1, **times | {"revoked_at": now})
    return database


def _put(connection, table, **values):
    table = Base.metadata.tables[table]
    defaults = {"scopes": [], "purposes": []}
    given = {name: value for name, value in (defaults | values).items() if name in table.c}
    connection.execute(insert(table).values(given))


def _stamp(database):
    with database.read_connection() as connection:
        return connection.scalar(select(RegisterStamp.stamp))


@pytest.mark.parametrize(
    ("table", "column"), [(table.name, column.name) for table in TABLES for column in table.c], ids="-".join
)
def test_a_change_of_any_column_that_decides_renews_the_stamp_and_of_another_does_not(rows, table, column):
    before = _stamp(rows)
    with rows.write_connection() as connection:
        connection.execute(text(f"UPDATE {table} SET {column} = {column}"))

    assert (_stamp(rows) != before) is (column not in SILENT.get(table, ()))


@pytest.mark.parametrize("table", [table.name for table in TABLES if table.name not in {"agency", "client"}])
def test_a_row_that_goes_renews_the_stamp(rows, table):
    before = _stamp(rows)
    with rows.write_connection() as connection:
        connection.execute(delete(Base.metadata.tables[table]))

    assert _stamp(rows) != before


def test_nothing_is_read_twice_under_one_stamp_and_all_of_it_under_the_next(rows):
    memory, reads = RegisterMemory(rows), []
    ask = lambda: memory.view().of("who", lambda: reads.append(1) or len(reads))  # noqa: E731

    first, second = ask(), ask()
    with rows.write_connection() as connection:
        connection.execute(update(Base.metadata.tables["agency"]).values(name="renamed"))
    third = ask()

    assert (first, second, third) == (1, 1, 2)


def test_a_view_that_a_call_holds_keeps_its_answers_while_the_register_changes(rows):
    view = RegisterMemory(rows).view()
    view.of("who", lambda: "before")
    with rows.write_connection() as connection:
        connection.execute(update(Base.metadata.tables["agency"]).values(name="renamed"))

    assert view.of("who", lambda: "after") == "before"


def test_a_change_that_is_rolled_back_changes_no_stamp(rows):
    before = _stamp(rows)
    with rows.writer.begin() as connection:
        connection.execute(update(Base.metadata.tables["agency"]).values(name="renamed"))
        connection.get_transaction().rollback()

    assert _stamp(rows) == before


def test_where_nobody_stamps_nothing_is_remembered(database):
    memory, reads = RegisterMemory(database), []
    for _ in range(2):
        memory.view().of("who", lambda: reads.append(1))

    assert len(reads) == 2
