"""A source that asks to be left alone is left alone, and its limits of rate and order are kept."""

import re
import threading
import time
from datetime import timedelta
from email.utils import format_datetime

import pytest

from connectors.deadline import Deadline
from connectors.protocol import Failed, FailReason, Found
from tests.connectors.rest_source import case, fetched, good
from tests.connectors.stub_server import Reply


@pytest.mark.parametrize(
    ("unit", "header", "wait"),
    [
        ("auto", "7", timedelta(seconds=7)),
        ("seconds", "7", timedelta(seconds=7)),
        ("milliseconds", "60000", timedelta(seconds=60)),
        ("auto", None, timedelta(seconds=30)),
        ("auto", "soon", timedelta(seconds=30)),
        ("auto", "DATE", timedelta(seconds=90)),
    ],
)
def test_a_throttle_is_told_with_its_wait_and_not_slept_past_the_deadline(api, deadline, clock, unit, header, wait):
    if header == "DATE":
        header = format_datetime(clock() + timedelta(seconds=90), usegmt=True)
    headers = {"Retry-After": header} if header else {}
    source = api(answer=lambda asked: Reply({}, 429, headers), put={"retry_after: auto": f"retry_after: {unit}"})

    assert fetched(source, Deadline.within(5)) == Failed(FailReason.THROTTLED, wait)
    again = fetched(source, Deadline.within(5))
    assert (again.reason, again.retry_after <= wait) == (FailReason.THROTTLED, True)


def test_while_a_source_is_to_be_left_alone_it_is_not_asked(api, server):
    source = api(answer=lambda asked: Reply({}, 429, {"Retry-After": "60"}))

    for _ in range(3):
        fetched(source, Deadline.within(1))

    assert len(server.asked) == 1


def test_a_short_wait_is_waited_for(api, server, deadline):
    answers = iter([Reply({}, 429, {"Retry-After": "20"}), good()])
    source = api(answer=lambda asked: next(answers), put={"auto": "milliseconds", "tries: 1": "tries: 2"})

    assert isinstance(fetched(source, deadline), Found)


def test_a_403_with_the_header_of_a_throttle_is_one(api, server, ipdata, deadline):
    text = (ipdata / "epo_ops" / "cassette_rate_limit_exceeded.yml").read_text("utf-8")
    reason = re.search(r"X-Rejection-Reason:\n\s*- (\w+)", text)[1]
    source = api(answer=lambda asked: Reply("<error/>", 403, {"X-Rejection-Reason": reason}))

    assert fetched(source, Deadline.within(1)).reason is FailReason.THROTTLED


def test_the_worst_traffic_light_rules(api, deadline):
    lights = {"X-Throttling-Control": "busy (images=green:100, inpadoc=red:45, search=yellow:10)"}
    source = api(
        answer=lambda asked: Reply(case() | {"code": "0"}, 200, lights),
        put={"throttle: {": "throttle: {lights: X-Throttling-Control, "},
    )

    fetched(source, deadline)

    assert source.connector.health().state == "degraded"
    assert "red" in source.connector.health().note


def test_a_quota_in_the_body_is_shown_and_its_end_can_be_a_throttle(api, deadline):
    source = api(
        answer=lambda asked: good(data={"quota": {"remaining": "3"}}),
        put={"on: [429,": "on: [429, {body: \"code == '203'\"},"},
    )

    fetched(source, deadline)
    api(answer=lambda asked: Reply({"code": "203"}))

    assert source.connector.health().quota_left == 3
    assert fetched(source, deadline).reason is FailReason.THROTTLED


def test_calls_keep_to_the_rate_and_a_wait_past_the_deadline_is_told(api, server):
    put = {"throttle: {": "throttle: {rate: {requests: 1, per: PT1H, burst: 1}, "}
    source = api(answer=lambda asked: good(), put=put)

    first, second = fetched(source, Deadline.within(2)), fetched(source, Deadline.within(2))

    assert isinstance(first, Found)
    assert second.reason is FailReason.THROTTLED
    assert timedelta(minutes=59) < second.retry_after <= timedelta(hours=1)
    assert len(server.asked) == 1


def test_with_a_burst_of_one_calls_are_strictly_one_after_another(api, deadline):
    running, most = [], []

    def answer(asked):
        running.append(1)
        most.append(len(running))
        time.sleep(0.02)
        running.pop()
        return good()

    source = api(answer=answer, put={"throttle: {": "throttle: {rate: {requests: 1000, per: PT1S, burst: 1}, "})
    threads = [threading.Thread(target=fetched, args=(source, deadline)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(most), max(most)) == (4, 1)
