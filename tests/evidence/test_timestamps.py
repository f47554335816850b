"""Time-stamps over HTTP from a real authority (`openssl ts`): what is kept is what an auditor will believe."""

import shutil
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from gateway.clock import utc_now
from gateway.errors import SettingsError
from gateway.evidence.errors import TimestampError
from gateway.evidence.outsiders import Authority as Configured
from gateway.evidence.outsiders import read_roots
from gateway.evidence.timestamps import REPLY, TimestampClient
from ipx.timestamp import verify_timestamp
from tests.authority import POLICY, Authority

NOTE = "gw.example/log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— gw.example/log AAAA\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("openssl not present")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other(tmp_path_factory, authority):
    """Another authority of the same names: as the same one after it renewed its keys."""
    return Authority(tmp_path_factory.mktemp("other"))


@pytest.fixture(scope="module")
def expired(tmp_path_factory, authority):
    return Authority(tmp_path_factory.mktemp("expired"), validity=("-days", "-1"))


@pytest.fixture
def ask():
    """Asks an authority for a stamp over the note, trusting the roots of some."""

    def ask(asked, *trusted, policy=POLICY, clock=utc_now):
        roots = tuple(one.root for one in trusted or (asked,))
        with asked.serving() as url, httpx.Client() as http:
            return TimestampClient(Configured(url, roots, policy), http, clock).stamp(NOTE)

    return ask


def answering(*, status=200, kind=REPLY, body=b""):
    return httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(status, headers={"Content-Type": kind}, content=body))
    )


def test_a_stamp_is_one_that_the_offline_verifier_takes(ask, authority):
    stamp = ask(authority)

    assert verify_timestamp(stamp.token, NOTE.encode(), [authority.root], nonce=None, policy=POLICY) == stamp.at
    assert abs(stamp.offset_seconds) < 2


def test_after_a_renewal_with_the_same_subject_either_root_may_stand_behind_a_stamp(ask, authority, other):
    for _ in range(3):
        assert ask(authority, other, authority)
        assert ask(other, other, authority)


def test_a_stamp_by_an_authority_that_is_not_trusted_is_refused(ask, authority, other):
    with pytest.raises(TimestampError, match="proves nothing"):
        ask(other, authority)


def test_a_stamp_under_another_policy_is_refused(ask, authority):
    with pytest.raises(TimestampError, match="Policy ID mismatch"):
        ask(authority, policy="1.3.6.1.4.1.99999.2")


def test_a_stamp_by_an_expired_certificate_is_refused(ask, expired):
    with pytest.raises(TimestampError, match="proves nothing"):
        ask(expired)


def test_a_reply_to_another_query_is_refused(authority):
    recorded = authority.stamp(NOTE.encode())  # of the same bytes, with the nonce of another query
    client = TimestampClient(
        Configured("http://tsa.example", (authority.root,), POLICY), answering(body=recorded), utc_now
    )

    with pytest.raises(TimestampError, match="Nonce mismatch"):
        client.stamp(NOTE)


def test_a_stamp_of_another_time_than_the_present_is_refused(ask, authority):
    for hours in (-1, 1):
        with pytest.raises(TimestampError, match="set the clock"):
            ask(authority, clock=lambda hours=hours: datetime.now(UTC) + timedelta(hours=hours))


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500},
        {"status": 302},
        {"kind": "text/html"},
        {"body": b"\x30\x03\x02\x01\x02"},
        {"body": b""},
        {"body": bytes(70_000)},
    ],
)
def test_an_answer_that_is_no_stamp_is_refused(authority, answer):
    client = TimestampClient(Configured("http://tsa.example", (authority.root,), POLICY), answering(**answer), utc_now)

    with pytest.raises(TimestampError):
        client.stamp(NOTE)


def test_an_authority_that_is_down_is_told_from_one_that_answers_badly(authority):
    def refuse(_):
        raise httpx.ConnectError("refused")

    http = httpx.Client(transport=httpx.MockTransport(refuse))

    with pytest.raises(TimestampError, match="does not answer"):
        TimestampClient(Configured("http://tsa.example", (authority.root,), None), http, utc_now).stamp(NOTE)


def test_roots_are_read_from_a_file_of_several(authority, other, tmp_path):
    file = tmp_path / "roots.pem"
    file.write_bytes((authority.folder / "ca.pem").read_bytes() + (other.folder / "ca.pem").read_bytes())
    (tmp_path / "none.pem").write_text("nothing")

    assert read_roots(file) == (authority.root, other.root)
    for bad in ("none.pem", "absent.pem"):
        with pytest.raises(SettingsError):
            read_roots(tmp_path / bad)
