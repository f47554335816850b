"""Log lines of an exchange carry its id, and nothing of its record, its request or its tokens."""

import io
import json
import logging
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import quote

import pytest
import structlog

from connectors.errors import SourceRefusedError
from connectors.protocol import FailReason, Found, RecordKey
from gateway import logs
from gateway.clock import utc_now
from gateway.exchange.holders import Holders
from tests.exchange.world import CUSTOMS, MARK, OFFICE
from tests.observing.test_openapi import SCOPES, call

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
    one_gateway.client()  # it has read the trust list, and its own lines are no server's
    with written(monkeypatch) as heard, monkeypatch.context() as inner:
        inner.setattr(Holders, "fetch", broken_by(error))
        reply = one_gateway.post(one_gateway.sign(case_ref=PLANTED).encode())

    lines = [line for line in map(json.loads, heard.getvalue().splitlines()) if line.get("logger") != "httpx"]
    assert reply.status == 502, reply.body
    assert {line["event"] for line in lines} == {"a line of a connector", "exchange broke"}
    assert {line["exchange"] for line in lines} == {reply.json()["exchange"]}
    assert all(line["trace_id"] for line in lines)
    assert PLANTED not in heard.getvalue()


def a_record_with(text):
    """A holder's answer in which everything holds a name, and nothing maps."""
    return Found(
        raw=json.dumps({"APPL_NO": text, "OWNER": text}).encode(),
        media_type="application/json",
        source_ref=f"trademarks/{text}",
        revised=None,
        signature=None,
        fetched_at=utc_now(),
        key=RecordKey(text),
    )


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_no_personal_data_of_a_call_a_record_or_an_error_is_ever_logged(gateway, monkeypatch):
    """A name is planted in whatever a caller or a holder can say; nothing that the server writes may hold it."""
    gateway.services.agencies.grant("ipo-xa", list(SCOPES), actor="operator:test")
    gateway.services.agencies.set_client_scopes(OFFICE, ["exchange:request", *SCOPES], actor="operator:test")
    name, quoted = PLANTED, quote(PLANTED)
    secrets = {name, quoted, name.encode().hex(), MARK, "eyJ", "urn:ipx", "DPoP "}
    fetch = Holders.fetch
    statuses = []

    def said(method, path, scope, body=None, client=OFFICE):
        data = b"" if body is None else json.dumps(body).encode()
        statuses.append(call(gateway, method, path, scope, data, client=client).status)

    with written(monkeypatch) as heard:
        gateway.ask(case_ref=name)
        wrong = (
            {"legal_basis": name},
            {"purpose": name},
            {"record": None, "query": {"record_type": "trademark", "where": {"verbal_element": {"eq": name}}}},
            {"record": f"urn:ipx:ipo-xa:trademark:{name}"},
            {"groups": [name]},
            {name: name},
        )
        statuses += [gateway.post(gateway.sign(**changes).encode()).status for changes in wrong]
        for broken in (ValueError(name), OSError(2, name, name), SourceRefusedError(FailReason.BAD_ANSWER, name)):
            with monkeypatch.context() as inner:
                inner.setattr(Holders, "fetch", broken_by(broken))
                statuses.append(gateway.post(gateway.sign().encode()).status)
        with monkeypatch.context() as inner:  # a holder's record that does not map
            inner.setattr(
                Holders, "fetch", lambda holders, record, source, deadline: unmapped(holders, source, deadline)
            )
            statuses.append(gateway.post(gateway.sign().encode()).status)
        said("GET", f"/v1/exchanges/{quoted}?cursor={quoted}", "exchange:request", client=CUSTOMS)
        said("GET", f"/v1/audit/exchanges?case_ref={quoted}&party={quoted}", "audit:read")
        said("GET", f"/v1/audit/acts?actor={quoted}", "audit:read")
        said("POST", "/v1/audit/subjects", "audit:read", {"identifier": name})
        said("POST", "/v1/audit/searches", "audit:read", {"name": name, "kind": "acts", "query": {name: name}})
        said("POST", "/v1/policies/changes", "policies:edit", {"tier": "holder", "owner": name, "title": name})
        said("POST", "/v1/policies/lint", "policies:read", {"tier": "holder", "owner": "ipo-xa", "cedar": name})
        said("POST", "/v1/records/names", "records:push", {"record_type": "trademark", "numbers": [name]})
        said("POST", "/v1/records", "records:push", {name: name})
        said("GET", f"/v1/records/{quoted}/releases", "exchange:request")
        said("GET", f"/v1/approvals/{quoted}", "approvals:decide")
        tried = (f"/{quoted}", f"/v1/{quoted}?name={quoted}", f"/oauth/errors/{quoted}", f"/problems/{quoted}")
        statuses += [gateway.http.get(path).status_code for path in tried]
        form = {"grant_type": name, "client_id": name, "client_assertion": name, "scope": name}
        statuses.append(gateway.http.post("/oauth/token", data=form).status_code)
        statuses.append(
            gateway.http.post("/oauth/debug/assertion", data=form, headers={"X-Request-Id": name}).status_code
        )
        assert Holders.fetch is fetch

    lines = [line for line in heard.getvalue().splitlines() if json.loads(line).get("logger") != "httpx"]
    text = "\n".join(lines)
    assert len(lines) >= 5, "nothing was heard: the test hears nothing"
    assert [secret for secret in secrets if secret in text] == []
    assert {200, 400, 404, 502} <= set(statuses)


def unmapped(holders, source, deadline):
    return holders._apply(holders.opened(source, deadline), a_record_with(PLANTED), "1", source, None)


COMMAND_IN_TROUBLE = """
import click, structlog
from gateway import cli

@cli.main.command()
def trouble():
    click.echo("what was asked for")
    structlog.get_logger().warning("a holder failed", source="marks")

cli.run()
"""


def test_what_a_command_logs_is_not_mixed_into_what_was_asked_for():
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND_IN_TROUBLE, "trouble"], capture_output=True, text=True, check=True, timeout=60
    )

    assert ended.stdout == "what was asked for\n"
    line = json.loads(ended.stderr)
    assert (line["event"], line["level"], line["source"]) == ("a holder failed", "warning", "marks")
