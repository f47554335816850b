"""Time-stamps (RFC 3161) of a real authority: `openssl ts`."""

import base64
import shutil
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipx import bundle, note
from ipx.errors import BindingError, SignatureError, TrustError
from ipx.timestamp import verify_timestamp
from tests.authority import POLICY, Authority

pytest.importorskip("rfc3161_client", reason="rfc3161-client not installed")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("openssl not present")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def renewed(tmp_path_factory, authority):
    return Authority(tmp_path_factory.mktemp("renewed"))


@pytest.fixture(scope="module")
def reply(authority):
    return authority.stamp(b"message")


def judged(token, message, *roots, nonce=None, policy=None):
    return verify_timestamp(token, message, roots, nonce=nonce, policy=policy)


def test_a_stamp_states_when_the_authority_saw_the_message(authority, reply):
    stated = judged(reply, b"message", authority.root, policy=POLICY)

    assert abs(stated - datetime.now(UTC)) < timedelta(minutes=5)
    assert stated.tzinfo == UTC


def test_of_two_roots_with_one_subject_either_may_stand_behind_a_stamp(authority, renewed, reply):
    for _ in range(5):
        assert judged(reply, b"message", renewed.root, authority.root) == judged(reply, b"message", authority.root)


@pytest.mark.parametrize(
    "damage",
    [
        {"message": b"massage"},
        {"policy": "1.2.3"},
        {"nonce": 5},
        {"token": b""},
        {"token": b"\x30\x05\x30\x03\x02\x01\x02"},
    ],
)
def test_a_stamp_that_does_not_fit_is_refused(authority, reply, damage):
    token, message = damage.pop("token", reply), damage.pop("message", b"message")

    with pytest.raises(SignatureError):
        judged(token, message, authority.root, **damage)


def test_a_stamp_of_another_authority_is_refused(renewed, reply):
    with pytest.raises(SignatureError):
        judged(reply, b"message", renewed.root)
    with pytest.raises(SignatureError):
        judged(reply, b"message")


@pytest.mark.parametrize("by", [1, 2, 0x80, 0xFF])
def test_no_byte_of_a_stamp_can_be_another_also_where_no_signature_covers_it(authority, reply, by):
    """The versions of CMS and the named algorithm, for one: OpenSSL passes over them."""
    for at in range(len(reply)):
        with pytest.raises(SignatureError):
            judged(reply[:at] + bytes([reply[at] ^ by]) + reply[at + 1 :], b"message", authority.root)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_damaged_stamp_raises_a_signature_error(authority, reply, data):
    at = data.draw(st.integers(0, len(reply) - 1))
    damaged = bytearray(reply)
    damaged[at] ^= data.draw(st.integers(1, 255))

    with pytest.raises(SignatureError):
        judged(bytes(damaged), b"message", authority.root)


# --- in the examination of an exchange -------------------------------------------------------------------------------


@pytest.fixture
def stamped(world, authority):
    """The files of an exchange of this very second, stamped, and the trust list that demands it."""

    def made(*, stamp=None, cosigned_at=None, **damage):
        now = datetime.now(UTC).replace(microsecond=0)
        second = int(now.timestamp())
        moment = {"iat": second, "exp": second + 60}
        members = world.members(
            request=moment,
            at=second,
            record={"iat": second},
            witnesses=world.witnesses,
            cosigned_at=cosigned_at or now,
            **damage,
        )
        checkpoint = note.parse_proof(members["proof.tlog-proof"].decode()).checkpoint_note
        members["checkpoint.tsr"] = authority.stamp(checkpoint.encode() if stamp is None else stamp)
        return members

    return made


@pytest.fixture
def list_with(world, authority):
    def made(root=None, **changes):
        der = (root or authority.root).public_bytes(Encoding.DER)
        ends = int(datetime.now(UTC).timestamp()) + 86_400
        keys = {role: {"valid_until": ends} for role in ("requester", "gateway", "holder", "seal")}
        return world.witnessed(keys=keys, tsa_roots=[base64.b64encode(der).decode()], tsa_policy=POLICY, **changes)

    return made


def test_a_stamped_exchange_has_the_authoritys_time(stamped, list_with):
    report = bundle.verify_members(stamped(), list_with(), now=datetime.now(UTC))

    assert report.time_source == "time-stamp"
    assert "confirmed by a time-stamp authority" in report.sentences()[-2]


def test_a_stamp_over_another_checkpoint_is_refused(stamped, list_with):
    with pytest.raises(SignatureError, match="The time-stamp does not hold"):
        bundle.verify_members(stamped(stamp=b"another"), list_with(), now=datetime.now(UTC))


def test_a_stamp_of_an_authority_nobody_listed_is_refused(stamped, list_with, renewed):
    with pytest.raises(SignatureError, match="no authority that is trusted"):
        bundle.verify_members(stamped(), list_with(renewed.root), now=datetime.now(UTC))


def test_a_stamp_that_is_demanded_and_missing_is_refused(stamped, list_with):
    members = stamped()
    del members["checkpoint.tsr"]

    with pytest.raises(BindingError, match="none yet"):
        bundle.verify_members(members, list_with(), now=datetime.now(UTC))


@pytest.fixture
def stated(stamped, list_with, monkeypatch):
    """Verifies a stamped exchange whose stamp states a time so many seconds after the present."""

    def verified(seconds, *, cosigned=0):
        now = datetime.now(UTC).replace(microsecond=0)
        members = stamped(cosigned_at=now + timedelta(seconds=cosigned))
        monkeypatch.setattr("ipx.examination.verify_timestamp", lambda *_, **__: now + timedelta(seconds=seconds))
        return bundle.verify_members(members, list_with(), now=now + timedelta(seconds=max(0, cosigned)))

    return verified


def test_a_stamp_of_the_future_is_refused(stated):
    """Clocks may differ by five seconds."""
    assert stated(5).time_source == "time-stamp"
    with pytest.raises(BindingError, match="The time-stamp is of the future"):
        stated(6)


def test_a_witness_later_than_the_stamp_is_refused(stated):
    assert stated(0, cosigned=5).time_source == "time-stamp"
    with pytest.raises(BindingError, match="later than the time-stamp"):
        stated(0, cosigned=6)


@pytest.mark.parametrize("change", [{"tsa_roots": [base64.b64encode(b"x").decode()]}, {"tsa_policy": "not an oid"}])
def test_a_list_whose_authority_is_none_is_refused(world, change):
    with pytest.raises(TrustError):
        world.trust(**change)


def test_without_the_package_nothing_is_judged(monkeypatch, authority, reply):
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)

    with pytest.raises(TrustError, match="install"):
        judged(reply, b"message", authority.root)
