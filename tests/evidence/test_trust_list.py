"""The published trust list: what stands in it, that its version never falls, that each one is in the log."""

from datetime import timedelta
from hashlib import sha256

import pytest
from sqlalchemy import select

from gateway.agencies.models import Agency, Client, ClientKey
from gateway.agencies.trusted_keys import requester_keys
from gateway.audit.models import AuditEntry
from gateway.errors import UnknownError
from gateway.evidence.errors import UnpublishableError
from gateway.evidence.models import TrustList
from gateway.evidence.trust_list import TrustLists
from ipx.encoding import b64url
from ipx.errors import SignatureError
from ipx.keys import generate_signer, public_key
from ipx.trust import load

ORIGIN = "https://gw.example"
TRUST = generate_signer("Ed25519")
RECEIPT = generate_signer("Ed25519")
CLIENT = generate_signer("ES256")


@pytest.fixture
def new_lists(database, log, acts, clock):
    def make(signer=TRUST, receipt_signer=RECEIPT) -> TrustLists:
        return TrustLists(
            database,
            requester_keys=requester_keys,
            receipt_signer=receipt_signer,
            log_key=log.key,
            issuer=ORIGIN,
            acts=acts,
            clock=clock,
            signer=signer,
        )

    return make


@pytest.fixture
def lists(new_lists):
    return new_lists()


@pytest.fixture
def add_client(database, clock):
    def add(client_id="customs-xa.intake", jwk=CLIENT.public_jwk, alg="ES256", **columns) -> None:
        kid = public_key(jwk, algorithms=frozenset({"Ed25519", "ES256", "PS256"})).kid
        agency = client_id.partition(".")[0]
        with database.write() as session:
            if session.get(Agency, agency) is None:
                session.add(Agency(code=agency, kind="customs", name=agency, jurisdictions=["XA"], created_at=clock()))
                session.flush()
            session.add(Client(id=client_id, agency_code=agency, name="", created_at=clock()))
            session.flush()
            times = {"valid_from": clock(), "valid_until": clock().replace(year=clock().year + 1)}
            session.add(ClientKey(client_id=client_id, kid=kid, alg=alg, jwk=dict(jwk), **times, **columns))

    return add


@pytest.fixture
def publish(database):
    def publish(lists, **options) -> int:
        with database.write() as session:
            return lists.publish(session, "operator", **options).version

    return publish


def read(lists, at_least=1):
    return load(lists.latest().encode(), pinned=TRUST.public, at_least=at_least)


def test_a_list_names_clients_seals_holders_the_gateway_and_the_log(
    lists, publish, add_client, holder_keys, database, log, clock
):
    add_client()
    seal = holder_keys.seal("customs-xa").kid
    own = generate_signer("ES256")
    with database.write() as session:
        holder_keys.register(session, "ipo-xa", own.public_jwk, "operator")
    publish(lists)

    trust = read(lists)

    assert {(key.role, key.kid, key.owner) for key in trust.keys} == {
        ("gateway", RECEIPT.kid, ORIGIN),
        ("requester", CLIENT.kid, "customs-xa.intake"),
        ("seal", seal, "customs-xa"),
        ("holder", own.kid, "ipo-xa"),
    }
    assert (trust.issuer, trust.version, trust.issued_at, trust.prev) == (ORIGIN, 1, clock(), None)
    assert trust.log.origin == log.origin
    assert trust.log.keys == {log.key}


def test_a_key_only_for_signing_in_is_not_listed(lists, publish, add_client):
    modulus = (1 << 2047) | 1
    jwk = {"kty": "RSA", "n": b64url(modulus.to_bytes(256, "big")), "e": "AQAB"}
    add_client(jwk=jwk, alg="PS256")
    publish(lists)

    with pytest.raises(SignatureError):
        read(lists).key(frozenset({"requester"}), public_key(jwk, algorithms=frozenset({"PS256"})).kid)


def test_revoked_keys_stay_listed_with_the_time_and_the_reason(lists, publish, add_client, clock):
    add_client(revoked_at=clock(), revoked_reason="lost")
    publish(lists)

    key = read(lists).key(frozenset({"requester"}), CLIENT.kid)
    assert (key.revoked_at, key.reason) == (clock(), "lost")


def test_versions_rise_and_each_names_the_one_before(lists, publish, add_client):
    assert publish(lists) == 1
    first = lists.latest()
    add_client()
    assert publish(lists) == 2

    trust = read(lists, at_least=2)
    assert trust.prev == b64url(sha256(first.encode()).digest())


def test_an_unchanged_list_is_not_published_again(lists, publish, clock):
    publish(lists)
    clock.advance(1000)

    assert publish(lists) == 1
    with pytest.raises(Exception, match="version 2 was seen"):
        read(lists, at_least=2)


def test_each_list_is_a_leaf_of_the_log(lists, publish, database, log):
    publish(lists)

    with database.read() as session:
        row = session.scalars(select(TrustList)).one()
        act = session.scalars(select(AuditEntry).where(AuditEntry.act == "trust_list.published")).one()
    assert act.detail["sha256"] == row.sha256 == sha256(lists.latest().encode()).hexdigest()
    assert act.subject == "trust:1"
    assert log.logged(f"act:{act.id}").index == act.log_index


def test_a_replaced_receipt_key_stays_listed_but_ended(lists, new_lists, publish, clock):
    publish(lists)
    clock.advance(3600)
    later = new_lists(receipt_signer=generate_signer("Ed25519"))
    publish(later)

    old = read(later).key(frozenset({"gateway"}), RECEIPT.kid)
    assert old.valid_until == clock() + timedelta(seconds=1)
    with pytest.raises(UnpublishableError, match="stays ended"):
        publish(lists)


def test_an_offline_trust_key_is_brought_along(new_lists, publish):
    lists = new_lists(signer=None)

    with pytest.raises(UnpublishableError, match="offline"):
        publish(lists)

    assert publish(lists, signer=TRUST) == 1
    assert lists.signed_by() == dict(TRUST.public_jwk)
    assert read(lists).version == 1


def test_a_list_that_every_reader_would_refuse_is_not_published(lists, publish, add_client):
    add_client("customs-xa.intake")
    add_client("customs-xa.other")  # the same key for two clients: nobody could tell who signed

    with pytest.raises(UnpublishableError, match="twice"):
        publish(lists)


def test_before_the_first_list_there_is_none(lists):
    for ask in (lists.latest, lists.signed_by):
        with pytest.raises(UnknownError):
            ask()
