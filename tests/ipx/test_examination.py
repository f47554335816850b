"""The ten checks. Every damaged exchange is right in all other respects and signed as damaged."""

import json

import pytest

from ipx import bundle, note, trust
from ipx.encoding import b64url
from ipx.errors import BindingError, EvidenceError, FormatError, NoteError, ProofError, SignatureError, TrustError
from ipx.keys import generate_signer

SECOND = 1_795_593_600
UNLOGGED = b'{"c":"' + b"A" * 43 + b'","o":"released","t":1795593600,"v":1}'
DAY = 86_400


@pytest.fixture
def judge(world, now):
    """Examines the files of an exchange, damaged as told, by a trust list, damaged as told."""

    def judged(*arguments, trust=None, keys=None, **damage):
        list_ = trust or world.trust(keys=keys or {})
        return bundle.verify_members(world.members(*arguments, **damage), list_, now=now)

    return judged


@pytest.fixture
def refuses(judge):
    def refused(error, reason, *arguments, **damage):
        with pytest.raises(EvidenceError, match=reason) as caught:
            judge(*arguments, **damage)
        assert type(caught.value) is error

    return refused


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


# --- 3: request and receipt ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signer", ["request_signer", "receipt_signer", "record_signer"])
def test_a_document_signed_by_a_stranger_is_refused(refuses, world, signer):
    refuses(SignatureError, "Nobody vouches", **{signer: world.stranger})


@pytest.mark.parametrize(
    ("signer", "key"),
    [
        ("request_signer", "gateway"),
        ("receipt_signer", "client"),
        ("record_signer", "gateway"),
        ("record_signer", "client"),
    ],
)
def test_a_document_signed_with_a_key_of_another_role_is_refused(refuses, world, signer, key):
    refuses(SignatureError, "Nobody vouches", **{signer: getattr(world, key)})


@pytest.mark.parametrize("document", ["request", "receipt", "record"])
def test_a_document_whose_issuer_does_not_own_the_key_is_refused(refuses, document):
    refuses(SignatureError, f"The {document} does not hold.*issuer", **{document: {"iss": "somebody-else"}})


def test_a_request_to_another_gateway_is_refused(refuses):
    refuses(BindingError, "another gateway", request={"aud": "https://other.example"})


def test_a_receipt_for_another_request_is_refused(refuses):
    refuses(BindingError, "another request", receipt={"req_hash": b64url(bytes(32))})


def test_a_receipt_for_another_holder_is_refused(refuses):
    refuses(BindingError, "another holder", receipt={"holder": "ipo-xb"})


def test_a_receipt_of_another_log_is_refused(refuses):
    refuses(BindingError, "another log", receipt={"log": "gw.example/log-2"})


@pytest.mark.parametrize("name", ["aud", "jti", "iat", "exp", "holder", "record", "purpose", "legal_basis"])
def test_a_request_that_lacks_a_member_is_refused(refuses, absent, name):
    refuses(FormatError, f"The request does not hold.*{name}", request={name: absent})


@pytest.mark.parametrize("name", ["jti", "iat", "req_hash", "rec_hash", "disclosed", "holder", "outcome", "log"])
def test_a_receipt_that_lacks_a_member_is_refused(refuses, absent, name):
    refuses(FormatError, "The receipt does not hold", receipt={name: absent})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iat", True),
        ("iat", 1.5),
        ("outcome", "RELEASED"),
        ("outcome", ["released"]),
        ("sealed_by", 5),
        ("sealed_by", ""),
        ("stage", 5),
        ("reason", []),
        ("prior", 5),
        ("obligations", []),
        ("withheld", {}),
        ("withheld", ["trademark.owner"]),
        ("withheld", [{"group": "trademark.owner"}]),
        ("withheld", [{"reason": "not_granted"}]),
        ("disclosed", "x"),
        ("disclosed", [1]),
        ("disclosed", ["b", "a"]),
        ("disclosed", ["a", "a"]),
    ],
)
def test_a_receipt_with_a_member_of_another_kind_is_refused(refuses, name, value):
    refuses(FormatError, "The receipt does not hold", receipt={name: value})


@pytest.mark.parametrize("outcome", ["finished", "", None, "act", "erased"])
def test_an_outcome_that_does_not_exist_is_refused(refuses, outcome):
    refuses(FormatError, "no outcome that exists", "denied", receipt={"outcome": outcome})


def test_a_request_for_a_record_and_by_a_query_is_refused(refuses):
    refuses(FormatError, "for neither", request={"query": {}})


