"""Proof texts (C2SP tlog-proof): each has one spelling, and a malformed one is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipx import note
from ipx.errors import EvidenceError, NoteError
from ipx.note import InclusionProof
from tests.ipx.notes import LOG, TEXT


@given(st.integers(0, 10**18), st.lists(st.binary(min_size=32, max_size=32), max_size=63), st.none() | st.binary())
def test_a_proof_reads_back_as_written(index, hashes, extra):
    proof = InclusionProof(index, tuple(hashes), note.sign(TEXT, LOG), extra)

    assert note.parse_proof(proof.text()) == proof


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@v1", "@v2"),
        ("c2sp", "\nc2sp"),
        ("index 7", "index 07"),
        ("index 7", "Index 7"),
        ("index 7", "index -7"),
        ("index 7", "index 12345678901234567890"),
        ("index 7\n", ""),
        ("index 7", "extra AB==\nindex 7"),
        ("index 7", "extra AAAA\nextra AAAA\nindex 7"),
        ("index 7", "index 7\n\n"),
        ("\n\n", "\n"),
        ("index 7", "index 7\nAAAA"),
    ],
)
def test_a_malformed_proof_is_refused_or_its_checkpoint_is(old, new):
    text = InclusionProof(7, (bytes(32),), note.sign(TEXT, LOG)).text().replace(old, new, 1)

    with pytest.raises(NoteError):
        note.open_note(note.parse_proof(text).checkpoint_note, [LOG.key])


@pytest.mark.parametrize(
    "text",
    ["", "c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v1\nindex 0", "c2sp.org/tlog-proof@v1\n\nnote\n",
     "c2sp.org/tlog-proof@v1\nextra AAAA\n\nnote\n", "c2sp.org/tlog-proof@v1\nindex \n\nnote\n"],
)  # fmt: skip
def test_half_a_proof_is_refused(text):
    with pytest.raises(NoteError):
        note.parse_proof(text)


def test_a_proof_of_63_hashes_is_taken_and_one_of_64_is_not():
    assert len(note.parse_proof(InclusionProof(7, (bytes(32),) * 63, note.sign(TEXT, LOG)).text()).hashes) == 63
    with pytest.raises(NoteError, match="63"):
        note.parse_proof(InclusionProof(7, (bytes(32),) * 64, note.sign(TEXT, LOG)).text())


@given(st.text())
def test_garbage_is_no_proof(text):
    with pytest.raises(EvidenceError):
        note.parse_proof(text)
