"""Holders that answer badly and outcomes that cannot be logged: nothing is released, and the outcome is said."""

import sqlite3
from dataclasses import replace

import pytest

from gateway.evidence.errors import LogUnavailableError
from ipx.answers import Denied, Failed, Released
from tests.exchange.world import OFFICE, Gateway

MARK_SOURCE = """
source: {name: ipo-xb-trademarks, holder: ipo-xb, record_type: trademark, schema_version: 1, kind: KIND}
licence: {name: bilateral arrangement XA-XB, onward: none}
freshness: {expect: P1D, stale: P7D}
reach: REACH
READ
key: application_number
map:
  office: {const: XB}
  application_number: {path: APPL_NO, use: [trim], required: true}
  application_date: {path: APPL_DT, use: [{date: ["%Y-%m-%d"]}], required: true}
  verbal_element: {path: MARK_TEXT, use: [collapse]}
on_error: {default: quarantine}
"""


def put_source(gateway, text):
    gateway.services.sources.add(text, actor="operator:test", replace=True)


def folder_source(folder):
    reach = f'{{location: "{folder}", match: "*.json", ready: {{quiet_seconds: 0}}}}'
    return (
        MARK_SOURCE.replace("KIND", "files")
        .replace("REACH", reach)
        .replace("READ", "read: {format: json, encoding: utf-8}")
    )


def database_source(path, table="MARK", seconds=20):
    reach = (
        f'{{url: "sqlite:///{path}", table: {table}, key: APPL_NO, limits: {{rows: 10, statement_seconds: {seconds}}}}}'
    )
    return MARK_SOURCE.replace("KIND", "sql").replace("REACH", reach).replace("READ", "")


def ask_abroad(gateway, number="2023889012", **changes):
    return gateway.ask(OFFICE, "ipo-xb", number=number, purpose="examination", **changes)


@pytest.fixture
def office_abroad(tmp_path):
    """A register in SQLite whose key column takes upper for lower case."""
    path = tmp_path / "abroad.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE MARK (APPL_NO TEXT COLLATE NOCASE, APPL_DT TEXT, MARK_TEXT TEXT)")
        connection.execute("INSERT INTO MARK VALUES ('2023889012', '2023-04-01', 'AURELIS')")
        connection.execute("INSERT INTO MARK VALUES ('TM-7A', '2023-05-01', 'BORELLA')")
        connection.execute("INSERT INTO MARK VALUES ('2023889013', 'the first of May', 'CORVANTE')")
        connection.execute(
            "CREATE VIEW SLOW AS SELECT APPL_NO, APPL_DT, MARK_TEXT FROM MARK WHERE (WITH RECURSIVE n(i) AS "
            "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT count(*) FROM n) > 0"
        )
    connection.close()
    return path


def test_a_source_file_put_in_place_of_another_serves_from_the_next_exchange_on(gateway, office_abroad):
    assert isinstance(ask_abroad(gateway), Failed)

    put_source(gateway, database_source(office_abroad))

    answer = ask_abroad(gateway)
    assert isinstance(answer, Released)
    assert answer.fields["application_date"] == "2023-04-01"


def test_a_holder_that_answers_another_record_is_caught(gateway, office_abroad):
    put_source(gateway, database_source(office_abroad))

    answer = ask_abroad(gateway, "tm-7a")

    assert isinstance(answer, Failed)
    assert (answer.stage, answer.reason) == ("verify", "another_record")


def test_a_record_that_does_not_map_is_never_served(gateway, office_abroad):
    put_source(gateway, database_source(office_abroad))

    answer = ask_abroad(gateway, "2023889013")

    assert isinstance(answer, Failed)
    assert (answer.stage, answer.reason) == ("holder", "record_unreadable")


@pytest.mark.parametrize(
    "garbage",
    [b"", b"not json", b'{"APPL_NO": "2023889012"', b'{"APPL_NO": "2023889012", "APPL_NO": "1"}', b"\xff\xfe\x00\x01"],
)
def test_a_holder_that_holds_garbage_fails_and_never_says_absent(gateway, tmp_path, garbage):
    folder = tmp_path / "marks"
    folder.mkdir()
    (folder / "2023889012.json").write_bytes(garbage)
    put_source(gateway, folder_source(folder))

    answer = ask_abroad(gateway)

    assert isinstance(answer, Failed)
    assert answer.stage == "holder"


def test_a_slow_holder_is_given_up_in_time(demo, settings, office_abroad):
    gateway = Gateway(demo, replace(settings, holder_seconds=0.5))
    put_source(gateway, database_source(office_abroad, "SLOW"))

    answer = ask_abroad(gateway)

    assert isinstance(answer, Failed)
    assert answer.slug == "holder-timeout"
    gateway.close()


def test_a_record_that_the_holder_lacks_is_no_information(gateway, office_abroad):
    put_source(gateway, database_source(office_abroad))

    answer = ask_abroad(gateway, "2020000000")

    assert isinstance(answer, Denied)
    assert answer.slug == "no-information"


def test_a_name_that_this_gateway_did_not_make_is_no_information(gateway):
    record = "urn:ipx:customs-xa:detention:" + "A" * 40

    answer = gateway.client(OFFICE).send(
        gateway.sign(OFFICE, holder="customs-xa", record=record, purpose="notify_owner")
    )

    assert isinstance(answer, Denied)
    assert answer.slug == "no-information"


def test_a_fault_inside_the_gateway_is_a_failed_exchange_with_a_receipt(gateway, monkeypatch):
    def broken(*_):
        raise RuntimeError("a fault with secret details")

    monkeypatch.setattr(gateway.services.broker._seals, "seal", broken)

    answer = gateway.ask()

    assert isinstance(answer, Failed)
    assert answer.stage == "verify"
    assert b"secret" not in answer.evidence.raw


def test_an_outcome_that_cannot_be_logged_is_not_released(gateway, monkeypatch):
    def refuse(*_):
        raise LogUnavailableError("the disk is full")

    monkeypatch.setattr(gateway.services.log, "append", refuse)

    reply = gateway.post(gateway.sign().encode())

    assert reply.status == 503
    assert reply.json()["type"].endswith("/log-unavailable")
    assert "record" not in reply.json()
    assert gateway.count("exchange WHERE state = 'received'") == 1


def test_a_record_that_no_verifier_would_read_is_not_released(gateway, monkeypatch):
    """An answer past the limit of `ipx` would be a release that nobody can check."""
    whole = gateway.ask()
    assert isinstance(whole, Released)
    monkeypatch.setattr("gateway.exchange.sealing.MAX_BYTES", 1000)

    answer = gateway.ask(number="202400052")

    assert isinstance(answer, Failed)
    assert (answer.stage, answer.reason) == ("verify", "record_too_large")
