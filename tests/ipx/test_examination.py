"""The ten checks of a bundle: what holds is told in plain words, and which files there must be."""

import pytest

from ipx import bundle, note
from ipx.errors import FormatError, TrustError

# --- what holds ------------------------------------------------------------------------------------------------------


def test_a_release_sealed_here_holds_and_is_told_in_plain_words(judge):
    told = " ".join(judge().sentences())

    for words in (
        "customs-xa.intake asked ipo-xa for urn:ipx:ipo-xa:trademark:2019-0042 on 2026-11-25 08:00:00 UTC",
        'for the purpose border_enforcement on the legal basis "CCA 2025 art. 4", case CX-118',
        "the request is signed by customs-xa.intake.",
        "https://gw.example answered on 2026-11-25 08:00:00 UTC: released.",
        "receipt 019ab2c0-0000-7000-8000-00000000000a names exactly this request.",
        "sealed by the gateway with a key it keeps for ipo-xa",
        "this proves what the gateway fetched then, not that the office vouches for it.",
        "3 fields are disclosed, unchanged and exactly those that the receipt names; 5 stay hidden, decoys included",
        "Withheld, with the reason: trademark.owner.contact (not_granted).",
        "The release obliges customs-xa.intake: retain_days = 90, watermark = true.",
        "The exchange is entry 5 of the log gw.example/log: the signed checkpoint over 9 entries contains it",
        "There is no trusted time",
        "Every key was in force when it signed, by version 3 of the trust list.",
    ):
        assert words in told


def test_a_release_signed_by_the_holder_is_told_apart(judge):
    report = judge("released", "holder")

    assert (report.sealed_by, report.disclosed, report.withheld, report.erased) == ("holder", 3, 5, 0)
    assert "The record is signed by ipo-xa itself: the office vouches for what is shown." in report.sentences()
    assert report.claims["verbal_element"] == "SUNRISE"
    assert "owner_contacts" not in report.claims


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ("denied", "denied, nothing was released."),
        ("failed", "failed at the stage holder, nothing was released."),
        ("withdrawn", "withdrawn by the requester, nothing was released."),
        ("pending", "pending, nothing is decided yet."),
    ],
)
def test_an_outcome_without_a_record_holds_like_a_release(judge, outcome, told):
    report = judge(outcome, receipt={"stage": "holder"} if outcome == "failed" else {})

    assert told in report.sentences()[1]
    assert report.claims is None
    assert "No field of any record was handed over." in report.sentences()


def test_a_field_erased_since_leaves_everything_else_verifiable(judge):
    report = judge(erased=("owners",))

    assert (report.disclosed, report.withheld, report.erased) == (2, 5, 1)
    assert "1 field was erased since." in report.sentences()[3]


def test_a_quorum_of_witnesses_gives_a_trusted_time(judge, world, now):
    report = judge(trust=world.witnessed(), witnesses=world.witnesses[:2])

    assert (report.trusted_at, report.time_source, report.cosignatures) == (now, "witnesses", 2)
    assert (
        "The exchange existed by 2026-11-25 08:00:00 UTC, confirmed by 2 independent witnesses." in report.sentences()
    )


def test_the_trusted_time_is_the_moment_by_which_the_quorum_had_cosigned(judge, world, now, minute):
    members = world.members()
    proof = note.parse_proof(members["proof.tlog-proof"].decode())
    text = proof.checkpoint_note.split("\n\n")[0] + "\n"
    lines = [
        note.sign(text, witness, at=now + offset * minute).split("\n\n")[1]
        for witness, offset in zip(world.witnesses, (3, 1, 2), strict=True)
    ]
    cosigned = note.InclusionProof(proof.index, proof.hashes, proof.checkpoint_note + "".join(lines))
    members["proof.tlog-proof"] = cosigned.text().encode()

    report = bundle.verify_members(members, world.witnessed(), now=now + 5 * minute)

    assert report.trusted_at == now + 2 * minute


def test_text_of_others_cannot_act_on_a_terminal(judge):
    report = judge(request={"legal_basis": "\x1b[2J\u202eart. 4"})

    assert "\x1b" not in report.sentences()[0]
    assert "\\x1b[2J\\u202eart. 4" in report.sentences()[0]


# --- 1 and 2: the files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["request", "receipt", "opening", "entry", "proof"])
def test_evidence_that_lacks_a_file_is_refused(world, now, name):
    members = world.members()
    whole = next(key for key in members if key.startswith(name))
    del members[whole]

    with pytest.raises(FormatError, match=f"lacks {whole}"):
        bundle.verify_members(members, world.trust(), now=now)


def test_evidence_with_a_foreign_file_is_refused(refuses):
    refuses(FormatError, "holds trust.jws", **{"trust.jws": b"x"})


def test_a_timestamp_that_nobody_can_judge_is_refused(refuses):
    refuses(TrustError, "no authority", **{"checkpoint.tsr": b"x"})
