import json
import logging
import socket
import sqlite3
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from connectors.deadline import Deadline
from connectors.errors import SourceFileError, SourceRefusedError
from connectors.kinds import sql, sql_changes
from connectors.mapping import Mapped
from connectors.protocol import Absent, Changes, Failed, FailReason, Found, PageMark, RecordKey, Watermark
from connectors.quarantine import Quarantined, Reason
from connectors.row_filter import EVERYTHING, Compare, Op

D1 = RecordKey("D-1")

TABLES = (
    "CREATE TABLE DETENTION (DET_NO CHAR(8), STAGE CHAR(2), SUSP_DT CHAR(10), PORT VARCHAR(40), UPD_TS TIMESTAMP)",
    "CREATE TABLE DETENTION_LINE (DET_NO VARCHAR(20), LINE_NO INTEGER, GDS_NM VARCHAR(80), QTY NUMERIC(12,3))",
    "CREATE TABLE DETENTION_DEL (DET_NO CHAR(8), DEL_TS TIMESTAMP)",
)

SOURCE = """
reach:
  url: "${secret:DSN}"
  table: DETENTION
  key: DET_NO
  children: {lines: {table: DETENTION_LINE, on: DET_NO, order: LINE_NO, max: 5}}
  watermark: {column: UPD_TS, zone: Asia/Shanghai, overlap: PT5M}
  deleted: {table: DETENTION_DEL, key: DET_NO, at: DEL_TS}
  pushdown: {stage: {column: STAGE, ops: [eq, ne, in]}}
  limits: {rows: 10, statement_seconds: 5}
key: detention_number
revised: {path: UPD_TS, use: [{datetime: Asia/Shanghai}]}
map:
  detention_number: {path: DET_NO, use: [trim], required: true}
  stage: {path: STAGE, use: [trim, {code: {"1": suspended, "3": seized}}], raw: true, required: true}
  suspended_on: {path: SUSP_DT, use: [{date: ["%Y%m%d"]}], required: true}
  port_of_entry: {path: PORT, use: [trim]}
  goods:
    each: lines
    map:
      line: {path: LINE_NO, use: [int]}
      description: {path: GDS_NM, use: [trim]}
      quantity: {path: QTY, use: [decimal]}
"""


on_a_server = pytest.mark.parametrize("holder", ["postgresql"], indirect=True)
"""For what only a server has: accounts, sessions that can be killed."""


def detention(number, *, stage="1", day="20260110", port="Port A", at="2026-01-10 08:00:00"):
    port = "NULL" if port is None else f"'{port}'"
    return f"INSERT INTO DETENTION VALUES ('{number:<8}', '{stage:<2}', '{day:<10}', {port}, '{at}')"


def line(number, no, goods="shoes", quantity="12.500"):
    return f"INSERT INTO DETENTION_LINE VALUES ('{number}', {no}, '{goods}', {quantity})"


@pytest.fixture
def customs(holder, opened, write_source):
    """Make the tables with these rows in them, and open the source with the account that reads."""

    def make(*statements, text=SOURCE, **replaced):
        holder.run(*TABLES, *statements)
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        return opened(write_source(text, kind="sql", record_type="detention"), DSN=holder.reader)

    return make


def test_a_row_is_fetched_with_its_child_rows_and_mapped(customs, deadline):
    source = customs(
        detention("D-1"), line("D-1", 2, "bags", "1"), line("D-1", 1), detention("D-2"), line("D-2", 1, "x")
    )

    found = source.connector.fetch(D1, deadline)
    outcome = source.apply(found)

    assert (found.source_ref.casefold(), found.key) == ("detention#d-1", "D-1")
    assert found.revised == datetime(2026, 1, 10, 0, 0, tzinfo=UTC)
    assert outcome.fields == {
        "detention_number": "D-1",
        "stage_raw": "1",
        "stage": "suspended",
        "suspended_on": "2026-01-10",
        "port_of_entry": "Port A",
        "goods": [
            {"line": 1, "description": "shoes", "quantity": "12.5"},
            {"line": 2, "description": "bags", "quantity": "1"},
        ],
        "extensions": outcome.fields["extensions"],
    }


def test_the_raw_form_is_sorted_compact_json_of_the_row_with_its_children(customs, deadline):
    source = customs(detention("D-1"), line("D-1", 1))

    found = source.connector.fetch(D1, deadline)
    members = json.loads(found.raw)

    assert found.media_type == "application/json"
    assert list(members) == sorted(members)
    assert len(members["lines"]) == 1
    assert found.raw == source.connector.fetch(D1, deadline).raw


