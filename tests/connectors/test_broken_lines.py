"""Real peers whose line is cut, stalls or lies: a database, an SFTP server, a web service; never half an answer."""

from hashlib import sha256

import pytest
import sqlalchemy as sa

pytest.importorskip("paramiko", reason="no paramiko: pip install 'ipx-gateway[sftp]'")
pytest.importorskip("zeep", reason="no zeep: pip install 'ipx-gateway[soap]'")

from connectors.deadline import Deadline
from connectors.protocol import Changes, Failed, FailReason, Found, Page, RecordKey
from connectors.row_filter import EVERYTHING
from tests.connectors.relay import relaying
from tests.connectors.sftp_server import sftp_serving
from tests.connectors.stub_server import Reply, serving
from tests.connectors.test_soap import SOURCE as SERVICE
from tests.connectors.test_soap import WSDL, envelope

CASES = """
reach:
  url: "${secret:DSN}"
  table: cases
  key: no
  children: {parties: {table: parties, on: no}}
  watermark: {column: at, zone: UTC}
  limits: {rows: 1000, statement_seconds: 10}
key: case_number
revised: {path: at, use: [{datetime: UTC}]}
map:
  case_number: {path: no, use: [trim], required: true}
  authority: {path: office, use: [trim], required: true}
  respondents: {each: parties, map: {name: {path: name, use: [trim]}}}
"""
ROWS = 300


@pytest.fixture
def line(request, holder):
    """A relay in front of a real database that holds many rows, and the address by which it is reached."""
    holder.run(
        "CREATE TABLE cases (no VARCHAR(20) PRIMARY KEY, office VARCHAR(900), at TIMESTAMP)",
        "CREATE TABLE parties (no VARCHAR(20), name VARCHAR(80))",
        *(f"INSERT INTO cases VALUES ('C-{n:03}', '{'x' * 800}', '2026-01-10 08:00:00')" for n in range(ROWS)),
        *(f"INSERT INTO parties VALUES ('C-{n:03}', 'Firm {n}')" for n in range(ROWS)),
    )
    url = sa.make_url(holder.reader)
    place = url.query.get("unix_socket") or url.query.get("host") or url.host
    peer = url.port or 5432
    if holder.dialect == "postgresql" and str(place).startswith("/"):
        peer = f"{place}/.s.PGSQL.{url.port or url.query.get('port', 5432)}"
    elif str(place).startswith("/"):
        peer = str(place)
    query = {name: value for name, value in url.query.items() if name not in ("unix_socket", "host", "port")}
    with relaying(peer) as relay:
        address = url.set(host="127.0.0.1", port=relay.port, query=query)
        yield relay, address.render_as_string(hide_password=False)


on_servers = pytest.mark.parametrize("holder", ["postgresql", "mariadb"], indirect=True)


@on_servers
def test_rows_that_are_cut_off_are_a_failure_and_never_a_part(line, opened, write_source):
    relay, address = line
    source = opened(write_source(CASES, kind="sql", record_type="admin_case"), DSN=address)
    whole = source.connector.search(EVERYTHING, None, Deadline.within(20))
    outcomes = []

    for cut_after in (1, 600, 3_000, 20_000, 90_000, 200_000):
        relay.cut()
        relay.cut_after = cut_after
        outcomes.append(source.connector.search(EVERYTHING, None, Deadline.within(10)))
        relay.cut_after = None
        # A line that works in between closes the breaker again.
        assert isinstance(source.connector.fetch(RecordKey("C-001"), Deadline.within(10)), Found)

    assert isinstance(whole, Page), whole
    assert len(whole.found) == ROWS
    assert [outcome for outcome in outcomes if outcome != Failed(FailReason.UNREACHABLE)] == []


@on_servers
def test_changes_that_are_cut_off_are_none_and_come_whole_the_next_time(line, opened, write_source):
    relay, address = line
    source = opened(write_source(CASES, kind="sql", record_type="admin_case"), DSN=address)
    source.connector.fetch(RecordKey("C-001"), Deadline.within(10))
    relay.cut_after = 60_000

    cut = source.connector.changes(None, Deadline.within(10))
    relay.cut_after = None
    whole = source.connector.changes(None, Deadline.within(20))

    assert cut == Failed(FailReason.UNREACHABLE)
    assert isinstance(whole, Changes)
    assert len({found.key for found in whole.found}) == ROWS


@on_servers
def test_a_database_that_stalls_in_the_middle_ends_by_the_deadline(line, opened, write_source):
    relay, address = line
    source = opened(write_source(CASES, kind="sql", record_type="admin_case"), DSN=address)
    source.connector.fetch(RecordKey("C-001"), Deadline.within(10))
    relay.is_held.set()

    stalled = source.connector.search(EVERYTHING, None, Deadline.within(1))
    relay.is_held.clear()

    assert stalled == Failed(FailReason.TIMEOUT)


DROP = """
reach: {{host: 127.0.0.1, port: {port}, private: true, user: gateway, password: "${{secret:PASSWORD}}",
        host_key: "{key}", folder: /out, match: "*.xml", refresh: PT0S, ready: {{marker: .done}}}}
read: {{format: xml, records: "/mark"}}
key: number
map:
  number: {{path: no, use: [trim], required: true}}
"""


