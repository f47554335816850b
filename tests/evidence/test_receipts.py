"""What a receipt states and what its log entry gives away."""

import json
from hashlib import sha256

import pytest

from gateway.evidence.receipts import Ending, Receipts, receipt_hash
from ipx.commitment import commitment, entry
from ipx.documents import Receipt as Read
from ipx.encoding import b64url
from ipx.jws import verify
from ipx.keys import KeyRing, TrustedKey, generate_signer
from ipx.sdjwt import digest, issue, redact

ORIGIN = "https://gw.example"
EXCHANGE = "019ab2c0-0000-7000-8000-000000000001"
REQUEST = "eyJhbGciOi.eyJpc3MiOi.c2ln"


@pytest.fixture
def signer():
    return generate_signer("Ed25519")


@pytest.fixture
def receipts(signer, clock):
    return Receipts(signer, ORIGIN, "gw.example/log", clock)


@pytest.fixture
def payload_of(signer):
    ring = KeyRing([TrustedKey("gateway", signer.kid, ORIGIN, signer.public)])
    return lambda token: verify(token, ring, roles=frozenset({"gateway"}), typ="ipx-receipt+jwt").payload


def released(record: str, **changed) -> Ending:
    return Ending(
        **{
            "exchange_id": EXCHANGE,
            "request": REQUEST,
            "holder": "ipo-xa",
            "outcome": "released",
            "sealed_by": "holder",
            "presentation": record,
            "policies": {"guardrail": "base@1", "holder": "ipo-xa@4", "egress": "xa@2"},
            "book": "b" * 43,
            "snapshot": b"what was asked",
            "obligations": {"retain_days": 90},
            "withheld": [
                ("trademark.owner.contact", "not_granted", "holder/ipo-xa/border@4"),
                ("trademark.agent", "not_granted", None),
            ],
            "timing_ms": {"auth": 3.1, "policy": 1.0},
            **changed,
        }
    )


@pytest.fixture
def record():
    issued = issue(
        {"iss": "ipo-xa", "a": 1, "b": 2}, [("a",), ("b",)], generate_signer("ES256"), typ="ipx-record+sd-jwt"
    )
    return redact(issued, [("a",)])


def test_a_receipt_binds_request_record_and_released_fields(receipts, payload_of, record, clock):
    receipt = receipts.make(released(record))

    jwt, disclosure, _ = record.split("~")
    assert payload_of(receipt.token) == {
        "iss": ORIGIN,
        "jti": EXCHANGE,
        "iat": int(clock().timestamp()),
        "req_hash": b64url(sha256(REQUEST.encode()).digest()),
        "rec_hash": b64url(sha256(jwt.encode()).digest()),
        "disclosed": [digest(disclosure)],
        "holder": "ipo-xa",
        "sealed_by": "holder",
        "outcome": "released",
        "policies": {"guardrail": "base@1", "holder": "ipo-xa@4", "egress": "xa@2"},
        "book": "b" * 43,
        "snapshot_sha256": b64url(sha256(b"what was asked").digest()),
        "obligations": {"retain_days": 90},
        "withheld": [
            {"group": "trademark.owner.contact", "reason": "not_granted", "policy": "holder/ipo-xa/border@4"},
            {"group": "trademark.agent", "reason": "not_granted", "policy": None},
        ],
        "timing_ms": {"auth": 3.1, "policy": 1.0},
        "log": "gw.example/log",
    }


def test_a_receipt_is_readable_for_the_verifier(receipts, payload_of, record):
    token = receipts.make(released(record)).token

    read = Read.read(token, payload_of(token))
    assert (read.outcome, read.sealed_by, len(read.disclosed)) == ("released", "holder", 1)


@pytest.mark.parametrize("outcome", ["denied", "failed", "pending", "withdrawn"])
def test_what_releases_nothing_has_a_receipt_too(receipts, payload_of, outcome):
    receipt = receipts.make(Ending(EXCHANGE, REQUEST, "ipo-xa", outcome, stage="holder", reason="timeout"))

    payload = payload_of(receipt.token)
    assert payload["rec_hash"] == b64url(sha256(b"").digest())
    assert payload["disclosed"] == []
    assert "sealed_by" not in payload
    assert (payload["outcome"], payload["stage"], payload["reason"]) == (outcome, "holder", "timeout")
    Read.read(receipt.token, payload)


def test_a_final_receipt_names_the_pending_one(receipts, payload_of):
    pending = receipts.make(Ending(EXCHANGE, REQUEST, "ipo-xa", "pending")).token
    final = receipts.make(Ending(EXCHANGE, REQUEST, "ipo-xa", "denied"), prior=pending).token

    assert payload_of(final)["prior"] == receipt_hash(pending)


def test_a_receipt_cannot_say_released_without_a_record_or_the_other_way_round(receipts, record):
    for changed in (
        {"presentation": ""},
        {"sealed_by": None},
        {"outcome": "denied"},
        {"outcome": "denied", "presentation": ""},
        {"outcome": "denied", "sealed_by": None},
    ):
        with pytest.raises(ValueError, match="outcome"):
            receipts.make(released(record, **changed))


def test_the_log_entry_names_nobody_and_commits_to_all_three_documents(receipts, record, clock):
    receipt = receipts.make(released(record))

    at = int(clock().timestamp())
    jwt = record.split("~")[0]
    assert receipt.entry == entry(commitment(receipt.salt, REQUEST, jwt, receipt.token), "released", at)
    assert list(json.loads(receipt.entry)) == ["c", "o", "t", "v"]
    assert len(receipt.salt) == 32
    assert receipts.make(released(record)).salt != receipt.salt
