"""What cannot work or could write is refused at the start: a table that is not there, an account with more rights."""

import pytest
import sqlalchemy as sa

from connectors.errors import SourceFileError, SourceRefusedError
from connectors.kinds import sql
from connectors.protocol import Failed, FailReason
from tests.connectors.detentions import D1, SOURCE, TABLES, detention, on_a_server


def test_nothing_can_be_written_through_the_connector(customs, holder):
    source = customs(detention("D-1"))
    engine = source.connector._inner._engine

    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
        connection.exec_driver_sql("INSERT INTO DETENTION_DEL VALUES ('x', '2026-01-01 00:00:00')")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("table: DETENTION\n", "table: NO_SUCH\n", "no table NO_SUCH"),
        ("table: DETENTION_LINE", "table: NO_LINE", "no table NO_LINE"),
        ("key: DET_NO\n", "key: NO_COLUMN\n", "no column NO_COLUMN"),
        ("path: PORT", "path: HARBOUR", "no column HARBOUR"),
        ("path: GDS_NM", "path: GOODS", "no column GOODS"),
        ("each: lines", "each: rows", "child rows"),
        ("column: UPD_TS", "column: UPDATED", "no column UPDATED"),
        ("revised: {path: UPD_TS", "revised: {path: CHANGED", "no column CHANGED"),
    ],
)
def test_a_table_or_column_that_is_not_there_is_told_at_the_start(customs, old, new, said):
    with pytest.raises(SourceRefusedError, match=said):
        customs(**{old: new})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("path: DET_NO, use: [trim]", "path: DET_NO, use: [trim, upper]", "cannot be turned back"),
        ("path: DET_NO, use: [trim]", "path: DET_NO", "padded"),
        ("path: DET_NO, use: [trim]", "path: PORT, use: [trim]", "must be the column"),
        ("ops: [eq, ne, in]", "ops: [ge]", "no order"),
        ("stage: {column: STAGE", "stage: {column: PORT", "another column"),
        ("stage: {column: STAGE", "port_of_entry: {column: UPD_TS", "another column"),
    ],
)
def test_a_key_or_push_down_that_would_lie_is_refused_at_the_start(customs, old, new, said):
    with pytest.raises(SourceFileError, match=said):
        customs(**{old: new})


def test_one_table_of_deletions_without_a_column_is_told_too(customs):
    with pytest.raises(SourceRefusedError, match="no column GONE_AT"):
        customs(**{"at: DEL_TS": "at: GONE_AT"})


@pytest.mark.parametrize("address", ["not an address", "sqlite://", "sqlite:///relative.db", "dbase:///x"])
def test_an_address_that_cannot_be_used_is_refused_without_being_repeated(opened, write_source, address):
    with pytest.raises(SourceFileError) as caught:
        opened(write_source(SOURCE, kind="sql"), DSN=address)

    assert address not in str(caught.value)


@pytest.mark.parametrize(
    ("grant", "said"),
    [
        ("GRANT INSERT ON DETENTION TO ipx_reader", "may write table detention"),
        ("GRANT UPDATE (PORT) ON DETENTION TO ipx_reader", "may write table detention"),
        ("GRANT DELETE ON DETENTION_LINE TO ipx_reader", "may write table detention_line"),
        ("GRANT CREATE ON SCHEMA public TO ipx_reader", "may make tables in schema public"),
        ("ALTER TABLE DETENTION_DEL OWNER TO ipx_reader", "may write table detention_del"),
    ],
)
@on_a_server
def test_an_account_that_can_write_is_refused_at_the_start(customs, grant, said):
    with pytest.raises(SourceRefusedError, match=said):
        customs(grant)


@on_a_server
def test_a_superuser_is_refused(holder, opened, write_source):
    holder.run(*TABLES)
    owner = holder.engine.url.render_as_string(hide_password=False)

    with pytest.raises(SourceRefusedError, match="superuser"):
        opened(write_source(SOURCE, kind="sql"), DSN=owner)


@on_a_server
def test_an_account_that_was_given_more_while_the_server_was_down_is_refused_at_the_first_call(
    holder, opened, write_source, deadline, monkeypatch
):
    holder.run(*TABLES, detention("D-1"))
    with monkeypatch.context() as away:
        away.setattr(sql.SqlConnector, "look", lambda self: Failed(FailReason.UNREACHABLE))
        source = opened(write_source(SOURCE, kind="sql"), DSN=holder.reader)

    holder.run("GRANT INSERT ON DETENTION TO ipx_reader")

    assert source.connector.fetch(D1, deadline) == Failed(FailReason.REFUSED_ACCOUNT)


@on_a_server
def test_a_right_that_comes_by_another_role_counts_too(customs, holder):
    holder.run("DROP ROLE IF EXISTS ipx_writers", "CREATE ROLE ipx_writers NOLOGIN")
    try:
        with pytest.raises(SourceRefusedError, match="may write table detention"):
            customs("GRANT INSERT ON DETENTION TO ipx_writers", "GRANT ipx_writers TO ipx_reader")
    finally:
        holder.run("DROP OWNED BY ipx_writers", "DROP ROLE ipx_writers")
