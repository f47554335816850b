"""What an exchange carried, at rest."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete

from gateway.evidence.class_keys import ClassKeys
from gateway.evidence.errors import ErasedError, PayloadError
from gateway.evidence.models import PayloadClassKey
from gateway.evidence.payloads import Payloads
from gateway.keywrap import KeyWrap, KeyWrapError

ONE = "019ab2c0-0000-7000-8000-000000000001"
TWO = "019ab2c0-0000-7000-8000-000000000002"


@pytest.fixture
def class_keys(database, key_wrap, clock):
    return ClassKeys(database, key_wrap, clock)


@pytest.fixture
def key(class_keys):
    return class_keys.current("customs-xa", "detention")


@pytest.fixture
def payloads(key_wrap, class_keys):
    return Payloads(key_wrap, class_keys)


def test_a_payload_opens_with_the_key_in_its_exchange_s_row(payloads, key, database, key_wrap, clock):
    made = payloads.new(ONE, key)
    sealed = made.encrypt("request", b"eyJ...")

    elsewhere = Payloads(key_wrap, ClassKeys(database, key_wrap, clock))

    assert b"eyJ" not in sealed
    assert elsewhere.of(ONE, made.wrapped_key, made.class_key).decrypt("request", sealed) == b"eyJ..."


def test_a_row_of_before_there_were_keys_of_classes_still_opens(payloads, key_wrap):
    key = bytes(range(32))
    wrapped = key_wrap.wrap(key, f"payload-key:{ONE}")

    nonce = bytes(12)
    sealed = b"\x01" + nonce + AESGCM(key).encrypt(nonce, b"eyJ...", f"{ONE}request".encode())

    assert payloads.of(ONE, wrapped, None).decrypt("request", sealed) == b"eyJ..."


@pytest.mark.parametrize("size", [0, 1, 16 << 10, (16 << 10) + 1])
def test_a_payload_of_any_size_opens(payloads, key, size):
    made = payloads.new(ONE, key)

    sealed = made.encrypt("answer", bytes(size))

    assert len(sealed) == 1 + 12 + size + 16
    assert made.decrypt("answer", sealed) == bytes(size)


def test_the_same_payload_is_never_encrypted_alike(payloads, key):
    made = payloads.new(ONE, key)

    assert made.encrypt("request", b"x") != made.encrypt("request", b"x")
    assert payloads.new(ONE, key).wrapped_key != made.wrapped_key


def test_a_payload_moved_or_changed_does_not_open(payloads, key):
    made = payloads.new(ONE, key)
    sealed = made.encrypt("request", b"x")
    changed = [bytes([*sealed[:at], sealed[at] ^ 1, *sealed[at + 1 :]]) for at in range(len(sealed))]

    for name, data in [("record", sealed), ("", sealed), ("request", b""), ("request", sealed[:5])] + [
        ("request", data) for data in changed
    ]:
        with pytest.raises(PayloadError):
            made.decrypt(name, data)
    with pytest.raises(PayloadError):
        payloads.new(ONE, key).decrypt("request", sealed)


def test_a_key_opens_for_its_own_exchange_under_its_own_wrapping_only(payloads, class_keys, key, database, clock):
    made = payloads.new(ONE, key)
    other_class = class_keys.current("customs-xa", "customs_recordal")
    other_wrap = KeyWrap(bytes(32))

    with pytest.raises(KeyWrapError):
        payloads.of(TWO, made.wrapped_key, key.id)
    with pytest.raises(KeyWrapError):
        payloads.of(ONE, made.wrapped_key, other_class.id)
    with pytest.raises(KeyWrapError):
        payloads.of(ONE, made.wrapped_key, None)
    with pytest.raises(KeyWrapError):
        Payloads(other_wrap, ClassKeys(database, other_wrap, clock)).of(ONE, made.wrapped_key, key.id)


def test_keys_do_not_show_in_messages(payloads, key):
    made = payloads.new(ONE, key)
    opened = key.wrap.unwrap(made.wrapped_key, f"payload-key:{ONE}")

    assert opened not in repr(made).encode("latin-1", "replace")
    assert "_key=" not in repr(made).replace("wrapped_key=", "").replace("class_key=", "")


def test_a_class_has_one_key_a_month_in_all_processes(class_keys, database, key_wrap, clock):
    first = class_keys.current("customs-xa", "detention")
    elsewhere = ClassKeys(database, key_wrap, clock).current("customs-xa", "detention")
    others = [class_keys.current("ipo-xa", "detention"), class_keys.current("customs-xa", "trademark")]
    clock.advance(31 * 24 * 3600)
    later = class_keys.current("customs-xa", "detention")

    assert elsewhere.id == first.id
    assert len({first.id, later.id, *(other.id for other in others)}) == 4
    assert [row.month for row in class_keys.listed()].count("2026-12") == 1


def test_a_destroyed_key_opens_nothing_and_another_one_takes_its_place(payloads, class_keys, key, database):
    made = payloads.new(ONE, key)

    with database.write() as session:
        class_keys.destroy(session, key.id)
    with database.write_connection() as connection:
        lives = class_keys.is_live(connection, key)

    assert not lives
    with pytest.raises(ErasedError):
        payloads.of(ONE, made.wrapped_key, made.class_key)
    assert class_keys.current("customs-xa", "detention").id != key.id


def test_a_process_that_still_remembers_a_destroyed_key_files_nothing_under_it(class_keys, key, database):
    with database.write() as session:
        session.execute(delete(PayloadClassKey))
    remembered = class_keys.current("customs-xa", "detention")

    with database.write_connection() as connection:
        lives = class_keys.is_live(connection, remembered)

    assert remembered.id == key.id
    assert not lives
    assert class_keys.current("customs-xa", "detention").id != key.id