def test_padding_of_fixed_width_columns_is_no_part_of_the_value(customs, deadline):
    source = customs(detention("D-1"), detention("D-22", port="  Port B  "))

    outcome = source.apply(source.connector.fetch(RecordKey("D-22"), deadline))

    assert (outcome.key, outcome.fields["stage"], outcome.fields["port_of_entry"]) == ("D-22", "suspended", "Port B")


def test_a_key_with_white_space_around_it_in_the_table_is_found_all_the_same(customs, deadline):
    source = customs("INSERT INTO DETENTION VALUES ('  D-1', '1', '20260110', NULL, '2026-01-10 08:00:00')")

    assert source.connector.fetch(D1, deadline).key == "D-1"


@pytest.mark.parametrize("key", ["D-9", "", " ", "D-1' OR '1'='1", "D-1\x00"[:3], "d-1", "D-1 --", "%", "D_1"])
def test_what_is_not_in_the_table_is_absent_and_a_key_is_never_sql(customs, deadline, key):
    source = customs(detention("D-7"))

    assert source.connector.fetch(RecordKey(key), deadline) == Absent()


def test_two_rows_with_one_key_are_not_chosen_from(customs, deadline):
    source = customs(detention("D-1"), detention("D-1", stage="3"))

    outcome = source.apply(source.connector.fetch(D1, deadline))

    assert [why.reason for why in outcome.reasons] == [Reason.DUPLICATE_IN_BATCH]


def test_more_child_rows_than_allowed_are_not_cut(customs, deadline):
    source = customs(detention("D-1"), *(line("D-1", no) for no in range(6)), detention("D-2"))

    assert source.connector.fetch(D1, deadline) == Failed(FailReason.TOO_MANY_ROWS)
    assert isinstance(source.connector.fetch(RecordKey("D-2"), deadline), Found)


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (detention("D-1", stage="9"), "stage", Reason.UNKNOWN_CODE),
        (detention("D-1", day="2026022"), "suspended_on", Reason.BAD_DATE),
        (detention("D-1", day=" "), "suspended_on", Reason.MISSING_REQUIRED),
    ],
)
def test_a_bad_value_is_quarantined_under_its_own_reason(customs, deadline, row, field, reason):
    source = customs(row)

    outcome = source.apply(source.connector.fetch(D1, deadline))

    assert isinstance(outcome, Quarantined)
    assert [(why.field, why.reason) for why in outcome.reasons] == [(field, reason)]


def test_a_search_gives_all_rows_that_pass_or_says_that_they_are_too_many(customs, holder, deadline):
    source = customs(*(detention(f"D-{n}", stage="3" if n % 2 else "1") for n in range(10)))

    seized = source.connector.search(Compare(Op.EQ, "stage", "seized"), None, deadline)
    holder.run(detention("D-10"))
    all_of_them = source.connector.search(EVERYTHING, None, deadline)

    assert [found.key for found in seized.found] == ["D-1", "D-3", "D-5", "D-7", "D-9"]
    assert (seized.complete, seized.next, seized.left_to_filter) == (True, None, EVERYTHING)
    assert all_of_them == Failed(FailReason.TOO_MANY_ROWS)
    assert source.connector.search(EVERYTHING, PageMark("x"), deadline) == Failed(FailReason.UNSUPPORTED)


def test_what_the_source_cannot_compare_is_left_to_the_gateway(customs, deadline):
    source = customs(detention("D-1"))
    wanted = Compare(Op.EQ, "port_of_entry", "Port A")

    assert source.connector.search(wanted, None, deadline).left_to_filter == wanted


def keys(changes):
    assert isinstance(changes, Changes), changes
    return [found.key for found in changes.found]


def test_changes_follow_the_watermark_with_overlap(customs, holder, deadline):
    source = customs(detention("D-1", at="2026-01-10 08:00:00"), detention("D-2", at="2026-01-10 09:00:00"))

    first = source.connector.changes(None, deadline)
    holder.run(
        detention("D-3", at="2026-01-10 08:56:00"),  # committed late, with a moment that is already past
        detention("D-4", at="2026-01-10 08:00:00"),
        detention("D-5", at="2026-01-11 08:00:00"),
    )
    second = source.connector.changes(first.next, deadline)

    assert (keys(first), first.complete) == (["D-1", "D-2"], True)
    assert keys(second) == ["D-3", "D-2", "D-5"]


