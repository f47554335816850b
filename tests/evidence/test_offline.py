"""What this room makes is what the offline verifier takes: request, record, receipt, leaf, trust list together."""

import base64
import json

import pytest

from gateway.agencies.models import Agency, Client, ClientKey
from gateway.agencies.trusted_keys import requester_keys
from gateway.evidence.leaf import Leaf
from gateway.evidence.receipts import Ending, Receipts
from gateway.evidence.seals import Seals
from gateway.evidence.trust_list import TrustLists
from ipx import evidence, jws
from ipx.encoding import b64url
from ipx.errors import EvidenceError
from ipx.keys import generate_signer
from ipx.sdjwt import redact
from ipx.trust import load

ORIGIN = "https://gw.example"
EXCHANGE = "019ab2c0-0000-7000-8000-000000000001"
RECORD_ID = "urn:ipx:customs-xa:detention:c2VjcmV0"
CLIENT = generate_signer("ES256")
RECEIPT = generate_signer("Ed25519")
TRUST = generate_signer("Ed25519")


@pytest.fixture
def trust(database, log, acts, clock, holder_keys):
    """The published list, once the client is registered and the holder's seal is made."""
    holder_keys.seal("customs-xa")
    with database.write() as session:
        session.add(Agency(code="court-xa", kind="court", name="Court", jurisdictions=["XA"], created_at=clock()))
        session.flush()
        session.add(Client(id="court-xa.registry", agency_code="court-xa", name="", created_at=clock()))
        session.flush()
        times = {"valid_from": clock(), "valid_until": clock().replace(year=clock().year + 1)}
        jwk = dict(CLIENT.public_jwk)
        session.add(ClientKey(client_id="court-xa.registry", kid=CLIENT.kid, alg="ES256", jwk=jwk, **times))
    lists = TrustLists(
        database,
        requester_keys=requester_keys,
        receipt_signer=RECEIPT,
        log_key=log.key,
        issuer=ORIGIN,
        acts=acts,
        clock=clock,
        signer=TRUST,
    )
    with database.write() as session:
        lists.publish(session, "operator")
    return load(lists.latest().encode(), pinned=TRUST.public, at_least=1)


@pytest.fixture
def request_jws(clock):
    now = int(clock().timestamp())
    return jws.sign(
        {
            "iss": "court-xa.registry",
            "aud": ORIGIN,
            "jti": "019ab2c0-0000-7000-8000-000000000002",
            "iat": now,
            "exp": now + 60,
            "holder": "customs-xa",
            "record": RECORD_ID,
            "purpose": "court_proceeding",
            "legal_basis": "art. 4",
        },
        CLIENT,
        typ="ipx-request+jwt",
    )


@pytest.fixture
def answer(log, holder_keys, clock, request_jws):
    """Makes the answer document of an exchange that ends so, as section 1 of exchange.md shows it."""

    def answer(**ending) -> dict:
        receipt = Receipts(RECEIPT, ORIGIN, log.origin, clock).make(
            Ending(exchange_id=EXCHANGE, request=request_jws, holder="customs-xa", **ending)
        )
        logged = log.append(Leaf(f"exchange:{EXCHANGE}:final", receipt.entry))
        shared = {
            "outcome": ending["outcome"],
            "request": request_jws,
            "receipt": receipt.token,
            "withheld": [
                {"group": group, "reason": reason, "policy": policy}
                for group, reason, policy in ending.get("withheld", ())
            ],
            "log": {
                "index": logged.index,
                "entry": receipt.entry.decode(),
                "salt": b64url(receipt.salt),
                "proof": [base64.b64encode(value).decode() for value in logged.proof],
                "checkpoint": logged.checkpoint_note,
            },
        }
        if ending["outcome"] == "released":
            return {
                "id": EXCHANGE,
                "record": ending["presentation"],
                "sealed_by": ending["sealed_by"],
                "obligations": ending.get("obligations", {}),
                **shared,
            }
        stated = {name: ending[name] for name in ("stage", "reason") if name in ending}
        return {"type": "about:blank", "status": 403, "exchange": EXCHANGE, **stated, **shared}

    return answer


@pytest.fixture
def released(answer, holder_keys, clock, trust):
    claims = {"sub": RECORD_ID, "record_type": "detention", "status": "active", "goods": ["bags"], "importer": "X"}
    record = Seals(holder_keys, clock).seal("customs-xa", b"1", claims, ("goods", "importer"), decoys=4)
    return answer(
        outcome="released",
        sealed_by="gateway",
        presentation=redact(record, [("goods",)]),
        policies={"guardrail": "base@1", "holder": "customs-xa@2", "egress": "xa@1"},
        obligations={"retain_days": 90},
        withheld=[("detention.importer", "not_granted", None)],
        timing_ms={"auth": 1.5},
    )


def verify(document, trust, clock):
    return evidence.verify(json.dumps(document).encode(), trust, now=clock())


def test_a_released_record_verifies_offline(released, trust, clock):
    report = verify(released, trust, clock)

    assert report.claims["goods"] == ["bags"]
    assert "importer" not in report.claims
    assert (report.receipt.outcome, report.receipt.sealed_by, report.disclosed) == ("released", "gateway", 1)


@pytest.mark.parametrize("outcome", ["denied", "failed"])
def test_a_refusal_verifies_offline_as_well(answer, trust, clock, outcome):
    report = verify(answer(outcome=outcome, stage="policy", reason="not_granted"), trust, clock)

    assert report.receipt.outcome == outcome
    assert report.claims is None


def test_a_bundle_made_of_an_answer_verifies_years_later(released, trust, clock):
    data = evidence.bundle_of_answer(released)
    clock.advance(5 * 365 * 24 * 3600)

    assert evidence.verify(data, trust, now=clock()).receipt.exchange == EXCHANGE


@pytest.mark.parametrize("member", ["request", "receipt", "record", "outcome", "sealed_by"])
def test_a_changed_answer_is_refused(released, trust, clock, member):
    text = released[member]
    released[member] = text[:40] + ("A" if text[40:41] != "A" else "B") + text[41:]

    with pytest.raises(EvidenceError):
        verify(released, trust, clock)