@pytest.fixture
def drop(tmp_path, opened, write_source):
    root = tmp_path / "out"
    root.mkdir()
    for number in range(20):
        (root / f"{number}.xml").write_text(f"<mark><no>{number}</no><text>{'x' * 5000}</text></mark>")
        (root / f"{number}.xml.done").touch()
    with sftp_serving(root) as server, relaying(server.port) as relay:

        def make():
            text = DROP.format(port=relay.port, key=server.host_key_text)
            return opened(write_source(text, kind="drop"), PASSWORD="pass")

        yield relay, make


@pytest.mark.parametrize("cut_after", [1, 1_000, 6_000])
def test_a_copy_that_is_cut_off_makes_nothing_absent_and_nothing_half(drop, cut_after):
    relay, make = drop
    source = make()
    relay.cut_after = cut_after

    cut = source.connector.fetch(RecordKey("19"), Deadline.within(20))
    nothing = source.connector.fetch(RecordKey("99"), Deadline.within(20))
    relay.cut_after = None
    whole = source.connector.fetch(RecordKey("19"), Deadline.within(20))

    assert {cut.reason, nothing.reason} <= {FailReason.UNREACHABLE, FailReason.NOT_READY}
    assert isinstance(whole, Found), whole
    assert whole.raw.endswith(b"</mark>")


def test_a_server_that_stalls_while_files_are_copied_ends_by_the_deadline(drop):
    relay, make = drop
    source = make()
    relay.is_held.set()

    stalled = source.connector.fetch(RecordKey("19"), Deadline.within(0.5))
    relay.is_held.clear()

    assert stalled == Failed(FailReason.TIMEOUT)


MARK = "<r:GetMarkResponse><r:mark><r:number>7</r:number></r:mark></r:GetMarkResponse>"
WHOLE = envelope(MARK).bytes()


def _raw(status, body=b"", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return Reply(wire="\r\n".join(lines).encode() + body)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (_raw("429 Too Many", b"", "Retry-After: 60"), FailReason.THROTTLED),
        (_raw("403 Forbidden", b"", "X-Rejection-Reason: quota"), FailReason.THROTTLED),
        (_raw("403 Forbidden"), FailReason.MISCONFIGURED),
        (envelope("<r:GetMarkResponse><r:error>busy</r:error></r:GetMarkResponse>"), FailReason.BAD_ANSWER),
        (Reply(b"<html/>", headers={"Content-Type": "text/html"}), FailReason.BAD_ANSWER),
        (_raw("302 Found", b"", "Location: http://169.254.169.254/latest"), FailReason.BAD_ANSWER),
        (Reply(wire=WHOLE[:-40]), FailReason.UNREACHABLE),
        (Reply(wire=b""), FailReason.UNREACHABLE),
        (Reply(envelope(MARK).body.replace("<r:number>7", "<r:number>7\xfc").encode("latin-1")), "record_unreadable"),
        (Reply(WHOLE, drip_seconds=0.05), FailReason.TIMEOUT),
        (Reply(b"x" * 200_000), FailReason.BAD_ANSWER),
    ],
)
def test_no_bad_day_of_a_web_service_is_taken_for_an_answer(opened, write_source, reply, reason):
    with serving() as server:
        server.answer = lambda asked: reply
        text = SERVICE.replace("BASE", server.base).replace("WSDL", str(WSDL))
        text = text.replace("SHA256", sha256(WSDL.read_bytes()).hexdigest())
        text = text.replace(
            "  limits: {tries: 1}",
            "  limits: {tries: 1, body_bytes: 100000, total_seconds: 1}\n"
            "  throttle: {on: [{status: 403, header: X-Rejection-Reason}]}",
        )
        source = opened(write_source(text, kind="soap"))

        outcome = source.connector.fetch(RecordKey("7"), Deadline.within(5))

    assert isinstance(outcome, Failed), outcome
    assert outcome.reason == reason


def test_a_token_of_a_web_service_that_has_died_is_renewed_once(opened, write_source):
    tokens = iter(["old", "new", "newer"])

    def answer(asked):
        if asked.path == "/token":
            return Reply({"access_token": next(tokens), "token_type": "Bearer", "expires_in": 3600})
        return envelope(MARK) if asked.headers["authorization"] == "Bearer new" else Reply(b"", 401)

    with serving() as server:
        server.answer = answer
        text = SERVICE.replace("BASE", server.base).replace("WSDL", str(WSDL))
        text = text.replace("SHA256", sha256(WSDL.read_bytes()).hexdigest())
        token = f'{{oauth2: client_credentials, token: "{server.base}/token", client: c, secret: "${{secret:S}}"}}'
        auth = f"  auth: {token}\n"
        source = opened(write_source(text.replace("  limits:", auth + "  limits:"), kind="soap"), S="s3cret")

        outcome = source.connector.fetch(RecordKey("7"), Deadline.within(5))

    assert isinstance(outcome, Found), outcome
