"""A database that is down, silent, slow, killed or missing is a failure by the deadline, never an absent record."""

import logging
import socket
import time
from datetime import timedelta

from connectors.deadline import Deadline
from connectors.kinds import sql
from connectors.protocol import Failed, FailReason, Found
from tests.connectors.detentions import D1, SOURCE, detention, on_a_server


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


def test_a_file_that_is_missing_is_not_made(tmp_path, opened, write_source, deadline):
    source = opened(write_source(SOURCE, kind="sql"), DSN=f"sqlite:///{tmp_path / 'none.db'}")

    assert source.connector.fetch(D1, deadline) == Failed(FailReason.UNREACHABLE)
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_is_no_database_is_unreachable(tmp_path, opened, write_source, deadline):
    (tmp_path / "x.db").write_text("not a database, just a text that is long enough to be looked at" * 20)
    source = opened(write_source(SOURCE, kind="sql"), DSN=f"sqlite:///{tmp_path / 'x.db'}")

    assert source.connector.fetch(D1, deadline) == Failed(FailReason.UNREACHABLE)
