"""Whatever a server does wrong ends in a failure with its reason, by the deadline (connectors.md, section 7)."""

import gzip
import socket
import time

import pytest

from connectors.deadline import Deadline
from connectors.protocol import Failed, FailReason, Found
from tests.connectors.rest_source import fetched, good
from tests.connectors.stub_server import Reply, serving


def test_a_login_page_with_status_200_is_no_answer(api, deadline):
    source = api(answer=lambda asked: Reply(b"<html>sign in</html>", 200, {"Content-Type": "text/html; charset=utf-8"}))

    assert fetched(source, deadline) == Failed(FailReason.BAD_ANSWER)


def test_a_redirect_is_not_followed(api, deadline):
    with serving() as other:
        other.answer = lambda asked: good()
        source = api(answer=lambda asked: Reply(b"", 302, {"Location": f"{other.base}/cases/C-1"}))

        assert fetched(source, deadline) == Failed(FailReason.BAD_ANSWER)
        assert other.asked == []


@pytest.mark.parametrize("what", ["body", "headers"])
def test_a_slow_drip_ends_by_the_deadline(api, what):
    raw = good().bytes()
    reply = Reply(wire=raw, drip_seconds=0.05)
    if what == "headers":
        reply = Reply(wire=b"HTTP/1.1 200 OK\r\n" + b"X-Pad: 1\r\n" * 500, drip_seconds=0.05)
    source = api(answer=lambda asked: reply)
    began = time.monotonic()

    assert fetched(source, Deadline.within(0.3)) == Failed(FailReason.TIMEOUT)
    assert time.monotonic() - began < 6


WHOLE = good().bytes()


@pytest.mark.parametrize(
    "wire",
    [b"", WHOLE[:30], WHOLE[: WHOLE.index(b"\r\n\r\n") + 4], WHOLE[:-5], b"\x15\x03\x01 not http at all\r\n\r\n"],
    ids=["before headers", "in headers", "after Content-Length", "mid-body", "not HTTP"],
)
def test_a_connection_that_breaks_off_fails(api, deadline, wire):
    source = api(answer=lambda asked: Reply(wire=wire))

    assert fetched(source, deadline) == Failed(FailReason.UNREACHABLE)


def test_a_body_cut_off_without_a_length_is_not_taken(api, deadline):
    cut = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{"code": "0", "caseNo": "C'
    source = api(answer=lambda asked: Reply(wire=cut))

    assert fetched(source, deadline) == Failed(FailReason.RECORD_UNREADABLE)


def packed(body, **headers):
    return Reply(gzip.compress(body), 200, {"Content-Encoding": "gzip", **headers})


def test_a_packed_answer_is_read_and_a_bomb_is_not(api, deadline):
    plain = b'{"code": "0", "caseNo": "C-1", "updatedAt": "2026-01-10T08:00:00Z"}'
    cut = Reply(gzip.compress(plain)[:-9], 200, {"Content-Encoding": "gzip"})
    answers = iter(
        [packed(plain), packed(b" " * 50_000_000), cut, Reply(b"no gzip", 200, {"Content-Encoding": "gzip"})]
    )
    source = api(answer=lambda asked: next(answers))

    outcomes = [fetched(source, deadline) for _ in range(4)]

    assert outcomes[0].key == "C-1"
    assert [outcome.reason for outcome in outcomes[1:]] == [
        FailReason.BAD_ANSWER,
        FailReason.UNREACHABLE,
        FailReason.BAD_ANSWER,
    ]


def test_a_body_beyond_the_limit_is_not_read_to_its_end(api, deadline):
    source = api(answer=lambda asked: Reply(b" " * 20_001))

    assert fetched(source, deadline) == Failed(FailReason.BAD_ANSWER)


@pytest.mark.parametrize(
    "body",
    [
        b'{"code": "0", "caseNo": "D\xfcsseldorf"}',
        b'{"code": "0", "caseNo": "C-1", "caseNo": "C-2"}',
        b"",
        b'{"code": NaN}',
    ],
    ids=["wrong charset", "duplicate key", "empty", "NaN"],
)
def test_a_body_that_has_not_one_meaning_is_unreadable(api, deadline, body):
    source = api(answer=lambda asked: Reply(body))

    assert fetched(source, deadline) == Failed(FailReason.RECORD_UNREADABLE)


def test_a_server_fault_is_tried_again_as_often_as_allowed(api, server, deadline, monkeypatch):
    monkeypatch.setattr("connectors.kinds.rest_sender.BACK_OFF_SECONDS", 0.01)
    answers = iter([Reply(wire=b""), Reply({}, 503), good()])
    source = api(answer=lambda asked: next(answers), put={"tries: 1": "tries: 3"})

    assert isinstance(fetched(source, deadline), Found)
    assert len(server.asked) == 3


def test_a_dead_server_is_left_alone_after_five_calls(api, server, deadline):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    source = api(base=dead)

    reasons = [fetched(source, deadline).reason for _ in range(6)]

    assert reasons == [FailReason.UNREACHABLE] * 5 + [FailReason.BREAKER_OPEN]
