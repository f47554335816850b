"""A record that is read with the driver alone: nothing may differ from what the toolkit's own execution gives."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.deadline import Deadline
from connectors.kinds.sql_direct import DirectReading
from connectors.kinds.sql_rows import ChildRows
from connectors.protocol import Absent, Failed, FailReason, Found, RecordKey
from tests.connectors.detentions import SOURCE, TABLES, detention, line

D1 = RecordKey("D-1")

on_all = pytest.mark.parametrize("holder", ["sqlite", "postgresql", "mariadb"], indirect=True)
on_a_server = pytest.mark.parametrize("holder", ["postgresql"], indirect=True)
either_way = pytest.mark.parametrize("is_direct", [True, False], ids=["driver", "toolkit"])

ODD = """
reach:
  url: "${secret:DSN}"
  table: ODD
  key: NO
  children: {below: {table: ODD, on: NO}}
key: number
map: {number: {path: NO, use: [trim], required: true}}
"""
VALUES = {
    "sqlite": ["TEXT = 'x'", "REAL = 9e999", "BLOB = X'00FF'", "NUMERIC = 1.50", "DATE = '2026-01-02'", "ANY = NULL"],
    "postgresql": [
        "TEXT = 'Ä'",
        "FLOAT8 = 'NaN'",
        "BYTEA = '\\x00ff'",
        "NUMERIC(9,3) = 1.5",
        "DATE = '2026-01-02'",
        "TIMESTAMPTZ = '2026-01-02 03:04:05+08'",
        "TIME = '03:04:05'",
        "UUID = '6f1c1c1e-0000-4000-8000-000000000001'",
        "BOOLEAN = true",
        "INTEGER[] = '{1,2}'",
        "JSONB = '{\"a\": [1]}'",
        "CHAR(9) = 'x'",
        "INTERVAL = '3 days'",
    ],
    "mysql": [
        "VARCHAR(9) = 'Ä'",
        "DOUBLE = 1.5",
        "VARBINARY(9) = X'00FF'",
        "DECIMAL(9,3) = 1.5",
        "DATE = '2026-01-02'",
        "DATETIME(6) = '2026-01-02 03:04:05.6'",
        "TIME = '03:04:05'",
        "BOOLEAN = true",
        "BIT(3) = 5",
        "CHAR(9) = 'x'",
        "YEAR = 2026",
        "JSON = '{\"a\": [1]}'",
    ],
}
NAMES = [
    "a.b",
    "50%s",
    "%(x)s",
    "two words",
    "co:lon",
    "qu?y",
    "Ärger",
    "most",
    "wanted_0",
    "param_1",
    "form",
    "select",
]


@pytest.fixture
def customs(holder, opened, write_source):
    """Make the tables with these rows, and open the source; its records are read in the given way."""

    def make(*statements, is_direct=True, text=SOURCE):
        holder.run(*TABLES, *statements)
        source = opened(write_source(text, kind="sql", record_type="detention"), DSN=holder.reader)
        inner = source.connector._inner
        assert inner._direct is not None
        if not is_direct:
            inner._direct = None
        return source

    return make


@on_all
def test_every_kind_of_value_under_every_name_of_a_column_is_as_the_toolkit_reads_it(customs, holder, deadline):
    mark = "`" if holder.dialect == "mysql" else '"'
    parts = [part.split(" = ") for part in VALUES[holder.dialect]]
    named = list(zip([*NAMES, "last"], [*parts, *parts], strict=False))
    columns = ", ".join(f"{mark}{name}{mark} {kind}" for name, (kind, _) in named)
    row = ", ".join(value for _, (_, value) in named)
    source = customs(
        f"CREATE TABLE ODD (NO VARCHAR(8), {columns})",
        f"INSERT INTO ODD VALUES ('D-1', {row})",
        f"INSERT INTO ODD VALUES ('D-2 ', {row})",
        text=ODD,
    )
    keys = [D1, RecordKey("D-2"), RecordKey("D-3")]

    directly = [source.connector.fetch(key, deadline) for key in keys]
    source.connector._inner._direct = None
    by_toolkit = [source.connector.fetch(key, deadline) for key in keys]

    assert [getattr(found, "raw", found) for found in directly] == [
        getattr(found, "raw", found) for found in by_toolkit
    ]
    assert [type(found) for found in directly] == [Found, Found, Absent]
    assert all(f'"{name}":'.encode() in directly[0].raw for name, _ in named)


@on_all
@either_way
def test_a_record_and_its_child_rows_are_of_one_state_of_the_data(customs, holder, deadline, monkeypatch, is_direct):
    if holder.dialect == "sqlite":
        holder.run("PRAGMA journal_mode=WAL")  # else nobody can write while somebody reads
    source = customs(detention("D-1"), line("D-1", 1), is_direct=is_direct)
    join = ChildRows.join

    def join_late(self, read, rows):
        holder.run(line("D-1", 2), "DELETE FROM DETENTION")
        join(self, read, rows)

    monkeypatch.setattr(ChildRows, "join", join_late)
    found = source.connector.fetch(D1, deadline)
    monkeypatch.undo()

    assert [item["line"] for item in source.apply(found).fields["goods"]] == [1]
    assert source.connector.fetch(D1, deadline) == Absent()


@on_a_server
@either_way
def test_a_connection_that_is_lost_between_a_record_and_its_child_rows_is_not_used_again(
    customs, holder, deadline, monkeypatch, is_direct, caplog
):
    source = customs(detention("D-1"), is_direct=is_direct)

    def lose(self, read, rows):
        holder.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ipx_reader'")
        join(self, read, rows)

    join = ChildRows.join
    monkeypatch.setattr(ChildRows, "join", lose)
    lost = source.connector.fetch(D1, deadline)
    monkeypatch.undo()

    assert lost == Failed(FailReason.UNREACHABLE)
    assert source.connector._inner._engine.pool.checkedout() == 0
    assert "Exception during reset" not in caplog.text  # it is not rolled back, it is gone
    assert isinstance(source.connector.fetch(D1, deadline), Found)


@on_a_server
def test_the_transaction_only_reads_one_state_and_its_statements_are_bounded(customs, deadline):
    source = customs(detention("D-1"))
    asked = ("transaction_read_only", "transaction_isolation", "statement_timeout")
    query = sa.select(*(sa.func.current_setting(name).label(name) for name in asked))
    direct = source.connector._inner._direct

    (told,) = direct.run(Deadline.within(3600), lambda read: read(query, {}))
    (bounded,) = direct.run(Deadline(7, lambda: 0), lambda read: read(query, {}))
    by_toolkit = source.connector._inner._connected(lambda connection: connection.execute(query).one())(deadline)

    assert source.connector._inner._engine.raw_connection().driver_connection.read_only  # if a proxy drops our options
    assert (told["transaction_read_only"], told["transaction_isolation"]) == ("on", "repeatable read")
    assert tuple(by_toolkit)[:2] == ("on", "repeatable read")
    assert bounded["statement_timeout"] == "7s"


@on_a_server
@either_way
def test_a_caller_for_whom_no_connection_is_left_is_told_that_it_took_too_long(customs, deadline, is_direct):
    source = customs(detention("D-1"), is_direct=is_direct)
    pool = source.connector._inner._engine.pool
    pool._timeout = 0.01
    held = [pool.connect() for _ in range(pool.size())]

    refused = source.connector.fetch(D1, deadline)
    for connection in held:
        connection.close()

    assert refused == Failed(FailReason.TIMEOUT)
    assert isinstance(source.connector.fetch(D1, deadline), Found)


@pytest.mark.parametrize("holder", ["sqlite"], indirect=True)
@either_way
def test_a_file_that_went_away_after_it_was_read_is_unreachable(customs, holder, deadline, is_direct, caplog):
    source = customs(detention("D-1"), is_direct=is_direct)
    assert isinstance(source.connector.fetch(D1, deadline), Found)

    source.connector._inner._engine.dispose()
    Path(holder.engine.url.database).unlink()

    assert source.connector.fetch(D1, deadline) == Failed(FailReason.UNREACHABLE)
    assert "source test-source: unreachable: OperationalError" in caplog.text


@pytest.mark.parametrize("holder", ["sqlite"], indirect=True)
@either_way
def test_a_table_that_went_away_is_a_source_that_lacks_what_its_file_names(customs, holder, deadline, is_direct):
    source = customs(detention("D-1"), is_direct=is_direct)
    holder.run("DROP TABLE DETENTION_LINE")

    assert source.connector.fetch(D1, deadline) == Failed(FailReason.MISCONFIGURED)


class Opened:
    """A database in memory whose connections are counted, read by a clock that goes on while one is opened."""

    def __init__(self, *, opening_seconds=0.0):
        self.now = 0.0
        self.opening_seconds = opening_seconds
        self.bounds = []
        self.count = 0
        self.engine = sa.create_engine("sqlite://", creator=self.connect, poolclass=sa.QueuePool)
        self.direct = DirectReading(self.engine, lambda driver, execute, seconds: self.bounds.append(seconds))

    def connect(self):
        self.count += 1
        self.now += self.opening_seconds
        return sqlite3.connect(":memory:", isolation_level=None)

    def run(self, work):
        return self.direct.run(Deadline(10.0, lambda: self.now), work)


@pytest.fixture
def memory():
    made = []

    def make(**options):
        made.append(Opened(**options))
        return made[-1]

    yield make
    for opened in made:
        opened.engine.dispose()


ONE = sa.select(sa.column("x")).select_from(sa.text("(SELECT 1 AS x)"))


def test_the_time_in_which_a_connection_was_waited_for_is_not_given_to_the_statements(memory):
    database = memory(opening_seconds=3.0)

    assert database.run(lambda read: read(ONE, {})) == [{"x": 1}]
    assert database.bounds == [7.0]


def test_a_reading_that_is_ended_from_outside_leaves_no_connection_that_is_used_again(memory):
    database = memory()

    def ended(read):
        read(ONE, {})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.run(ended)
    database.run(lambda read: read(ONE, {}))

    assert (database.count, database.engine.pool.checkedout()) == (2, 0)


def test_a_reading_that_fails_gives_its_connection_back_and_its_error_is_the_toolkits(memory):
    database = memory()
    missing = sa.select(sa.column("x")).select_from(sa.table("missing"))

    with pytest.raises(sa.exc.OperationalError, match="no such table"):
        database.run(lambda read: read(missing, {}))
    with pytest.raises(ValueError, match="of the caller's"):
        database.run(lambda read: [][: int("of the caller's")])
    database.run(lambda read: read(ONE, {}))

    assert (database.count, database.engine.pool.checkedout()) == (1, 0)


@pytest.mark.parametrize(
    "query",
    [
        sa.select(sa.column("x", sa.Date())),
        sa.select(sa.column("x")).where(sa.column("x", sa.Date()) == sa.bindparam("day", type_=sa.Date())),
        sa.select(sa.column("x")).where(sa.column("x").in_(sa.bindparam("wanted", expanding=True))),
    ],
    ids=["a date", "a date given", "a list of any length"],
)
def test_a_statement_that_the_toolkit_would_convert_values_for_is_not_read_directly(memory, query):
    with pytest.raises(AssertionError, match="not a statement to be read directly"):
        memory().run(lambda read: read(query, {}))
