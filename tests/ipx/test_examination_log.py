"""Checks 7 and 8 of a bundle: the entry commits to this exchange, and a checkpoint with its witnesses contains it."""

import json

import pytest

from ipx import bundle, note
from ipx.encoding import b64url
from ipx.errors import BindingError, FormatError, NoteError, ProofError
from ipx.keys import generate_signer
from tests.ipx.world import UNLOGGED

# --- 7: the commitment -----------------------------------------------------------------------------------------------


def test_an_entry_that_commits_to_something_else_is_refused(refuses):
    refuses(BindingError, "does not commit", entry=UNLOGGED)


@pytest.mark.parametrize(
    "change", [(b'"v":1', b'"v":2'), (b"released", b"denied"), (b":1795", b":1796"), (b'"c"', b' "c"')]
)
def test_an_entry_in_another_spelling_is_refused(world, refuses, change):
    salt = b"s" * 32
    members = world.members(salt=salt)
    refuses(BindingError, "does not commit", entry=members["entry.json"].replace(*change), salt=salt)


def test_another_salt_does_not_open_the_commitment(refuses):
    refuses(BindingError, "does not commit", **{"opening.json": json.dumps({"salt": b64url(b"t" * 32)}).encode()})


@pytest.mark.parametrize("salt", [b"", b"s" * 31, b"s" * 33, b"s" * 32 + b"\0"])
def test_a_salt_of_another_length_is_refused(refuses, salt):
    opening = json.dumps({"salt": b64url(salt)}).encode()
    refuses(FormatError, "salt", **{"opening.json": opening})


@pytest.mark.parametrize("opening", [b"{}", b"[]", b'{"salt":5}', b'{"salt":"=="}', b"x", b'{"salt":"%b","more":1}'])
def test_an_opening_in_another_form_is_refused(refuses, opening):
    refuses(FormatError, "JSON|salt|base64url", **{"opening.json": opening.replace(b"%b", b64url(b"s" * 32).encode())})


# --- 8: log and witnesses --------------------------------------------------------------------------------------------


def test_an_entry_that_is_not_in_the_log_is_refused(refuses, world, absent):
    other = world.members()["proof.tlog-proof"]
    refuses(ProofError, "not in the log", **{"proof.tlog-proof": other})


def test_an_entry_at_another_place_is_refused(world, now):
    members = world.members()
    proof = note.parse_proof(members["proof.tlog-proof"].decode())
    for index in (4, 6, 9, 0):
        members["proof.tlog-proof"] = note.InclusionProof(index, proof.hashes, proof.checkpoint_note).text().encode()
        with pytest.raises(ProofError):
            bundle.verify_members(members, world.trust(), now=now)


def test_a_checkpoint_of_a_log_nobody_listed_is_refused(refuses, world):
    other = note.NoteSigner(world.log.name, generate_signer())
    vkeys = {"origin": world.log.name, "vkeys": [other.key.vkey]}
    refuses(NoteError, "nobody known", trust=world.trust(log=vkeys))


def test_a_checkpoint_short_of_the_quorum_is_refused(refuses, world):
    refuses(NoteError, "2 are demanded", trust=world.witnessed(), witnesses=world.witnesses[:1])


def test_a_checkpoint_cosigned_in_the_future_is_refused(refuses, world, now, minute):
    refuses(NoteError, "future", trust=world.witnessed(), witnesses=world.witnesses, cosigned_at=now + minute)


def test_a_proof_that_is_not_utf_8_is_refused(refuses):
    refuses(FormatError, "UTF-8", **{"proof.tlog-proof": b"\xff"})