def test_rows_that_share_a_moment_are_neither_lost_nor_repeated_between_batches(customs, deadline, monkeypatch):
    monkeypatch.setattr(sql_changes, "BATCH_ROWS", 3)
    source = customs(*(detention(f"D-{n}") for n in range(8)))
    batches, mark = [], None

    for _ in range(3):
        changes = source.connector.changes(mark, deadline)
        batches, mark = [*batches, (keys(changes), changes.complete)], changes.next

    assert batches == [(["D-0", "D-1", "D-2"], False), (["D-3", "D-4", "D-5"], False), (["D-6", "D-7"], True)]


def test_deletions_are_told_unless_the_record_was_entered_anew(customs, deadline):
    source = customs(
        detention("D-1"),
        "INSERT INTO DETENTION_DEL VALUES ('D-1', '2026-01-01 00:00:00')",
        "INSERT INTO DETENTION_DEL VALUES ('D-8', '2026-01-02 00:00:00')",
    )

    changes = source.connector.changes(None, deadline)

    assert changes.deleted == ("D-8",)
    assert source.connector.capabilities().deletions
    assert isinstance(source.connector.fetch(D1, deadline), Found)


def test_a_watermark_of_somebody_else_is_refused(customs, deadline):
    source = customs(detention("D-1"))

    assert source.connector.changes(Watermark("index:7"), deadline) == Failed(FailReason.MISCONFIGURED)


def test_a_source_without_watermark_has_no_changes(customs, deadline):
    text = "\n".join(line for line in SOURCE.splitlines() if "watermark:" not in line)

    source = customs(detention("D-1"), text=text)

    assert source.connector.capabilities().operations == {"fetch", "search"}
    assert source.connector.changes(None, deadline) == Failed(FailReason.UNSUPPORTED)


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


def test_a_server_that_is_down_fails_and_is_left_alone_after_five_calls(opened, write_source, deadline, clock):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    source = opened(write_source(SOURCE, kind="sql"), DSN=f"postgresql://x:pw-of-x@127.0.0.1:{port}/y")

    answers = [source.connector.fetch(D1, deadline) for _ in range(6)]

    assert answers[0] == Failed(FailReason.UNREACHABLE)
    assert answers[5] == Failed(FailReason.BREAKER_OPEN, timedelta(seconds=30))
    assert source.connector.health().state == "down"