def test_a_case_reference_may_be_absent_but_not_empty(judge, refuses, absent):
    assert ", case" not in judge(request={"case_ref": absent}).sentences()[0]
    refuses(FormatError, "case_ref", request={"case_ref": ""})


def test_a_request_made_to_last_is_refused(judge, refuses):
    judge(request={"exp": SECOND + 1})
    for exp in (SECOND, SECOND - 1, SECOND + 61):
        refuses(BindingError, "within 60 seconds", request={"exp": exp})


def test_a_receipt_of_the_future_is_refused_but_for_a_little_skew(judge, refuses):
    judge(at=SECOND + 5)
    refuses(BindingError, "future", at=SECOND + 6)


@pytest.mark.parametrize("file", ["request.jws", "receipt.jws", "record.sd-jwt"])
def test_a_document_that_is_not_ascii_is_refused(world, now, file):
    members = world.members()
    members[file] += "é".encode()

    with pytest.raises(FormatError, match="not ASCII"):
        bundle.verify_members(members, world.trust(), now=now)


# --- 4: freshness and filing -----------------------------------------------------------------------------------------


def test_a_request_is_fresh_for_five_minutes_around_its_receipt(judge, refuses, now, world, minute):
    judge(at=SECOND, request={"iat": SECOND - 300, "exp": SECOND - 240})
    judge(at=SECOND, request={"iat": SECOND + 300, "exp": SECOND + 301})
    for offset in (-301, 301):
        refuses(BindingError, "not fresh", at=SECOND, request={"iat": SECOND + offset, "exp": SECOND + offset + 60})


class Filed:
    """An exchange that was pending for some days and then released."""

    def __init__(self, world, days=2, *, pending=None, final=None, pending_receipt=None):
        filed_at = SECOND - days * DAY
        request = {"iat": filed_at, "exp": filed_at + 60}
        self.pending = world.members("pending", request=request, at=filed_at, receipt=pending_receipt, **pending or {})
        self.token = self.pending["request.jws"].decode()
        self.prior = sha256(self.pending["receipt.jws"])
        self.final = {"request_token": self.token, "receipt": {"prior": self.prior}, **(final or {})}

    def members(self, world):
        return world.members(**{"pending.zip": bundle.write(self.pending), **self.final})


def sha256(data):
    import hashlib  # noqa: PLC0415 - only here

    return b64url(hashlib.sha256(data).digest())


LONG = {
    role: {"valid_from": SECOND - 200 * DAY, "valid_until": SECOND + 200 * DAY}
    for role in ("requester", "gateway", "holder", "seal")
}


def test_a_decision_that_took_days_proves_when_the_request_was_filed(world, now):
    members = Filed(world).members(world)

    report = bundle.verify_members(members, world.trust(keys=LONG), now=now)

    assert int(report.filed_at.timestamp()) == SECOND - 2 * DAY
    assert "The request was filed on 2026-11-23 08:00:00 UTC." in report.sentences()[1]


@pytest.mark.parametrize(
    ("filed", "error", "reason"),
    [
        ({"days": 90}, None, ""),
        ({"days": 0}, None, ""),
        ({"days": 91}, BindingError, "more than 90 days"),
        ({"days": -1}, EvidenceError, "future"),
        ({"pending_receipt": {"outcome": "denied"}}, BindingError, "another pending receipt"),
        ({"pending_receipt": {"jti": "019ab2c0-0000-7000-8000-00000000000b"}}, BindingError, "of another exchange"),
        ({"pending_receipt": {"iat": SECOND - 3 * DAY}}, BindingError, "bundle of the pending receipt.*not fresh"),
        ({"final": {"receipt": {"prior": b64url(bytes(32))}}}, BindingError, "another pending receipt"),
        ({"final": {"receipt": {}}}, BindingError, "a pending one is here"),
        ({"pending": {"entry": UNLOGGED}}, BindingError, "bundle of the pending receipt.*commit"),
        ({"pending": {"receipt_signer": generate_signer()}}, SignatureError, "bundle of the pending receipt.*Nobody"),
    ],
)
def test_a_filing_must_be_the_beginning_of_this_exchange(world, now, filed, error, reason):
    members = Filed(world, **filed).members(world)
    if error is None:
        bundle.verify_members(members, world.trust(keys=LONG), now=now)
    else:
        with pytest.raises(error, match=reason):
            bundle.verify_members(members, world.trust(keys=LONG), now=now)


