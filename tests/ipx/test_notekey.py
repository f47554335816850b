"""Keys of notes (C2SP): each has one spelling, a possible name, a known type, and is sound."""

import base64

import pytest

from ipx import note
from ipx.errors import NoteError
from ipx.keys import generate_signer
from ipx.note import NoteKey, NoteSigner
from tests.ipx.notes import LOG, WITNESSES


def test_a_note_key_reads_back_as_written():
    for signer in (LOG, WITNESSES[0]):
        assert NoteKey.parse(signer.key.vkey) == signer.key


@pytest.mark.parametrize(
    "vkey",
    ["", "a", "a+b", "name+00000000+AQ==", "name+zz+{k}", "+{i}+{k}", "na me+{i}+{k}", "gw.example/log+{i}+{k}x",
     "gw.example/log+{I}+{k}", "gw.example/log+00000000+{k}", "gw.example/log+{i}+{t}"],
)  # fmt: skip
def test_a_malformed_note_key_is_refused(vkey):
    _, key_id, key = LOG.key.vkey.split("+", 2)
    other_type = base64.b64encode(b"\x02" + LOG.key.public).decode()
    written = vkey.replace("{i}", key_id).replace("{I}", key_id.upper() + "0").replace("{k}", key)

    with pytest.raises(NoteError):
        NoteKey.parse(written.replace("{t}", other_type))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\nb", " "])
def test_a_note_key_with_an_impossible_name_is_refused(name):
    with pytest.raises(NoteError, match="no name"):
        NoteKey(name, note.SIGNATURE, LOG.key.public)


@pytest.mark.parametrize("kind", [0, 2, 5, 6, 255])
def test_a_note_key_of_an_unknown_type_is_refused(kind):
    with pytest.raises(NoteError, match="signature type"):
        NoteKey("gw.example/log", kind, LOG.key.public)


@pytest.mark.parametrize("material", [b"", b"\x01", b"\x01" + bytes(31), b"\x01" + bytes(33)])
def test_a_note_key_of_another_length_is_refused(material):
    with pytest.raises(NoteError, match="32 bytes"):
        NoteKey.parse(f"gw.example/log+00000000+{base64.b64encode(material).decode()}")


def test_a_note_key_for_which_anybody_could_sign_is_refused():
    with pytest.raises(NoteError, match="no sound"):
        NoteKey("gw.example/log", note.SIGNATURE, bytes(32))


def test_notes_are_signed_with_ed25519_only():
    with pytest.raises(NoteError):
        NoteSigner("gw.example/log", generate_signer("ES256"))
