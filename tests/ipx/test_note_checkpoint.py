"""Checkpoints (C2SP): one is taken only from its own log and with a quorum of its witnesses."""

import base64
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipx import note
from ipx.errors import NoteError
from ipx.note import COSIGNATURE, Checkpoint, LogPolicy, NoteSigner
from tests.ipx.notes import LOG, STRANGER, TEXT, WITNESSES
from tests.ipx.world import NOW

POLICY = LogPolicy("gw.example/log", frozenset({LOG.key}), frozenset(witness.key for witness in WITNESSES), 2)


def test_the_checkpoint_of_c2sp_reads_back_as_written():
    """C2SP tlog-checkpoint, example."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

    checkpoint = Checkpoint.parse(text)

    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.text() == text


def test_a_checkpoint_with_a_quorum_of_witnesses_is_taken():
    raw = note.sign(TEXT, LOG, STRANGER, *WITNESSES[:2], at=NOW)

    cosigned = note.open_checkpoint(raw, POLICY, now=NOW)

    assert cosigned.checkpoint.size == 88_240
    assert cosigned.cosigned_at == (NOW, NOW)


def test_the_times_of_the_witnesses_are_sorted():
    later, earlier = NOW, NOW - timedelta(minutes=1)
    raw = note.sign(TEXT, LOG, WITNESSES[0], at=later) + note.sign(TEXT, WITNESSES[1], at=earlier).split("\n\n")[1]

    assert note.open_checkpoint(raw, POLICY, now=NOW).cosigned_at == (earlier, later)


@pytest.mark.parametrize(
    ("signers", "reason"),
    [
        ([LOG], "2 are demanded"),
        ([LOG, WITNESSES[0]], "2 are demanded"),
        ([LOG, WITNESSES[0], WITNESSES[0]], "2 are demanded"),
        ([LOG, WITNESSES[0], STRANGER], "2 are demanded"),
        ([*WITNESSES], "not signed by the log"),
        ([STRANGER], "nobody known"),
        ([], "empty line"),
    ],
)
def test_a_checkpoint_short_of_signatures_is_refused(signers, reason):
    raw = note.sign(TEXT, *signers, at=NOW)

    with pytest.raises(NoteError, match=reason):
        note.open_checkpoint(raw, POLICY, now=NOW)


def test_a_witness_of_the_future_is_refused_but_for_a_little_skew():
    raw = note.sign(TEXT, LOG, *WITNESSES, at=NOW)

    note.open_checkpoint(raw, POLICY, now=NOW - timedelta(seconds=5))
    with pytest.raises(NoteError, match="future"):
        note.open_checkpoint(raw, POLICY, now=NOW - timedelta(seconds=6))


def test_the_origin_is_the_trust_lists_not_the_notes():
    other = Checkpoint("gw.example/other", 1, bytes(32)).text()

    with pytest.raises(NoteError, match=r"gw\.example/other"):
        note.open_checkpoint(note.sign(other, LOG, *WITNESSES, at=NOW), POLICY, now=NOW)


@pytest.mark.parametrize("signer", [LOG, WITNESSES[0]], ids=["log", "witness"])
def test_a_bad_signature_by_a_known_key_rejects_the_note_that_others_signed_well(signer):
    good = note.sign(TEXT, LOG, *WITNESSES, at=NOW)
    other = note.sign(TEXT.replace("88240", "88241"), signer, at=NOW).split("\n\n")[1]

    with pytest.raises(NoteError, match="does not fit"):
        note.open_checkpoint(good + other, POLICY, now=NOW)


@given(st.data())
def test_any_changed_byte_of_a_signed_checkpoint_is_refused_unless_it_makes_the_signer_a_stranger(data):
    policy = LogPolicy("gw.example/log", frozenset({LOG.key}))
    raw = bytearray(note.sign(TEXT, LOG).encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[at]))

    with pytest.raises(NoteError):
        note.open_checkpoint(bytes(raw), policy, now=NOW)


@pytest.mark.parametrize(
    "text",
    ["", "o\n1\n", "o\n1\n{r}", "\n1\n{r}\n", "o\n01\n{r}\n", "o\n-1\n{r}\n", "o\n+1\n{r}\n", "o\n1 \n{r}\n",
     "o\n12345678901234567890\n{r}\n", "o\n\u0661\n{r}\n",
     "o\n1\n{s}\n", "o\n1\nAAAA\n", "o\n1\n{r}\n\n", "o\n1\n{r}\n\nx\n",
     "o\n1\n{u}\n"],
)  # fmt: skip
def test_a_malformed_checkpoint_is_refused(text):
    root = base64.b64encode(bytes(32)).decode()
    spare = root[:-2] + "B="
    written = text.replace("{r}", root).replace("{s}", root.rstrip("=")).replace("{u}", spare)

    with pytest.raises(NoteError):
        Checkpoint.parse(written)


def test_lines_of_other_logs_are_carried():
    text = TEXT + "timestamp 5\n"

    assert Checkpoint.parse(text).text() == text


@pytest.mark.parametrize(
    "policy",
    [
        {"keys": []},
        {"keys": [WITNESSES[0]]},
        {"keys": [LOG], "witnesses": [STRANGER]},
        {"keys": [LOG], "witnesses": WITNESSES, "quorum": 4},
        {"keys": [LOG], "witnesses": WITNESSES, "quorum": -1},
        {"keys": [LOG], "witnesses": [NoteSigner("w.example", LOG.signer, COSIGNATURE)]},
        {"keys": [LOG], "witnesses": [WITNESSES[0], NoteSigner("twin", WITNESSES[0].signer, COSIGNATURE)], "quorum": 2},
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(policy):
    keys, witnesses = ({signer.key for signer in policy.get(name, [])} for name in ("keys", "witnesses"))

    with pytest.raises(NoteError):
        LogPolicy("gw.example/log", frozenset(keys), frozenset(witnesses), policy.get("quorum", 0))