def test_a_filing_by_another_request_is_refused(world, now):
    filed = Filed(world)
    other = Filed(world)
    filed.final["request_token"] = other.token

    with pytest.raises(BindingError, match="of another exchange"):
        bundle.verify_members(filed.members(world), world.trust(keys=LONG), now=now)


def test_a_filing_that_ended_before_it_began_is_refused(world, now):
    filed = Filed(world, final={"at": SECOND - 3 * DAY, "record": {"iat": SECOND - 3 * DAY}})

    with pytest.raises(BindingError, match="before it began"):
        bundle.verify_members(filed.members(world), world.trust(keys=LONG), now=now)


def test_a_missing_filing_is_refused(refuses):
    refuses(BindingError, "missing here", receipt={"prior": b64url(bytes(32))})


def test_there_are_two_receipts_at_most(world, now):
    first = Filed(world)
    again = {"request_token": first.token, "receipt": {"prior": first.prior}}
    second = world.members("pending", at=SECOND - DAY, **{"pending.zip": bundle.write(first.pending), **again})
    final = world.members(
        request_token=first.token,
        receipt={"prior": sha256(second["receipt.jws"])},
        **{"pending.zip": bundle.write(second)},
    )

    for members in (second, final):
        with pytest.raises(BindingError, match="two receipts at most"):
            bundle.verify_members(members, world.trust(keys=LONG), now=now)


# --- 5: the record ---------------------------------------------------------------------------------------------------


def test_a_release_without_a_record_is_refused(refuses, absent):
    refuses(BindingError, "a record is missing", **{"record.sd-jwt": absent})


def test_a_refusal_with_a_record_is_refused(refuses, world):
    refuses(BindingError, "a record is here", "denied", **{"record.sd-jwt": world.members()["record.sd-jwt"]})


def test_a_refusal_bound_to_a_record_is_refused(refuses):
    refuses(BindingError, "yet is bound to a record", "denied", receipt={"rec_hash": b64url(bytes(32))})


@pytest.mark.parametrize("receipt", [{"sealed_by": "gateway"}, {"disclosed": ["x"]}])
def test_a_refusal_that_names_fields_or_a_seal_is_refused(refuses, receipt):
    refuses(FormatError, "releases nothing and yet", "denied", receipt=receipt)


@pytest.mark.parametrize("sealed_by", ["holder", "gateway"])
@pytest.mark.parametrize("place", ["key", "record", "receipt", "receipt_absent", "record_absent"])
def test_key_record_and_receipt_must_agree_on_who_sealed(refuses, world, absent, sealed_by, place):
    other = "gateway" if sealed_by == "holder" else "holder"
    damage = {
        "key": {"record_signer": world.holder if other == "holder" else world.seal},
        "record": {"record": {"sealed_by": other}},
        "receipt": {"receipt": {"sealed_by": other}},
        "receipt_absent": {"receipt": {"sealed_by": absent}},
        "record_absent": {"record": {"sealed_by": absent}},
    }[place]

    refuses(BindingError, "do not agree", "released", sealed_by, **damage)


def test_another_record_than_the_one_asked_for_is_refused(refuses, absent):
    refuses(BindingError, "not the record that was asked for", record={"sub": "urn:ipx:ipo-xa:trademark:1"})
    refuses(BindingError, "not the record that was asked for", record={"sub": absent})


def test_a_record_of_another_holder_is_refused(refuses, world):
    keys = {"seal": {"iss": "ipo-xb"}}
    refuses(BindingError, "not of the holder", record={"iss": "ipo-xb"}, keys=keys)


def test_a_record_the_receipt_was_not_made_for_is_refused(refuses):
    refuses(BindingError, "not the record that the receipt", receipt={"rec_hash": b64url(bytes(32))})


def test_a_record_is_judged_at_the_moment_of_the_receipt(judge, refuses, now, world, minute):
    members = world.members(record={"exp": SECOND + 1})

    bundle.verify_members(members, world.trust(), now=now + 60 * minute)
    refuses(BindingError, "no longer valid", record={"exp": SECOND})
    refuses(BindingError, "not yet valid", record={"nbf": SECOND + 6})


def test_a_record_without_a_date_is_refused(refuses, absent):
    refuses(FormatError, "iat", record={"iat": absent})


# --- 6: disclosed and erased -----------------------------------------------------------------------------------------


def test_a_field_more_or_less_than_the_receipt_says_is_refused(refuses, world, now):
    refuses(BindingError, "not exactly those", receipt={"disclosed": []})
    members = world.members()
    jwt, _, *rest = members["record.sd-jwt"].decode().split("~")
    members["record.sd-jwt"] = "~".join([jwt, *rest]).encode()
    with pytest.raises(BindingError, match="not exactly those"):
        bundle.verify_members(members, world.trust(), now=now)


