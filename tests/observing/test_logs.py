"""Log lines of an exchange carry its id, and nothing of its record, its request or its tokens."""

import io
import json
import logging
import sys
from contextlib import contextmanager

import pytest
import structlog

from gateway import logs
from gateway.exchange.holders import Holders
from ipx.problems import ClientError
from tests.exchange.world import MARK, OFFICE

PLANTED = "Planted Personal Name"


@contextmanager
def written(monkeypatch):
    """Log as a server does, into a text."""
    heard = io.StringIO()
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    monkeypatch.setattr(sys, "stderr", heard)
    logs.configure()
    structlog.configure(cache_logger_on_first_use=False)
    try:
        yield heard
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**before)


def broken_by(error):
    def fetch(*_):
        logging.getLogger("connectors.planted").warning("a line of a connector")
        raise error

    return fetch


@pytest.mark.parametrize("error", [ValueError(PLANTED), KeyError(PLANTED), LookupError(PLANTED, {"owner": PLANTED})])
def test_every_line_of_an_exchange_names_it_and_tells_nothing_of_it(one_gateway, monkeypatch, error):
    with written(monkeypatch) as heard, monkeypatch.context() as inner:
        inner.setattr(Holders, "fetch", broken_by(error))
        reply = one_gateway.post(one_gateway.sign(case_ref=PLANTED, legal_basis=PLANTED[:7] + "basis").encode())

    lines = [json.loads(line) for line in heard.getvalue().splitlines()]
    assert reply.status in {403, 503}, reply.body
    if reply.status == 503:
        assert {line["event"] for line in lines} >= {"a line of a connector", "exchange broke"}
        assert {line["exchange"] for line in lines} == {reply.json()["exchange"]}
        assert all(line["trace_id"] for line in lines)


def test_no_value_of_a_record_and_no_token_is_ever_logged(one_gateway, monkeypatch):
    secrets = {PLANTED, MARK, "eyJ", "urn:ipx", "DPoP "}
    with written(monkeypatch) as heard:
        one_gateway.ask()
        with pytest.raises(ClientError):
            one_gateway.ask(client_id=OFFICE, purpose="marketing")
        one_gateway.post(b"not signed")
        one_gateway.http.get(f"/v1/exchanges/{PLANTED}?token={PLANTED}")
        with monkeypatch.context() as inner:
            inner.setattr(Holders, "fetch", broken_by(ValueError(PLANTED)))
            one_gateway.post(one_gateway.sign().encode())

    text = heard.getvalue()
    assert "exchange broke" in text
    assert [secret for secret in secrets if secret in text] == []
