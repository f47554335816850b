"""Signed notes (C2SP): what others sign is read, and a note that does not hold, or has two meanings, is refused."""

import base64
import contextlib
import hashlib
import shutil
import subprocess
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipx import note
from ipx.errors import NoteError
from ipx.keys import generate_signer, load_signer
from ipx.note import COSIGNATURE, NoteKey, NoteSigner
from tests.ipx.notes import LOG, TEXT, WITNESSES
from tests.ipx.world import NOW


def test_the_note_of_go_x_mod_verifies():
    """golang.org/x/mod/sumdb/note, example of the package documentation."""
    key = NoteKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    raw = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )

    opened = note.open_note(raw.encode(), [key])

    assert opened.valid == {key: None}
    assert opened.text.endswith("what your problem is.\n")


def test_signing_with_the_key_of_go_x_mod_gives_its_signature():
    """The same example: Ed25519 is deterministic, so the bytes are the same."""
    seed = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
    pkcs8 = bytes.fromhex("302e020100300506032b657004220420") + seed
    pem = b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(pkcs8) + b"\n-----END PRIVATE KEY-----\n"

    raw = note.sign(
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
        NoteSigner("PeterNeumann", load_signer(pem)),
    )

    assert raw.endswith(
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )


def test_openssl_agrees_that_a_log_signed_its_note(tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl not present")
    line = note.sign(TEXT, LOG).splitlines()[-1]
    files = {
        "key.der": bytes.fromhex("302a300506032b6570032100") + LOG.key.public,
        "text": TEXT.encode(),
        "signature": base64.b64decode(line.split(" ")[2])[4:],
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)

    verified = subprocess.run(
        [openssl, "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", "key.der",
         "-sigfile", "signature", "-in", "text"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert verified.returncode == 0, verified.stderr


def test_a_cosignature_whose_time_was_changed_is_refused():
    head, line = note.sign(TEXT, WITNESSES[0], at=NOW).rstrip("\n").rsplit(" ", 1)
    raw = bytearray(base64.b64decode(line))
    raw[11] ^= 1
    changed = f"{head} {base64.b64encode(raw).decode()}\n"

    with pytest.raises(NoteError, match="does not fit"):
        note.open_note(changed, [WITNESSES[0].key])


@pytest.mark.parametrize("seconds", [253_402_300_800, 2**63 - 1, 2**64 - 1])
def test_a_cosignature_of_a_time_that_no_calendar_has_is_refused(seconds):
    witness = WITNESSES[0]
    signature = witness.signer.sign(f"cosignature/v1\ntime {seconds}\n{TEXT}".encode())
    raw = base64.b64encode(witness.key.id + seconds.to_bytes(8, "big") + signature).decode()

    with pytest.raises(NoteError, match="no possible time"):
        note.open_note(f"{TEXT}\n— {witness.name} {raw}\n", [witness.key])


def test_a_cosignature_may_state_any_second_that_a_calendar_has():
    for at in (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)):
        assert note.open_note(note.sign(TEXT, WITNESSES[0], at=at), [WITNESSES[0].key]).valid == {WITNESSES[0].key: at}


@pytest.mark.parametrize("text", ["\n", "a\tb\n", "a\r\n", "\x00\n", "a\x1b[2J\n"])
def test_a_text_that_cannot_be_a_note_is_refused_though_properly_signed(text):
    with pytest.raises(NoteError):
        note.open_note(f"{text}\n{LOG.line(text, None)}\n", [LOG.key])
    with pytest.raises(NoteError):
        note.open_note(f"{LOG.line(text, None)}\n", [LOG.key])


def test_two_known_keys_that_share_name_and_id_are_refused():
    """Ids have 32 bits: anybody finds two keys with one id in a moment."""
    name, seen, pair = "gw.example/log", {}, None
    for number in count():
        public = hashlib.sha256(b"%d" % number).digest()
        key_id = hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]
        with contextlib.suppress(NoteError):
            if key_id in seen:
                pair = [NoteKey(name, note.SIGNATURE, material) for material in (seen[key_id], public)]
                break
        seen[key_id] = public

    with pytest.raises(NoteError, match="share one id"):
        note.open_note(note.sign(TEXT, LOG), [LOG.key, *pair])


def test_a_plain_signature_does_not_pass_for_a_cosignature_of_the_same_key():
    signer = generate_signer()
    plain, timed = NoteSigner("w.example", signer), NoteSigner("w.example", signer, COSIGNATURE)

    assert plain.key.id != timed.key.id
    with pytest.raises(NoteError, match="nobody known"):
        note.open_note(note.sign(TEXT, plain), [timed.key])


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace("\n\n", "\n"),
        lambda raw: raw[:-1],
        lambda raw: raw + "\n",
        lambda raw: raw + "hello\n",
        lambda raw: raw + "— stranger.example AAA\n",
        lambda raw: raw + "— stranger.example AAAAAA==\n",
        lambda raw: raw + "— stranger.example AAAAAAB=\n",
        lambda raw: raw + "— stranger example AAAAAAA=\n",
        lambda raw: raw + "— stranger+example AAAAAAA=\n",
        lambda raw: raw + "- stranger.example AAAAAAA=\n",
        lambda raw: raw + "—  AAAAAAA=\n",
        lambda raw: raw.replace("\n", "\r\n"),
        lambda raw: raw.replace("gw.example", "gw\texample", 1),
        lambda raw: raw + "— stranger.example AAAAAAA=\n" * 100,
        lambda raw: "\n\n" + raw.split("\n\n")[1],
        lambda raw: raw + "\ud800",
    ],
)
def test_a_malformed_note_is_refused_even_where_a_stranger_malformed_it(change):
    raw = note.sign(TEXT, LOG)

    with pytest.raises(NoteError):
        note.open_note(change(raw), [LOG.key])


def test_a_hundred_signatures_are_taken():
    raw = note.sign(TEXT, LOG) + "— stranger.example AAAAAAA=\n" * 99

    assert note.open_note(raw, [LOG.key]).valid == {LOG.key: None}


def test_a_note_that_is_not_utf_8_is_refused():
    with pytest.raises(NoteError, match="UTF-8"):
        note.open_note(note.sign(TEXT, LOG).encode() + b"\xff\n", [LOG.key])


@given(st.text() | st.binary())
def test_garbage_is_a_note_error(raw):
    with pytest.raises(NoteError):
        note.open_note(raw, [LOG.key])


@pytest.mark.parametrize("text", ["", "\n", "no newline", "tab\there\n", "return\r\n"])
def test_a_text_that_cannot_be_a_note_is_not_signed(text):
    with pytest.raises(NoteError):
        note.sign(text, LOG)


def test_a_cosignature_without_a_time_is_not_made():
    with pytest.raises(NoteError):
        note.sign(TEXT, WITNESSES[0])