@pytest.mark.parametrize("erased", [b"{}", b"[]", b"[1]", b'["a","a"]', b'"a"', b"nothing"])
def test_a_list_of_erased_fields_in_another_form_is_refused(refuses, erased):
    refuses(FormatError, "JSON|erased", **{"erased.json": erased})


def test_what_the_record_does_not_hide_cannot_be_erased(world, now):
    members = world.members()
    disclosure = members["record.sd-jwt"].decode().split("~")[1]
    for digest in ("A" * 43, bundle_digest(disclosure)):
        members["erased.json"] = json.dumps([digest]).encode()
        with pytest.raises(BindingError, match="does not hide"):
            bundle.verify_members(members, world.trust(), now=now)


def test_a_refusal_has_nothing_to_erase(refuses):
    refuses(BindingError, "does not hide", "denied", **{"erased.json": json.dumps(["A" * 43]).encode()})


def test_a_withheld_field_cannot_be_passed_off_as_erased(world, now):
    members = world.members(erased=("owners",))
    other = world.members(erased=("owners",))
    members["erased.json"] = other["erased.json"]

    with pytest.raises(BindingError, match="does not hide"):
        bundle.verify_members(members, world.trust(), now=now)


def bundle_digest(disclosure):
    from ipx.sdjwt import digest  # noqa: PLC0415 - only here

    return digest(disclosure)


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


# --- 9 and 10: time and keys -----------------------------------------------------------------------------------------


def test_a_receipt_later_than_its_witnesses_is_refused(judge, refuses, world, now, minute):
    judge(trust=world.witnessed(), witnesses=world.witnesses, at=SECOND + 5)
    refuses(
        BindingError, "later than the moment", trust=world.witnessed(), witnesses=world.witnesses, at=SECOND,
        cosigned_at=now - minute,
    )  # fmt: skip


@pytest.mark.parametrize("role", ["requester", "gateway", "seal"])
def test_a_key_signs_from_its_first_second_to_its_last(judge, refuses, role):
    judge(keys={role: {"valid_from": SECOND}})
    judge(keys={role: {"valid_until": SECOND + 1}})
    refuses(SignatureError, f"{role} key of .* was not in force", keys={role: {"valid_from": SECOND + 1}})
    refuses(SignatureError, f"{role} key of .* was not in force", keys={role: {"valid_until": SECOND}})


@pytest.mark.parametrize("role", ["requester", "gateway", "seal"])
def test_a_revoked_key_voids_what_no_trusted_time_proves_older(judge, refuses, world, role):
    later = {role: {"revoked_at": SECOND + 1}}
    at_once = {role: {"revoked_at": SECOND}}
    witnessed = {"witnesses": world.witnesses}

    judge(trust=world.witnessed(keys=later), **witnessed)
    refuses(SignatureError, f"{role} key of .* revoked, and no trusted time", keys=later)
    refuses(
        SignatureError,
        f"{role} key of .* revoked, and the trusted time",
        trust=world.witnessed(keys=at_once),
        **witnessed,
    )


def test_keys_that_signed_nothing_here_do_not_matter(judge):
    judge(keys={"holder": {"revoked_at": SECOND - DAY}})


def test_a_requesters_key_revoked_after_the_filing_does_not_void_the_request(world, now):
    pending = {"witnesses": world.witnesses, "cosigned_at": now.fromtimestamp(SECOND - 2 * DAY, now.tzinfo)}
    filed = Filed(world, pending=pending, final={"witnesses": world.witnesses})
    keys = {**LONG, "requester": {**LONG["requester"], "revoked_at": SECOND - DAY}}
    too_early = {**LONG, "requester": {**LONG["requester"], "revoked_at": SECOND - 3 * DAY}}
    members = filed.members(world)

    bundle.verify_members(members, world.witnessed(keys=keys), now=now)
    with pytest.raises(SignatureError, match="requester key"):
        bundle.verify_members(members, world.witnessed(keys=too_early), now=now)


@pytest.mark.parametrize("role", ["requester", "gateway", "seal"])
def test_a_key_without_an_end_stays_in_force(world, now, role):
    payload = world.trust_payload()
    for key in payload["keys"]:
        if key["role"] == role:
            del key["valid_until"]
    listed = trust.load(json.dumps(payload).encode(), pinned=None, at_least=0)

    assert bundle.verify_members(world.members(), listed, now=now).outcome == "released"
