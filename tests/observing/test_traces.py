"""A trace of an exchange: a span each step, named by its stage, with the exchange's id and nothing of its content."""

import pytest

from gateway.tracing import Tracing, read
from tests.connectors.stub_server import Reply, serving
from tests.exchange.world import MARK

export = pytest.importorskip("opentelemetry.sdk.trace.export", reason="the extra `tracing` is not installed")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")


@pytest.fixture
def spans(one_gateway, monkeypatch):
    kept = memory.InMemorySpanExporter()
    monkeypatch.setitem(one_gateway.app.extensions, "tracing", Tracing(export.SimpleSpanProcessor(kept)))
    return kept.get_finished_spans


def test_an_exchange_is_a_span_with_its_stages_below(one_gateway, spans):
    number = one_gateway.post(one_gateway.sign().encode()).json()["id"]

    whole = spans()[-1]
    steps = [span for span in spans() if span.parent and span.context.trace_id == whole.context.trace_id]
    assert whole.name == "exchange"
    assert dict(whole.attributes) == {"ipx.exchange": number, "ipx.outcome": "released"}
    assert {step.name for step in steps} == {"auth", "log", "policy", "holder", "verify", "sign"}
    assert all(step.parent.span_id == whole.context.span_id for step in steps)
    assert [step.start_time for step in steps[1:]] == [step.end_time for step in steps[:-1]]
    text = " ".join(span.to_json() for span in spans())
    assert [word for word in (MARK, "urn:ipx", "eyJ", "Cooperation", "border_enforcement") if word in text] == []


def test_a_call_that_files_nothing_is_traced_without_an_exchange(one_gateway, spans):
    one_gateway.post(b"no request")

    assert dict(spans()[-1].attributes) == {"ipx.outcome": "not_filed"}


def test_traces_are_sent_to_the_collector_that_is_named():
    with serving() as collector:
        collector.answer = lambda asked: Reply(b"", 200)
        tracing = read(f"{collector.base}/v1/traces")
        trace = tracing.begin()
        trace.reached("auth", "authenticate")
        trace.end("01a2", "released")
        tracing.close()

    [asked] = collector.asked
    assert (asked.method, asked.path) == ("POST", "/v1/traces")
    assert asked.headers["content-type"] == "application/x-protobuf"
    assert b"ipx.exchange" in asked.body


def test_without_an_address_nothing_is_traced(one_gateway):
    assert read(None) is None
    assert one_gateway.app.extensions["tracing"] is None
