"""Each way in which a holder fails: nothing is released, there is a receipt, /health names it, it ends without hands.

What of the gateway itself may break is in test_broken_parts.py.
"""

import gzip
import json

import pytest

from connectors.breaker import FAILURES
from ipx.answers import Failed, Released
from tests.connectors.stub_server import Reply, serving
from tests.exchange.breaking import failing
from tests.exchange.test_faults import folder_source, put_source
from tests.exchange.world import OFFICE

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


@pytest.fixture
def holder(each_gateway):
    """A holder's API that answers as it is told, and the source file that reads it."""
    with serving() as server:
        each_gateway.services.sources.add(API.replace("BASE", server.base), actor="operator:test", replace=True)
        yield server


def ask_abroad(gateway):
    return gateway.ask(OFFICE, "ipo-xb", number=NUMBER, purpose="examination")


def leaves(gateway):
    return gateway.count("log_entry WHERE step_id LIKE 'exchange:%'")


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_a_holder_that_answers_badly_is_named_gets_nothing_released_and_is_asked_again(each_gateway, holder, misdeed):
    reply, stage, reason = MISDEEDS[misdeed]
    holder.answer = lambda asked: reply
    before = leaves(each_gateway)

    answer = ask_abroad(each_gateway)

    assert isinstance(answer, Failed)
    assert (answer.stage, answer.reason) == (stage, reason)
    assert b"AURELIS" not in answer.evidence.raw
    assert each_gateway.receipt(answer)["outcome"] == "failed"
    assert leaves(each_gateway) == before + 1
    assert failing(each_gateway) == (200, {"holders": "the systems of these fail: ipo-xb"})

    holder.answer = lambda asked: mark()
    assert isinstance(ask_abroad(each_gateway), Released)
    assert failing(each_gateway) == (200, {})


def test_a_holder_whose_folder_is_gone_fails_and_never_says_absent(each_gateway, tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    record = {"APPL_NO": NUMBER, "APPL_DT": "2023-04-01", "MARK_TEXT": "AURELIS"}
    (folder / f"{NUMBER}.json").write_text(json.dumps(record))
    put_source(each_gateway, folder_source(folder))
    assert isinstance(ask_abroad(each_gateway), Released)

    folder.rename(tmp_path / "away")
    answer = ask_abroad(each_gateway)

    assert isinstance(answer, Failed)
    assert answer.stage == "holder"
    assert each_gateway.receipt(answer)["outcome"] == "failed"
    assert failing(each_gateway) == (200, {"holders": "the systems of these fail: ipo-xb"})
    (tmp_path / "away").rename(folder)
    assert isinstance(ask_abroad(each_gateway), Released)


def test_a_holder_that_is_silent_again_and_again_is_left_alone(each_gateway, holder):
    holder.answer = lambda asked: Reply(wire=b"")
    for _ in range(FAILURES):
        ask_abroad(each_gateway)
    asked = len(holder.asked)

    answer = ask_abroad(each_gateway)

    assert isinstance(answer, Failed)
    assert answer.stage == "holder"
    assert each_gateway.receipt(answer)["outcome"] == "failed"
    assert len(holder.asked) == asked
    assert "ipo-xb" in failing(each_gateway)[1]["holders"]
