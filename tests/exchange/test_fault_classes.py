"""One class of fault after the other: nothing is released, the failure has its receipt, and it ends without hands."""

import gzip
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, event, text

from connectors.breaker import FAILURES
from gateway.demo.run import free_port
from ipx.answers import Failed, Released
from ipx.problems import UnavailableError
from tests.connectors.stub_server import Reply, serving
from tests.exchange.world import OFFICE, Gateway

NUMBER = "2023889012"
API = """
source: {name: ipo-xb-trademarks, holder: ipo-xb, record_type: trademark, schema_version: 1, kind: rest}
licence: {name: bilateral arrangement XA-XB, onward: none}
freshness: {expect: P1D, stale: P7D}
reach:
  base: "BASE"
  private: true
  fetch: {get: "/marks/{key}"}
  items: data
  success: "code == '0'"
  absent: "code == 'NO_DATA'"
  limits: {connect_seconds: 2, read_seconds: 1, total_seconds: 1, body_bytes: 20000, tries: 1, rows: 10}
read: {format: json, encoding: utf-8}
key: application_number
map:
  office: {const: XB}
  application_number: {path: number, use: [trim], required: true}
  application_date: {path: filed, use: [{date: ["%Y-%m-%d"]}], required: true}
  verbal_element: {path: words, use: [collapse]}
on_error: {default: quarantine}
"""


def mark(**changes):
    return Reply({"code": "0", "number": NUMBER, "filed": "2023-04-01", "words": "AURELIS"} | changes)


WHOLE = mark().bytes()
HEAD = WHOLE.index(b"\r\n\r\n") + 4
BOMB = Reply(gzip.compress(b" " * 20_000_000), 200, {"Content-Encoding": "gzip"})
MISDEEDS = {
    "closes before headers": (Reply(wire=b""), "holder", "unreachable"),
    "closes after headers": (Reply(wire=WHOLE[:HEAD]), "holder", "unreachable"),
    "closes mid-body": (Reply(wire=WHOLE[:-5]), "holder", "unreachable"),
    "drips": (Reply(wire=WHOLE, drip_seconds=0.05), "holder", "timeout"),
    "redirects": (Reply(b"", 302, {"Location": "/marks/other"}), "holder", "bad_answer"),
    "oversized": (mark(words="A" * 30_000), "holder", "bad_answer"),
    "gzip bomb": (BOMB, "holder", "bad_answer"),
    "error in 200": (mark(code="E1"), "holder", "bad_answer"),
    "login page": (Reply(b"<html>", 200, {"Content-Type": "text/html"}), "holder", "bad_answer"),
    "another record": (mark(number="2023000000"), "holder", "record_unreadable"),
}


@pytest.fixture(scope="module")
def holder(one_gateway):
    """A holder's API that answers as it is told, and the source file that reads it."""
    with serving() as server:
        one_gateway.services.sources.add(API.replace("BASE", server.base), actor="operator:test", replace=True)
        yield server


def ask_abroad(gateway):
    return gateway.ask(OFFICE, "ipo-xb", number=NUMBER, purpose="examination")


def leaves(gateway):
    return gateway.count("log_entry WHERE step_id LIKE 'exchange:%'")


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_a_holder_that_answers_badly_gets_nothing_released_and_is_asked_again(one_gateway, holder, misdeed):
    reply, stage, reason = MISDEEDS[misdeed]
    holder.answer = lambda asked: reply
    before = leaves(one_gateway)

    answer = ask_abroad(one_gateway)

    assert isinstance(answer, Failed)
    assert (answer.stage, answer.reason) == (stage, reason)
    assert b"AURELIS" not in answer.evidence.raw
    assert one_gateway.receipt(answer)["outcome"] == "failed"
    assert leaves(one_gateway) == before + 1

    holder.answer = lambda asked: mark()
    assert isinstance(ask_abroad(one_gateway), Released)


def test_a_holder_that_is_silent_again_and_again_is_left_alone(one_gateway, holder):
    holder.answer = lambda asked: Reply(wire=b"")
    for _ in range(FAILURES):
        ask_abroad(one_gateway)
    asked = len(holder.asked)

    answer = ask_abroad(one_gateway)

    assert isinstance(answer, Failed)
    assert answer.stage == "holder"
    assert one_gateway.receipt(answer)["outcome"] == "failed"
    assert len(holder.asked) == asked


@contextmanager
def full_disk(database):
    """Let SQLite find no room for one page more, as on a full disk: SQLITE_FULL."""

    def no_more(connection, _record):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(database.writer, "connect", no_more)
    database.dispose()
    try:
        yield
    finally:
        event.remove(database.writer, "connect", no_more)
        database.dispose()


@contextmanager
def database_down(database):
    """Let PostgreSQL cut all connections to this database and take no new one."""
    engine = create_engine(database.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    name = database.url.database
    with engine.connect() as outside:
        outside.execute(text(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false'))
        outside.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n"), {"n": name})
        try:
            yield
        finally:
            outside.execute(text(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true'))
    engine.dispose()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_full_disk_stops_exchanges_and_room_lets_them_go_on(gateway):
    assert isinstance(gateway.ask(), Released)
    released, reply = 0, None

    with full_disk(gateway.services.database):
        for _ in range(50):  # the last pages still have room for some
            reply = gateway.post(gateway.sign().encode())
            if reply.status != 200:
                break
            released += 1

        assert reply.status == 503
        assert reply.json()["type"].rpartition("/")[2] in {"store-unavailable", "log-unavailable"}
        assert "record" not in reply.json()
        assert gateway.count("exchange WHERE state = 'released'") == released + 1

    assert isinstance(gateway.ask(), Released)
    gateway.services.log.audit()


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_database_that_is_down_is_named_and_taken_up_again(gateway):
    assert isinstance(gateway.ask(), Released)
    request = gateway.sign()

    with database_down(gateway.services.database):
        with pytest.raises(UnavailableError):
            gateway.client().send(request)
        assert gateway.http.get("/readyz").json() == {"ready": False, "failing": "database"}
        assert gateway.http.get("/health").json()["failing"][0] == "database"

    answer = gateway.client().send(request)
    assert isinstance(answer, Released)
    assert not answer.evidence.is_replayed  # nothing of it was filed while the database was down
    assert gateway.http.get("/readyz").status_code == 200
    gateway.services.log.audit()


@contextmanager
def redis_at(port):
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    give_up = time.monotonic() + 60
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < give_up, "Redis did not start"
                time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_replay_store_that_is_down_lets_nobody_in_and_is_named(demo, settings):
    if shutil.which("redis-server") is None or os.environ.get("IPX_TEST_REDIS") == "skip":
        pytest.skip("no redis-server on this machine")
    port = free_port()
    with redis_at(port):
        gateway = Gateway(demo, replace(settings, redis_url=f"redis://127.0.0.1:{port}/0"))
        assert isinstance(gateway.ask(), Released)
    filed = gateway.count("exchange")

    with pytest.raises(UnavailableError):
        gateway.ask()
    assert gateway.count("exchange") == filed
    assert gateway.http.get("/readyz").json() == {"ready": False, "failing": "replay store"}

    with redis_at(port):
        assert isinstance(gateway.ask(), Released)
        assert gateway.http.get("/readyz").status_code == 200
    gateway.close()
