"""A holder that sends its records to a queue: kept by the gateway, asked for like any others, on both databases."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import text

from connectors.deadline import Deadline
from gateway.intake.quarantine import source_ref
from ipx.answers import Failed, Released
from tests.connectors.rabbitmq import rabbitmq_server
from tests.exchange.world import MARK, Gateway

pika = pytest.importorskip("pika")

NAME = "ipo-xa-trademarks"
SOURCE = """
source: {{name: ipo-xa-trademarks, holder: ipo-xa, record_type: trademark, schema_version: 1, kind: queue}}
licence: {{name: made up, onward: none}}
freshness: {{expect: P1D, stale: P3000D, follow: PT1M}}
reach: {{host: 127.0.0.1, port: {port}, queue: marks, user: office, password: "${{secret:BROKER}}", private: true,
        plain: true, complete: true, refresh: PT0S}}
read: {{format: json, records: put, deleted: removed}}
key: application_number
revised: {{path: at, use: [{{datetime: UTC}}]}}
map:
  application_number: {{path: no, use: [trim], required: true}}
  office: {{const: XA}}
  application_date: {{path: filed, use: [{{date: ["%Y-%m-%d"]}}], required: true}}
  mark_status: {{path: status, use: [{{code: {{R: registered}}}}], required: true}}
"""
on_one_database = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def broker():
    with rabbitmq_server() as server:
        yield server


@pytest.fixture
def queue(broker):
    login = pika.PlainCredentials(broker.user, broker.password)
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", broker.port, credentials=login))
    channel = connection.channel()
    channel.queue_delete("marks")
    channel.queue_declare("marks", durable=True)
    yield channel
    connection.close()


def send(queue, *messages):
    for message in messages:
        queue.basic_publish("", "marks", message if isinstance(message, bytes) else json.dumps(message).encode())


def waiting(queue):
    return queue.queue_declare("marks", passive=True).method.message_count


def mark(number, status="R", at="2026-01-10T00:00:00Z"):
    return {"put": {"no": str(number), "filed": "2024-01-10", "status": status, "at": at}}


@pytest.fixture
def gateway(demo, settings, broker):
    made = Gateway(demo, replace(settings, secrets={"BROKER": broker.password}))
    made.services.sources.add(SOURCE.format(port=broker.port), actor="test", replace=True)
    yield made
    made.close()


def test_a_record_from_a_queue_is_released_and_another_node_has_it_too(demo, gateway, queue, broker):
    send(queue, mark(MARK))

    first = gateway.ask()
    other = Gateway(demo, gateway.services.settings)
    try:
        source = source_ref(other.services.database, NAME)
        held = other.services.holders.fetch_key(source, None, MARK, Deadline.within(10))
    finally:
        other.close()

    assert isinstance(first, Released)
    assert held.mapped.key == MARK
    assert waiting(queue) == 0


def test_poison_goes_to_quarantine_once_and_the_rest_goes_on(gateway, queue):
    following, quarantine = gateway.services.intake.following, gateway.services.intake.quarantine
    send(queue, b"{ no json", mark(1), b"{ no json", mark(2, status="?"))

    first = following.run(NAME)
    send(queue, mark(3), b"{ no json")
    second = following.run(NAME)
    send(queue, mark(4))
    third = following.run(NAME)

    assert (first.mapped, first.quarantined) == (1, 2)
    assert (second.mapped, third.mapped, third.failure) == (1, 1, None)
    assert waiting(queue) == 0
    reasons = sorted(why["reason"] for row in quarantine.listed(NAME) for why in row.reasons)
    assert reasons == ["not_parseable", "unknown_code"]


def test_after_a_crash_before_the_watermark_is_stored_changes_come_again(gateway, queue):
    following = gateway.services.intake.following
    send(queue, mark(1), mark(2))

    def crash(record):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        following.run(NAME, crash)
    brought = []
    again = following.run(NAME, brought.append)

    assert waiting(queue) == 0
    assert [record.key for record in brought] == ["1", "2"]
    assert again.failure is None


@on_one_database
def test_when_the_database_cannot_be_written_messages_stay_in_the_queue(gateway, queue, monkeypatch):
    send(queue, mark(MARK))
    deliveries = gateway.services.holders._deliveries

    def full(*_):
        raise OSError(28, "no space")

    monkeypatch.setattr(deliveries, "file", full)
    refused = gateway.ask()
    left = waiting(queue)
    monkeypatch.undo()

    assert isinstance(refused, Failed)
    assert left == 1
    assert isinstance(gateway.ask(), Released)


@on_one_database
def test_what_is_kept_is_encrypted(gateway, queue):
    send(queue, mark("MARK-IN-CLEAR"))
    gateway.services.intake.following.run(NAME)

    with gateway.services.database.read() as session:
        row = session.execute(text("SELECT * FROM delivered_record")).one()

    assert all(b"MARK-IN-CLEAR" not in value for value in row if isinstance(value, bytes))


@on_one_database
def test_numbers_are_never_given_twice_though_poison_is_let_go(gateway, queue):
    following = gateway.services.intake.following
    for round_ in range(3):
        send(queue, b"poison %d" % round_)
        assert following.run(NAME).quarantined == 1
    send(queue, mark(1))

    assert following.run(NAME).mapped == 1
    with gateway.services.database.read() as session:
        assert session.execute(text("SELECT count(*) FROM delivered_record")).scalar() == 1
