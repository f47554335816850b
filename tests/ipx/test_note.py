"""Signed notes, checkpoints, cosignatures, proof texts (C2SP)."""

import base64
import contextlib
import hashlib
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipx import note
from ipx.errors import EvidenceError, NoteError
from ipx.keys import generate_signer, load_signer
from ipx.note import COSIGNATURE, Checkpoint, InclusionProof, LogPolicy, NoteKey, NoteSigner

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
LOG = NoteSigner("gw.example/log", generate_signer())
WITNESSES = [NoteSigner(f"w{number}.example", generate_signer(), COSIGNATURE) for number in range(3)]
STRANGER = NoteSigner("stranger.example", generate_signer())
TEXT = Checkpoint("gw.example/log", 88_240, bytes(range(32))).text()
POLICY = LogPolicy("gw.example/log", frozenset({LOG.key}), frozenset(witness.key for witness in WITNESSES), 2)


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


def test_the_checkpoint_of_c2sp_reads_back_as_written():
    """C2SP tlog-checkpoint, example."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

    checkpoint = Checkpoint.parse(text)

    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.text() == text


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


@given(st.data())
def test_any_changed_byte_of_a_signed_checkpoint_is_refused_unless_it_makes_the_signer_a_stranger(data):
    policy = LogPolicy("gw.example/log", frozenset({LOG.key}))
    raw = bytearray(note.sign(TEXT, LOG).encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[at]))

    with pytest.raises(NoteError):
        note.open_checkpoint(bytes(raw), policy, now=NOW)


@given(st.text() | st.binary())
def test_garbage_is_a_note_error(raw):
    with pytest.raises(NoteError):
        note.open_note(raw, [LOG.key])


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


@pytest.mark.parametrize("text", ["", "\n", "no newline", "tab\there\n", "return\r\n"])
def test_a_text_that_cannot_be_a_note_is_not_signed(text):
    with pytest.raises(NoteError):
        note.sign(text, LOG)


def test_a_cosignature_without_a_time_is_not_made():
    with pytest.raises(NoteError):
        note.sign(TEXT, WITNESSES[0])


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
