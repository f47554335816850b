"""MariaDB from Debian's package: what it does otherwise than other databases must not show."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from connectors.deadline import Deadline
from connectors.errors import SourceFileError, SourceRefusedError
from connectors.kinds import sql_account
from connectors.mapping import Mapped
from connectors.protocol import Absent, Failed, FailReason, RecordKey
from connectors.row_filter import Compare, Op
from tests.connectors.detentions import SOURCE, TABLES, detention, line

D1 = RecordKey("D-1")

pytestmark = pytest.mark.parametrize("holder", ["mariadb"], indirect=True)


@pytest.fixture
def customs(holder, opened, write_source):
    def make(*statements, text=SOURCE):
        holder.run(*TABLES, *statements)
        return opened(write_source(text, kind="sql", record_type="detention"), DSN=holder.reader)

    return make


def test_a_row_is_fetched_with_its_child_rows_and_mapped(customs, deadline):
    source = customs(detention("D-1", port="税关 Ä"), line("D-1", 2, "bags", "1"), line("D-1", 1))

    found = source.connector.fetch(D1, deadline)
    outcome = source.apply(found)

    assert isinstance(outcome, Mapped)
    assert found.revised == datetime(2026, 1, 10, 0, 0, tzinfo=UTC)
    assert (outcome.fields["port_of_entry"], outcome.fields["stage"]) == ("税关 Ä", "suspended")
    assert [item["quantity"] for item in outcome.fields["goods"]] == ["12.5", "1"]


@pytest.mark.parametrize("key", ["d-1", "D-1 ", "D-1' OR '1'='1", "D\u20111", "%"])
def test_a_key_is_that_very_text_though_collations_know_no_case(customs, deadline, key):
    source = customs(detention("D-1"))

    assert source.connector.fetch(RecordKey(key), deadline) == Absent()


def test_a_search_compares_as_the_mapped_record_would(customs, deadline):
    source = customs(*(detention(f"D-{n}", stage="3" if n % 2 else "1") for n in range(5)))

    seized = source.connector.search(Compare(Op.EQ, "stage", "seized"), None, deadline)

    assert [found.key for found in seized.found] == ["D-1", "D-3"]


def test_changes_and_deletions_follow_the_watermark(customs, holder, deadline):
    source = customs(
        detention("D-1"),
        detention("D-2", at="2026-01-10 09:00:00"),
        "INSERT INTO DETENTION_DEL VALUES ('D-9', '2026-01-10 08:00:00')",
    )

    first = source.connector.changes(None, deadline)
    holder.run(detention("D-5", at="2026-01-11 08:00:00"))
    second = source.connector.changes(first.next, deadline)

    assert ([found.key for found in first.found], first.deleted) == (["D-1", "D-2"], ("D-9",))
    assert "D-5" in [found.key for found in second.found]


def test_nothing_can_be_written_and_a_slow_statement_ends(customs, holder, deadline):
    source = customs(detention("D-1"))
    connector = source.connector._inner

    def work(connection):
        connection.exec_driver_sql("SELECT sleep(5)")

    assert connector._within(Deadline.within(0.3), connector._connected(work)) == Failed(FailReason.TIMEOUT)
    with connector._engine.connect() as connection:
        connector._dialect.begin(connection.connection.driver_connection, connection.exec_driver_sql, 5)
        with pytest.raises(sa.exc.DBAPIError):
            connection.exec_driver_sql("DELETE FROM DETENTION")


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT INSERT ON {db}.* TO ipx_reader@localhost",
        "GRANT UPDATE (PORT) ON {db}.DETENTION TO ipx_reader@localhost",
        "GRANT CREATE ON *.* TO ipx_reader@localhost",
        "GRANT SELECT ON {db}.* TO ipx_reader@localhost WITH GRANT OPTION",
        "GRANT ipx_writers TO ipx_reader@localhost",
    ],
)
def test_an_account_that_can_write_is_refused(holder, opened, write_source, grant):
    name = holder.engine.url.database
    holder.run(*TABLES)
    holder.run("CREATE OR REPLACE ROLE ipx_writers", f"GRANT DELETE ON {name}.* TO ipx_writers")
    holder.run(grant.format(db=name))

    with pytest.raises(SourceRefusedError, match="privilege"):
        opened(write_source(SOURCE, kind="sql", record_type="detention"), DSN=holder.reader)


def test_a_table_that_is_not_there_is_told(customs):
    with pytest.raises(SourceRefusedError, match="NO_SUCH"):
        customs(text=SOURCE.replace("table: DETENTION\n", "table: NO_SUCH\n"))


@pytest.mark.parametrize(
    ("address", "driver", "extra"),
    [
        ("oracle+oracledb://u:p@h/x", "oracledb", "oracle"),
        ("mssql+pyodbc://u:p@h/x", "pyodbc", "sqlserver"),
        ("mariadb://u:p@h/x", "pymysql", "mysql"),
    ],
)
def test_a_driver_that_is_not_installed_is_named_with_the_extra_that_brings_it(
    holder, monkeypatch, address, driver, extra
):
    monkeypatch.setattr(sql_account, "find_spec", lambda name: None)

    with pytest.raises(SourceFileError, match=rf"{driver}.*ipx-gateway\[{extra}\]"):
        sql_account.dialect_of(address)