def test_a_server_that_never_answers_fails_by_the_deadline(opened, write_source, monkeypatch):
    monkeypatch.setattr(sql, "CONNECT_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"postgresql://x:y@127.0.0.1:{silent.getsockname()[1]}/z?connect_timeout=30"
        source = opened(write_source(SOURCE, kind="sql"), DSN=address)
        began = time.monotonic()

        answer = source.connector.fetch(D1, Deadline.within(0.5))

        assert answer == Failed(FailReason.TIMEOUT)
        assert time.monotonic() - began < 15


def test_a_driver_error_is_logged_for_operators_without_the_secret(opened, write_source, deadline, caplog):
    dsn = "postgresql://reader:sw0rdfish@127.0.0.1:1/y"
    with caplog.at_level(logging.DEBUG):
        source = opened(write_source(SOURCE, kind="sql"), DSN=dsn)
        answer = source.connector.fetch(D1, deadline)

    warned = {line.getMessage() for line in caplog.records if line.levelno == logging.WARNING}
    assert warned == {"source test-source: unreachable: OperationalError"}
    assert "127.0.0.1" in caplog.text
    assert "sw0rdfish" not in caplog.text
    assert repr(answer) == repr(Failed(FailReason.UNREACHABLE))


def test_a_slow_query_ends_by_the_deadline(customs, holder, deadline):
    slow = {
        "sqlite": "CREATE VIEW SLOW AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000000)"
        " SELECT count(*) AS AMOUNT, 'D-1' AS DET_NO FROM n",
        "postgresql": "CREATE VIEW SLOW AS SELECT pg_sleep(60)::text AS AMOUNT, 'D-1' AS DET_NO",
    }[holder.dialect]
    text = """
    reach: {url: "${secret:DSN}", table: SLOW, key: DET_NO, limits: {statement_seconds: 1}}
    key: detention_number
    map: {detention_number: {path: DET_NO, use: [trim], required: true}}
    """
    source = customs(slow, text=text)
    began = time.monotonic()

    assert source.connector.fetch(D1, deadline) == Failed(FailReason.TIMEOUT)
    assert time.monotonic() - began < 9


@on_a_server
def test_a_database_killed_while_it_is_in_use_fails_and_comes_back(customs, holder, deadline):
    source = customs(detention("D-1"))
    source.connector.fetch(D1, deadline)

    holder.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ipx_reader'")

    assert isinstance(source.connector.fetch(D1, deadline), Found)


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


@pytest.fixture
def file_source(tmp_path, opened, write_source):
    """A table of one text column in an SQLite file, with the values as they are given."""

    def make(*values, encoding="utf-8", column="TEXT"):
        path = tmp_path / "texts.db"
        connection = sqlite3.connect(path)
        connection.execute(f"CREATE TABLE T (NO INTEGER, WORD {column})")
        for number, value in enumerate(values, 1):
            connection.execute("INSERT INTO T VALUES (?, CAST(? AS TEXT))", (number, value))
        connection.commit()
        connection.close()
        text = f"""
        reach: {{url: "${{secret:DSN}}", table: T, key: NO}}
        read: {{encoding: {encoding}}}
        key: number
        map: {{number: {{path: NO, use: [trim], required: true}}, word: {{path: WORD}}}}
        """
        return opened(write_source(text, kind="sql"), DSN=f"sqlite:///{path}")

    return make


def test_text_in_the_declared_encoding_is_read_and_a_byte_outside_it_is_quarantined(file_source, deadline):
    source = file_source("中文".encode("gb18030"), b"\x81\x20", encoding="gb18030")

    good = source.apply(source.connector.fetch(RecordKey("1"), deadline))
    bad = source.apply(source.connector.fetch(RecordKey("2"), deadline))

    assert good.fields["word"] == "中文"
    assert [(why.field, why.reason) for why in bad.reasons] == [("word", Reason.WRONG_ENCODING)]


def test_an_undeclared_encoding_is_never_guessed(file_source, deadline):
    source = file_source("中文".encode("gb18030"))

    outcome = source.apply(source.connector.fetch(RecordKey("1"), deadline))

    assert [why.reason for why in outcome.reasons] == [Reason.WRONG_ENCODING]


@pytest.mark.parametrize("key", ["01", "1.0", "one", "-0", "\u0661", "9" * 40])
def test_a_key_a_number_column_cannot_hold_is_absent(file_source, deadline, key):
    assert file_source("x").connector.fetch(RecordKey(key), deadline) == Absent()


def test_a_file_that_is_missing_is_not_made(tmp_path, opened, write_source, deadline):
    source = opened(write_source(SOURCE, kind="sql"), DSN=f"sqlite:///{tmp_path / 'none.db'}")

    assert source.connector.fetch(D1, deadline) == Failed(FailReason.UNREACHABLE)
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_is_no_database_is_unreachable(tmp_path, opened, write_source, deadline):
    (tmp_path / "x.db").write_text("not a database, just a text that is long enough to be looked at" * 20)
    source = opened(write_source(SOURCE, kind="sql"), DSN=f"sqlite:///{tmp_path / 'x.db'}")

    assert source.connector.fetch(D1, deadline) == Failed(FailReason.UNREACHABLE)


@pytest.mark.parametrize("address", ["not an address", "sqlite://", "sqlite:///relative.db", "dbase:///x"])
def test_an_address_that_cannot_be_used_is_refused_without_being_repeated(opened, write_source, address):
    with pytest.raises(SourceFileError) as caught:
        opened(write_source(SOURCE, kind="sql"), DSN=address)

    assert address not in str(caught.value)


def test_every_mapped_row_is_a_record(customs, deadline):
    source = customs(detention("D-1"), line("D-1", 1))

    assert isinstance(source.apply(source.connector.fetch(D1, deadline)), Mapped)


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


def test_many_deletions_come_in_batches_and_none_is_lost(customs, deadline, monkeypatch):
    monkeypatch.setattr(sql_changes, "DELETED_ROWS", 2)
    source = customs(*(f"INSERT INTO DETENTION_DEL VALUES ('D-{n}', '2026-01-02 00:00:00')" for n in range(5)))

    deleted, mark, complete = [], None, False
    while not complete:
        changes = source.connector.changes(mark, deadline)
        deleted, mark, complete = [*deleted, *changes.deleted], changes.next, changes.complete

    assert deleted == [f"D-{n}" for n in range(5)]


def test_rows_without_a_moment_are_told_because_changes_never_bring_them(customs, deadline):
    source = customs(detention("D-1"), "INSERT INTO DETENTION VALUES ('D-2', '1', '20260110', NULL, NULL)")

    changes = source.connector.changes(None, deadline)

    assert keys(changes) == ["D-1"]
    assert "1 rows without upd_ts that changes never bring" in source.connector.health().note.lower()
