"""A source file is no way to anywhere else: neither into the network behind the gateway nor into SQL."""

import socket
import sqlite3
from contextlib import contextmanager

import pytest

from connectors.deadline import Deadline
from connectors.errors import SourceFileError, SourceRefusedError
from connectors.protocol import Absent, Failed, FailReason, RecordKey
from tests.connectors.stub_server import Reply, serving

pytest.importorskip("paramiko", reason="no paramiko: pip install 'ipx-gateway[sftp]'")
pytest.importorskip("pika", reason="no pika: pip install 'ipx-gateway[queue]'")

MAP = """
read: {format: json}
key: number
map:
  number: {path: no, use: [trim], required: true}
"""
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDiRqi4QnNAzpA8mGHLGO+eMaMu4AgZ1M0MMKOEo3kuD"
REACHES = {
    "rest": 'reach: {{base: "https://{host}:{port}", fetch: {{get: "/m/{{key}}"}}, success: no, absent: gone{more}}}',
    "drop": 'reach: {{host: "{host}", port: {port}, user: u, password: "${{secret:PW}}", folder: /o, match: "*.json",'
    f'        host_key: "{HOST_KEY}"{{more}}}}}}'.replace("{{more}}}}", "{more}}}"),
    "queue": 'reach: {{host: "{host}", port: {port}, queue: q, user: u, password: "${{secret:PW}}",'
    " complete: true{more}}}\nrevised: {{path: at, use: [{{datetime: UTC}}]}}",
}


@pytest.fixture
def reaching(opened, write_source):
    def make(kind, host, port, more=""):
        text = write_source(REACHES[kind].format(host=host, port=port, more=more) + MAP, kind=kind)
        return opened(text.replace("stale: P2D}", "stale: P2D, follow: PT1H}"), PW="s3cret")

    return make


