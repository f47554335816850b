"""Where a call may go, and which certificate is taken there and shown."""

import threading
import time
from datetime import timedelta

import httpcore
import pytest

from connectors.deadline import Deadline
from connectors.errors import SourceFileError
from connectors.kinds import http_wire
from connectors.kinds.http_wire import ForbiddenAddressError, Wire
from connectors.protocol import Failed, FailReason, Found, RecordKey
from tests.connectors.rest_source import fetched, good
from tests.connectors.stub_server import Authority, Reply, serving

# Where a key may lead


def test_a_key_is_percent_encoded(api, server, deadline):
    source = api(answer=lambda asked: Reply({"code": "NO_DATA"}))

    fetched(source, deadline, RecordKey("2026 沪 1号?x=#&%"))

    assert "?" not in server.asked[0].raw_target
    assert server.asked[0].path == "/cases/2026 沪 1号?x=#&%"


@pytest.mark.parametrize("key", ["../admin", "a/b", "a\\b", "..", ".", "a..b", "a\x00b", "a\r\nHost: x", ""])
def test_a_key_that_could_lead_elsewhere_is_refused(api, server, deadline, key):
    source = api(answer=lambda asked: good())

    assert fetched(source, deadline, RecordKey(key)) == Failed(FailReason.UNSUPPORTED)
    assert server.asked == []


# Where a call may go


@pytest.mark.parametrize(
    ("address", "public_only", "private_too"),
    [
        ("127.0.0.1", True, False),
        ("10.1.2.3", True, False),
        ("192.168.1.1", True, False),
        ("100.64.0.1", True, False),
        ("169.254.169.254", True, True),
        ("0.0.0.0", True, True),
        ("224.0.0.1", True, True),
        ("::1", True, False),
        ("fd00::1", True, False),
        ("fe80::1", True, True),
        ("::ffff:10.0.0.1", True, False),
        ("::ffff:169.254.169.254", True, True),
        ("64:ff9b::a00:1", True, False),
        ("2002:a00:1::", True, False),
        ("8.8.8.8", False, False),
        ("2606:4700::1111", False, False),
    ],
)
def test_private_and_reserved_addresses_are_called_only_where_the_file_says_so(address, public_only, private_too):
    parsed = http_wire.ipaddress.ip_address(address)

    assert http_wire.is_forbidden(parsed, private=False) is public_only
    assert http_wire.is_forbidden(parsed, private=True) is private_too


def test_a_name_that_leads_inside_is_not_called(api, server, deadline, monkeypatch):
    monkeypatch.setattr(http_wire, "_look_up", lambda *_: ["93.184.216.34", "127.0.0.1"])

    with pytest.raises(ForbiddenAddressError):
        Wire(private=False).connect_tcp("cases.example", 443)
    source = api(base="https://cases.example", put={"  private: true\n": ""})
    assert fetched(source, deadline) == Failed(FailReason.MISCONFIGURED)


def test_the_address_that_was_judged_is_the_one_that_is_called(server, monkeypatch):
    asked = []

    def look_up(host, port):
        asked.append(host)
        return ["127.0.0.1" if len(asked) == 1 else "10.0.0.1"]

    monkeypatch.setattr(http_wire, "_look_up", look_up)

    stream = Wire(private=True).connect_tcp("rebinding.example", server.server_address[1])

    assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
    assert asked == ["rebinding.example"]
    stream.close()


def test_a_name_that_is_resolved_too_slowly_ends_by_the_deadline(api, monkeypatch):
    come_back = threading.Event()
    monkeypatch.setattr(http_wire, "_look_up", lambda *_: come_back.wait(60))
    source = api(base="https://slow.example")

    began = time.monotonic()

    answer = fetched(source, Deadline.within(0.1))
    come_back.set()

    assert answer.reason is FailReason.TIMEOUT
    assert time.monotonic() - began < 15


def test_plain_http_is_refused_outside_private_networks(api):
    with pytest.raises(SourceFileError, match="http is taken only where"):
        api(put={"  private: true\n": ""})


def test_the_engine_below_knows_no_proxy_of_the_environment(api, server, deadline, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    source = api(answer=lambda asked: good())

    assert isinstance(fetched(source, deadline), Found)
    assert isinstance(source.connector._inner._caller._pool, httpcore.ConnectionPool)


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_source_shows_its_own_certificate_where_the_peer_asks_for_one(api, authority, deadline):
    certificate, key = authority.issue("gateway-client")
    with serving(authority.server("asking", asks_client=True)) as server:
        server.answer = lambda asked: good()
        tls = f'  tls: {{certificate: "{certificate}", key: "{key}", authority: "{authority.file}"}}\n  fetch:'
        bare = f'  tls: {{authority: "{authority.file}"}}\n  fetch:'

        shown = fetched(api(base=server.base, put={"  fetch:": tls}), deadline)
        not_shown = fetched(api(base=server.base, put={"  fetch:": bare}), deadline)

        assert isinstance(shown, Found)
        assert server.peers[0]["subject"][0][0][1] == "gateway-client"
        assert not_shown == Failed(FailReason.UNREACHABLE)


@pytest.mark.parametrize("trusted", [True, False])
def test_an_expired_or_unknown_certificate_is_not_taken(api, authority, deadline, trusted):
    lifetime = timedelta(days=-1) if trusted else timedelta(days=1)
    with serving(authority.server(f"bad-{trusted}", lifetime=lifetime)) as server:
        server.answer = lambda asked: good()
        put = {"  fetch:": f'  tls: {{authority: "{authority.file}"}}\n  fetch:'} if trusted else {}

        assert fetched(api(base=server.base, put=put), deadline) == Failed(FailReason.UNREACHABLE)
        assert server.asked == []
