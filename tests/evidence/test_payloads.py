"""What an exchange carried, at rest."""

import pytest

from gateway.evidence.errors import PayloadError
from gateway.evidence.payloads import Payloads
from gateway.keywrap import KeyWrap, KeyWrapError

ONE = "019ab2c0-0000-7000-8000-000000000001"
TWO = "019ab2c0-0000-7000-8000-000000000002"


@pytest.fixture
def payloads(key_wrap):
    return Payloads(key_wrap)


def test_a_payload_opens_with_the_key_in_its_exchange_s_row(payloads, key_wrap):
    made = payloads.new(ONE)
    sealed = made.encrypt("request", b"eyJ...")

    assert b"eyJ" not in sealed
    assert Payloads(key_wrap).of(ONE, made.wrapped_key).decrypt("request", sealed) == b"eyJ..."


def test_the_same_payload_is_never_encrypted_alike(payloads):
    made = payloads.new(ONE)

    assert made.encrypt("request", b"x") != made.encrypt("request", b"x")
    assert payloads.new(ONE).wrapped_key != made.wrapped_key


def test_a_payload_moved_or_changed_does_not_open(payloads):
    made = payloads.new(ONE)
    sealed = made.encrypt("request", b"x")
    changed = [bytes([*sealed[:at], sealed[at] ^ 1, *sealed[at + 1 :]]) for at in range(len(sealed))]

    for name, data in [("record", sealed), ("", sealed), ("request", b""), ("request", sealed[:5])] + [
        ("request", data) for data in changed
    ]:
        with pytest.raises(PayloadError):
            made.decrypt(name, data)
    with pytest.raises(PayloadError):
        payloads.new(ONE).decrypt("request", sealed)


def test_a_key_opens_for_its_own_exchange_under_its_own_wrapping_only(payloads):
    made = payloads.new(ONE)

    with pytest.raises(KeyWrapError):
        payloads.of(TWO, made.wrapped_key)
    with pytest.raises(KeyWrapError):
        Payloads(KeyWrap(bytes(32))).of(ONE, made.wrapped_key)


def test_keys_do_not_show_in_messages(payloads):
    made = payloads.new(ONE)

    assert made._key not in repr(made).encode("latin-1", "replace")
    assert "_key=" not in repr(made).replace("wrapped_key=", "")