@contextmanager
def listening():
    """A port that notes whether anybody came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def came():
            try:
                server.accept()[0].close()
            except TimeoutError:
                return False
            return True

        yield server.getsockname()[1], came


@pytest.mark.parametrize("kind", REACHES)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "0.0.0.0"])
def test_no_kind_calls_into_the_network_behind_the_gateway_unless_its_file_says_so(reaching, kind, host):
    with listening() as (port, came):
        source = reaching(kind, host if kind == "rest" else host.strip("[]"), port)

        answer = source.connector.fetch(RecordKey("1"), Deadline.within(5))

        assert answer == Failed(FailReason.MISCONFIGURED)
        assert not came()


@pytest.mark.parametrize("kind", REACHES)
def test_not_even_a_private_source_reaches_where_machines_keep_their_credentials(reaching, kind):
    source = reaching(kind, "169.254.169.254", 80, ", private: true")

    assert source.connector.fetch(RecordKey("1"), Deadline.within(5)) == Failed(FailReason.MISCONFIGURED)


@pytest.mark.parametrize("kind", REACHES)
def test_a_name_with_one_public_and_one_private_address_is_not_called(reaching, kind, monkeypatch):
    with listening() as (port, came):
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("93.184.216.34", "127.0.0.1")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

        answer = reaching(kind, "both.example", port).connector.fetch(RecordKey("1"), Deadline.within(5))

        assert answer == Failed(FailReason.MISCONFIGURED)
        assert not came()


@pytest.mark.parametrize("kind", REACHES)
def test_a_name_that_changes_its_address_after_it_was_judged_is_called_where_it_was_judged(reaching, kind, monkeypatch):
    asked = []

    def rebinding(host, port, *_, **__):
        if host == "127.0.0.1":  # below, a socket looks up the very address that was judged
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    with listening() as (port, came):
        source = reaching(kind, "rebinding.example", port, ", private: true")
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        source.connector.fetch(RecordKey("1"), Deadline.within(2))

        assert came()
        assert [host for host in asked if host == "rebinding.example"] == ["rebinding.example"]


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest", "https://elsewhere.example/", "file:///etc/passwd"]
)
def test_a_redirect_of_the_token_endpoint_is_not_followed_either(opened, write_source, target):
    with serving() as server:
        server.answer = lambda asked: Reply(b"", 302, {"Location": target})
        text = (
            f'reach: {{base: "{server.base}", private: true, fetch: {{get: "/m/{{key}}"}}, success: no, absent: gone,\n'
            f'  auth: {{oauth2: client_credentials, token: "{server.base}/token", client: c,\n'
            '    secret: "${secret:PW}"}}'
        )
        source = opened(write_source(text + MAP, kind="rest"), PW="s3cret")

        answer = source.connector.fetch(RecordKey("1"), Deadline.within(5))

        assert isinstance(answer, Failed)
        assert [asked.path for asked in server.asked if asked.path != "/token"] == []


def test_a_token_endpoint_in_the_network_behind_the_gateway_is_refused(opened, write_source):
    text = (
        'reach: {base: "https://api.example", fetch: {get: "/m/{key}"}, success: no, absent: gone,\n'
        '  auth: {oauth2: client_credentials, token: "http://169.254.169.254/t", client: c, secret: "${secret:PW}"}}'
    )
    with pytest.raises(SourceFileError):
        opened(write_source(text + MAP, kind="rest"), PW="s3cret")


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ('endpoint_url: "http://127.0.0.1:9000"', "/reach/options/endpoint_url"),
        ('endpoint_url: "file:///etc"', "/reach/options/endpoint_url"),
        ("client_kwargs: x", "/reach/options/client_kwargs"),
        ("profile: admin", "/reach/options/profile"),
        ('session: "x"', "/reach/options/session"),
    ],
)
def test_a_store_gets_no_option_that_leads_elsewhere(opened, write_source, options, pointer):
    pytest.importorskip("fsspec", reason="no fsspec: pip install 'ipx-gateway[objectstore]'")
    text = f'reach: {{url: "s3://bucket/x", match: "*.json", options: {{{options}}}}}' + MAP

    with pytest.raises(SourceFileError) as refused:
        opened(write_source(text, kind="store"))

    assert pointer in [fault.pointer for fault in refused.value.faults]


HOSTILE = ('x" OR "1"="1', "x'; DROP TABLE marks; --", "a`b", "a.b.c", "no)--", "%s", ":no", "x\x00y", "")


@pytest.fixture
def marks(tmp_path):
    place = tmp_path / "marks.db"
    database = sqlite3.connect(place)
    database.execute('CREATE TABLE marks (no TEXT PRIMARY KEY, "select" TEXT, "商标 名" TEXT)')
    database.execute("INSERT INTO marks VALUES ('1', 'word', '名')")
    database.commit()
    database.close()
    return place


def sql(place, *, table="marks", key="no", column="select"):
    return (
        f'reach: {{url: "sqlite:///{place}", table: {table!r}, key: {key!r},\n'
        f"  pushdown: {{name: {{column: {column!r}, ops: [eq]}}}}}}\n"
        "key: number\nmap:\n  number: {path: no, use: [trim], required: true}\n"
        f"  name: {{path: {column!r}, use: [trim]}}\n"
    )


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("member", ["table", "key", "column"])
def test_a_name_of_a_source_file_never_becomes_sql(opened, write_source, marks, member, name):
    with pytest.raises((SourceFileError, SourceRefusedError)):
        opened(write_source(sql(marks, **{member: name}), kind="sql"))

    assert sqlite3.connect(marks).execute("SELECT count(*) FROM marks").fetchone() == (1,)


@pytest.mark.parametrize("column", ["select", "商标 名"])
def test_names_that_need_quoting_are_quoted(opened, write_source, marks, deadline, column):
    source = opened(write_source(sql(marks, column=column), kind="sql"))

    answer = source.apply(source.connector.fetch(RecordKey("1"), deadline))

    assert answer.fields["name"] in ("word", "名")
    assert source.connector.fetch(RecordKey("1' OR '1'='1"), deadline) == Absent()
