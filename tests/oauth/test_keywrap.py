"""Secrets at rest open only with the same key, in the same context, unchanged."""

import os

import pytest

from gateway.keywrap import KeyWrap, KeyWrapError


def test_what_was_wrapped_opens_again():
    wrap = KeyWrap(os.urandom(32))

    wrapped = wrap.wrap(b"secret", "token-signing-key:1")

    assert wrap.unwrap(wrapped, "token-signing-key:1") == b"secret"
    assert b"secret" not in wrapped


def test_two_wrappings_of_one_secret_differ():
    wrap = KeyWrap(os.urandom(32))

    assert wrap.wrap(b"secret", "a") != wrap.wrap(b"secret", "a")


def test_a_secret_moved_to_another_context_does_not_open():
    wrap = KeyWrap(os.urandom(32))

    with pytest.raises(KeyWrapError):
        wrap.unwrap(wrap.wrap(b"secret", "a"), "b")


def test_another_key_encryption_key_does_not_open():
    with pytest.raises(KeyWrapError):
        KeyWrap(os.urandom(32)).unwrap(KeyWrap(os.urandom(32)).wrap(b"secret", "a"), "a")


@pytest.mark.parametrize("damage", [lambda w: w[:-1], lambda w: b"\x02" + w[1:], lambda w: w[:5], lambda w: b""])
def test_damaged_bytes_do_not_open(damage):
    wrap = KeyWrap(os.urandom(32))

    with pytest.raises(KeyWrapError):
        wrap.unwrap(damage(wrap.wrap(b"secret", "a")), "a")


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_encryption_key_of_another_size_is_refused(size):
    with pytest.raises(ValueError, match="32 are needed"):
        KeyWrap(bytes(size))
