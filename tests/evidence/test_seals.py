"""Records sealed here say so; records that holders sign are checked; unchanged ones cost one signature."""

from datetime import timedelta

import pytest

from gateway.evidence.errors import ForeignSealError
from gateway.evidence.seals import Seals
from ipx.errors import FormatError
from ipx.keys import generate_signer
from ipx.sdjwt import issue, redact, verify

RECORD_ID = "urn:ipx:customs-xa:detention:c2VjcmV0"
ENVELOPE = {
    "sub": RECORD_ID,
    "record_type": "detention",
    "schema_version": "1",
    "source": "customs-xa-detentions",
    "revision": "7",
    "status": "active",
}
CLAIMS = {**ENVELOPE, "goods": ["bags"], "importer": {"name": "Example"}}
HIDDEN = ("goods", "importer")


@pytest.fixture
def seals(holder_keys, clock):
    return Seals(holder_keys, clock, cached_records=2)


@pytest.fixture
def own(holder_keys, database):
    """A holder that signs itself; gives what it has signed."""
    signer = generate_signer("ES256")
    with database.write() as session:
        holder_keys.register(session, "ipo-xa", signer.public_jwk, "operator")

    def sign(typ="ipx-record+sd-jwt", **changed):
        claims = {"iss": "ipo-xa", "sub": "urn:ipx:ipo-xa:trademark:1", "sealed_by": "holder", "mark": "X", **changed}
        return issue(claims, [("mark",)], signer, typ=typ).token

    sign.kid = signer.kid
    return sign


def test_a_sealed_record_says_who_holds_it_and_that_the_gateway_sealed_it(seals, holder_keys, clock):
    record = seals.seal("customs-xa", b"1", CLAIMS, HIDDEN, decoys=3)

    shown = verify(record.token, holder_keys.ring(), roles=frozenset({"seal"}), typ="ipx-record+sd-jwt", at=clock())
    assert shown.claims == {**CLAIMS, "iss": "customs-xa", "sealed_by": "gateway", "iat": int(clock().timestamp())}
    assert shown.key.owner == "customs-xa"
    assert len(shown.withheld) == 3


def test_withholding_a_field_keeps_the_seal(seals, holder_keys, clock):
    record = seals.seal("customs-xa", b"1", CLAIMS, HIDDEN)

    shown = verify(
        redact(record, [("goods",)]), holder_keys.ring(), roles=frozenset({"seal"}), typ="ipx-record+sd-jwt", at=clock()
    )

    assert "importer" not in shown.claims
    assert shown.claims["goods"] == ["bags"]


def test_an_unchanged_record_is_signed_once(seals, clock):
    first = seals.seal("customs-xa", b"1", CLAIMS, HIDDEN)
    clock.advance(10)

    assert seals.seal("customs-xa", b"1", CLAIMS, HIDDEN) is first
    assert seals.seal("customs-xa", b"2", CLAIMS, HIDDEN) is not first
    assert seals.seal("court-xa", b"1", CLAIMS, HIDDEN).jwt != first.jwt


def test_memory_for_sealed_records_is_bounded(seals):
    first = seals.seal("customs-xa", b"1", CLAIMS, HIDDEN)
    second = seals.seal("customs-xa", b"2", CLAIMS, HIDDEN)
    seals.seal("customs-xa", b"1", CLAIMS, HIDDEN)
    seals.seal("customs-xa", b"3", CLAIMS, HIDDEN)

    assert seals.seal("customs-xa", b"1", CLAIMS, HIDDEN) is first
    assert seals.seal("customs-xa", b"2", CLAIMS, HIDDEN) is not second


def test_a_sealed_record_is_not_kept_for_ever(holder_keys, clock):
    seals = Seals(holder_keys, clock, cached_seconds=-1)

    assert seals.seal("customs-xa", b"1", CLAIMS, HIDDEN) is not seals.seal("customs-xa", b"1", CLAIMS, HIDDEN)


def test_what_is_erased_does_not_stay_in_memory(seals):
    first = seals.seal("customs-xa", b"1", CLAIMS, HIDDEN)
    seals.forget()

    assert seals.seal("customs-xa", b"1", CLAIMS, HIDDEN) is not first


def test_a_revoked_seal_seals_nothing_again(seals, holder_keys, database):
    first = seals.seal("customs-xa", b"1", CLAIMS, HIDDEN)
    with database.write() as session:
        holder_keys.revoke(session, holder_keys.seal("customs-xa").kid, "operator", "copied")

    assert seals.seal("customs-xa", b"1", CLAIMS, HIDDEN).jwt != first.jwt


