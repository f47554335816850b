"""Check 4 of a bundle: a request is fresh, or was filed as the pending receipt of this very exchange says."""

import pytest

from ipx import bundle
from ipx.encoding import b64url
from ipx.errors import BindingError, EvidenceError, SignatureError
from ipx.keys import generate_signer
from tests.ipx.world import DAY, SECOND, UNLOGGED


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


def test_a_requesters_key_revoked_after_the_filing_does_not_void_the_request(world, now):
    pending = {"witnesses": world.witnesses, "cosigned_at": now.fromtimestamp(SECOND - 2 * DAY, now.tzinfo)}
    filed = Filed(world, pending=pending, final={"witnesses": world.witnesses})
    keys = {**LONG, "requester": {**LONG["requester"], "revoked_at": SECOND - DAY}}
    too_early = {**LONG, "requester": {**LONG["requester"], "revoked_at": SECOND - 3 * DAY}}
    members = filed.members(world)

    bundle.verify_members(members, world.witnessed(keys=keys), now=now)
    with pytest.raises(SignatureError, match="requester key"):
        bundle.verify_members(members, world.witnessed(keys=too_early), now=now)
