"""The same signed request is answered once, whoever sends it how often."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from ipx.answers import Released
from ipx.ids import uuid7
from ipx.problems import ProblemError
from tests.exchange.world import CUSTOMS, OFFICE


def test_the_same_bytes_get_the_same_answer_and_nothing_is_logged_again(gateway):
    request = gateway.sign()
    first = gateway.client().send(request)
    size = gateway.count("log_entry")

    second = gateway.client().send(request)

    assert second.evidence.raw == first.evidence.raw
    assert second.evidence.is_replayed
    assert not first.evidence.is_replayed
    assert gateway.count("exchange") == 1
    assert gateway.count("log_entry") == size


def test_a_refusal_is_repeated_byte_for_byte_too(gateway):
    record = gateway.urn("ipo-xb", number="2023889012")
    request = gateway.sign(OFFICE, holder="ipo-xb", record=record, purpose="examination")

    first, second = (gateway.client(OFFICE).send(request) for _ in range(2))

    assert first.evidence.raw == second.evidence.raw


def test_the_answer_can_still_be_fetched_after_the_request_has_expired(gateway, monkeypatch):
    request = gateway.sign()
    first = gateway.client().send(request)
    clock = gateway.services.clock
    monkeypatch.setattr(gateway.services.journal._requests, "_clock", lambda: clock() + timedelta(minutes=10))

    second = gateway.client().send(request)

    assert second.evidence.raw == first.evidence.raw


def test_another_request_with_the_same_jti_is_refused(gateway):
    jti = uuid7()
    gateway.client().send(gateway.sign(jti=jti))

    with pytest.raises(ProblemError) as refused:
        gateway.client().send(gateway.sign(jti=jti, purpose="notify_owner"))

    assert refused.value.problem.slug == "jti-reused"


def test_two_clients_may_use_the_same_jti(gateway):
    jti = uuid7()
    record = gateway.urn("customs-xa", "customs_recordal", "R2025-0031")

    mine = gateway.client(CUSTOMS).send(gateway.sign(jti=jti))
    theirs = gateway.client(OFFICE).send(
        gateway.sign(OFFICE, jti=jti, holder="customs-xa", record=record, purpose="examination")
    )

    assert isinstance(mine, Released)
    assert isinstance(theirs, Released)


def test_sixteen_copies_at_once_ask_the_holder_once_and_log_once(gateway):
    request = gateway.sign()
    client = gateway.client()
    calls, answers, problems = [], [], []
    fetch = gateway.services.holders.fetch

    def counted(*given):
        calls.append(given)
        return fetch(*given)

    gateway.services.broker._holders.fetch = counted
    start = threading.Barrier(16)

    def send():
        start.wait()
        try:
            answers.append(client.send(request))
        except ProblemError as problem:
            problems.append(problem.problem.slug)

    threads = [threading.Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(calls) == 1
    assert set(problems) <= {"in-flight"}
    assert len({answer.evidence.receipt for answer in answers}) == 1
    with gateway.services.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM log_entry WHERE step_id LIKE 'exchange:%'")) == 1