def test_the_envelope_cannot_be_hidden(seals):
    with pytest.raises(FormatError):
        seals.seal("customs-xa", b"1", CLAIMS, ("status",))


def test_a_record_that_its_holder_signed_is_taken(seals, own):
    shown = seals.verify("ipo-xa", "urn:ipx:ipo-xa:trademark:1", own())

    assert shown.claims["mark"] == "X"
    assert shown.key.role == "holder"


def test_a_signed_record_is_checked_once(seals, own):
    token = own()

    assert seals.verify("ipo-xa", "urn:ipx:ipo-xa:trademark:1", token) is seals.verify(
        "ipo-xa", "urn:ipx:ipo-xa:trademark:1", token
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"sub": "urn:ipx:ipo-xa:trademark:2"},
        {"sealed_by": "gateway"},
        {"iss": "ipo-xb"},
        {"exp": 1},
        {"iat": 4_000_000_000},
        {"typ": "ipx-receipt+jwt"},
    ],
)
def test_a_signed_record_that_is_not_what_was_asked_for_is_refused(seals, own, changed):
    with pytest.raises(ForeignSealError):
        seals.verify("ipo-xa", "urn:ipx:ipo-xa:trademark:1", own(**changed))


def test_a_record_signed_by_another_holder_is_refused(seals, own):
    with pytest.raises(ForeignSealError):
        seals.verify("ipo-xb", "urn:ipx:ipo-xa:trademark:1", own())


@pytest.mark.parametrize("token", ["", "garbage", "a.b.c~", "\ud800~"])
def test_garbage_from_a_holder_is_refused(seals, own, token):
    with pytest.raises(ForeignSealError):
        seals.verify("ipo-xa", "urn:ipx:ipo-xa:trademark:1", token)


def test_a_record_in_memory_is_refused_once_it_ran_out(seals, own, clock):
    token = own(exp=int(clock().timestamp()) + 60)
    seals.verify("ipo-xa", "urn:ipx:ipo-xa:trademark:1", token)
    clock.advance(61)

    with pytest.raises(ForeignSealError):
        seals.verify("ipo-xa", "urn:ipx:ipo-xa:trademark:1", token)


def test_a_record_in_memory_is_refused_once_its_key_was_revoked(seals, own, holder_keys, database):
    token = own()
    seals.verify("ipo-xa", "urn:ipx:ipo-xa:trademark:1", token)
    with database.write() as session:
        holder_keys.revoke(session, own.kid, "operator", "lost")

    with pytest.raises(ForeignSealError, match="ended"):
        seals.verify("ipo-xa", "urn:ipx:ipo-xa:trademark:1", token)


def test_a_seal_is_no_holder_s_own_signature(seals):
    sealed = seals.seal("customs-xa", b"1", CLAIMS, HIDDEN).token

    with pytest.raises(ForeignSealError):
        seals.verify("customs-xa", RECORD_ID, sealed)


def test_a_seal_lasts_two_years(holder_keys, clock):
    kid = holder_keys.seal("customs-xa").kid

    assert holder_keys.ring().key(frozenset({"seal"}), kid).valid_until == clock() + timedelta(days=730)


def test_large_records_are_kept_while_there_is_room_for_their_bytes(holder_keys, clock):
    seals = Seals(holder_keys, clock, cached_bytes=8000)

    def sealed(number, length):
        claims = {**CLAIMS, "goods": "x" * length}
        return seals.seal("customs-xa", bytes([number]), claims, HIDDEN)

    small, large = sealed(1, 10), [sealed(number, 700) for number in (2, 3, 4)]
    assert sealed(1, 10) is small
    assert [sealed(number, 700) for number in (2, 3, 4)] == large

    sealed(5, 700)
    sealed(6, 700)  # now the least used one goes
    assert sealed(4, 700) is large[-1]
    assert sealed(1, 10) is not small


def test_one_record_of_megabytes_does_not_push_out_all_others(holder_keys, clock):
    seals = Seals(holder_keys, clock, cached_bytes=8000)
    small = seals.seal("customs-xa", b"1", CLAIMS, HIDDEN)

    def whole():
        return seals.seal("customs-xa", b"2", {**CLAIMS, "goods": "x" * 3000}, HIDDEN)

    assert whole() is not whole()
    assert seals.beside("customs-xa", b"2") is None
    assert seals.seal("customs-xa", b"1", CLAIMS, HIDDEN) is small
