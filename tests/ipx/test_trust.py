"""The trust list: signed by the pinned key, never older, free of contradictions."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipx import jws, note, trust
from ipx.errors import EvidenceError, SignatureError, TrustError
from ipx.keys import generate_signer

same_world = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def load(payload, *, at_least=0):
    return trust.load(json.dumps(payload).encode(), pinned=None, at_least=at_least)


def signed(payload, signer):
    return jws.sign(payload, signer, typ=trust.TYP).encode()


@pytest.fixture
def entry(world):
    """One more entry for the list's keys."""

    def made(**changes):
        signer = changes.pop("signer", None) or generate_signer()
        return {
            "role": "requester",
            "kid": signer.kid,
            "iss": "court-xa.registry",
            "alg": signer.alg,
            "jwk": dict(signer.public_jwk),
            "valid_from": 1_790_000_000,
            "valid_until": None,
            **changes,
        }

    return made


@pytest.fixture
def with_key(world, entry):
    def made(**changes):
        payload = world.trust_payload()
        payload["keys"].append(entry(**changes))
        return payload

    return made


def test_a_list_signed_by_the_pinned_key_is_taken(world):
    data = signed(world.trust_payload(), world.trust_key)

    list_ = trust.load(data, pinned=world.trust_key.public, at_least=3)

    assert (list_.issuer, list_.version, list_.log.origin) == ("https://gw.example", 3, "gw.example/log")
    assert list_.key(frozenset({"holder"}), world.holder.kid).owner == "ipo-xa"
    assert {key.role for key in list_.keys} == {"requester", "gateway", "holder", "seal"}


def test_a_list_of_the_readers_own_making_needs_no_signature(world):
    assert load(world.trust_payload()).version == 3


def test_the_first_version_is_one(world):
    assert load(world.trust_payload(version=1)).version == 1


def test_each_list_names_the_one_before_by_its_bytes(world):
    first = signed(world.trust_payload(), world.trust_key)
    before = trust.load(first, pinned=world.trust_key.public, at_least=0)
    second = signed(world.trust_payload(version=4, prev=before.digest), world.trust_key)

    assert trust.load(second, pinned=world.trust_key.public, at_least=3).prev == before.digest


def test_a_list_signed_by_another_key_is_refused(world):
    for data in (signed(world.trust_payload(), world.stranger), json.dumps(world.trust_payload()).encode(), b"\xff"):
        with pytest.raises(TrustError):
            trust.load(data, pinned=world.trust_key.public, at_least=0)


def test_a_signed_list_is_not_taken_unseen(world):
    with pytest.raises(TrustError):
        trust.load(signed(world.trust_payload(), world.trust_key), pinned=None, at_least=0)


def test_a_document_of_another_type_is_no_trust_list(world):
    data = jws.sign(world.trust_payload(), world.trust_key, typ="ipx-receipt+jwt").encode()

    with pytest.raises(TrustError, match="type"):
        trust.load(data, pinned=world.trust_key.public, at_least=0)


def test_a_version_never_falls(world):
    load(world.trust_payload(), at_least=3)
    with pytest.raises(TrustError, match="version 4 was seen"):
        load(world.trust_payload(), at_least=4)


def test_what_a_list_may_leave_out_means_none(world, absent):
    names = ("prev", "witnesses", "quorum", "tsa_roots", "tsa_policy")
    list_ = load(world.trust_payload(**dict.fromkeys(names, absent)))

    assert (list_.prev, list_.log.witnesses, list_.log.quorum, list_.tsa_roots) == (None, frozenset(), 0, ())


@pytest.mark.parametrize("name", ["iss", "version", "iat", "keys", "log"])
def test_a_list_that_lacks_a_member_is_refused(world, name):
    payload = world.trust_payload()
    del payload[name]

    with pytest.raises(TrustError):
        load(payload)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", ""),
        ("version", 0),
        ("version", True),
        ("version", "3"),
        ("iat", 1.5),
        ("iat", True),
        ("prev", 5),
        ("keys", {}),
        ("keys", [5]),
        ("log", []),
        ("log", {"origin": "gw.example/log"}),
        ("log", {"origin": "gw.example/log", "vkeys": []}),
        ("log", {"origin": "gw.example/log", "vkeys": [5]}),
        ("log", {"origin": "gw.example/log", "vkeys": ["x"]}),
        ("witnesses", {}),
        ("witnesses", [{}]),
        ("witnesses", [{"vkey": "x", "url": "x"}]),
        ("quorum", True),
        ("quorum", "0"),
        ("quorum", -1),
        ("quorum", 1),
        ("tsa_roots", "x"),
        ("tsa_roots", [5]),
        ("tsa_roots", ["="]),
        ("tsa_policy", 5),
    ],
)
def test_a_list_with_a_member_of_another_kind_is_refused(world, name, value):
    with pytest.raises(TrustError):
        load({**world.trust_payload(), name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("role", "witness"),
        ("role", None),
        ("role", ["holder"]),
        ("kid", ""),
        ("kid", None),
        ("iss", ""),
        ("alg", "ES256"),
        ("alg", "EdDSA"),
        ("alg", None),
        ("jwk", {}),
        ("jwk", None),
        ("jwk", {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}),
        ("valid_from", None),
        ("valid_from", "2026"),
        ("valid_until", "2026"),
        ("valid_until", 1_790_000_000),
        ("revoked_at", True),
        ("reason", 5),
    ],
)
def test_a_key_with_a_member_of_another_kind_is_refused(with_key, name, value):
    load(with_key())
    with pytest.raises(TrustError):
        load(with_key(**{name: value}))


def test_a_key_listed_twice_in_one_role_is_refused(world, entry):
    other = entry(kid=world.client.kid)
    payload = world.trust_payload()

    with pytest.raises(TrustError, match="twice"):
        load({**payload, "keys": [*payload["keys"], other]})
    with pytest.raises(TrustError, match="twice"):
        load({**payload, "keys": [*payload["keys"], payload["keys"][0]]})


def test_one_key_name_for_a_holder_and_a_seal_is_refused(world, with_key):
    with pytest.raises(TrustError, match="seal"):
        load(with_key(role="seal", kid=world.holder.kid))


@pytest.mark.parametrize(
    ("role", "owner"), [("seal", "ipo-xa"), ("gateway", "https://gw.example"), ("holder", "ipo-xb")]
)
def test_a_holders_key_for_anything_else_is_refused(world, with_key, role, owner):
    with pytest.raises(TrustError, match=r"one key sign two kinds|holder's own key"):
        load(with_key(role=role, iss=owner, kid="another name", signer=world.holder))


def test_a_logs_key_for_anything_else_is_refused(world, with_key):
    with pytest.raises(TrustError, match="one key sign two kinds"):
        load(with_key(role="gateway", signer=world.log.signer))


def test_a_clients_key_may_sign_its_offices_records_too(world, with_key):
    load(with_key(role="requester", iss="ipo-xa.exchange", kid="another name", signer=world.holder))


def test_a_key_renewed_under_one_owner_is_taken(world, with_key):
    load(with_key(role="holder", iss="ipo-xa"))


@pytest.mark.parametrize("quorum", [0, 3, 4])
def test_a_quorum_is_within_reach(world, quorum):
    witnesses = [{"vkey": witness.key.vkey, "url": "https://w.example"} for witness in world.witnesses]
    if quorum <= 3:
        assert load(world.trust_payload(witnesses=witnesses, quorum=quorum)).log.quorum == quorum
    else:
        with pytest.raises(TrustError, match="out of reach"):
            load(world.trust_payload(witnesses=witnesses, quorum=quorum))


def test_a_witness_counts_once(world):
    witness = world.witnesses[0]
    twin = note.NoteSigner("twin.example", witness.signer, note.COSIGNATURE)
    for second in (witness, twin):
        listed = [{"vkey": signer.key.vkey, "url": "https://w.example"} for signer in (witness, second)]
        for quorum in (0, 1, 2):
            with pytest.raises(TrustError):
                load(world.trust_payload(witnesses=listed, quorum=quorum))


def test_a_witness_that_states_no_time_is_refused(world):
    plain = note.NoteSigner("plain.example", generate_signer())

    with pytest.raises(TrustError, match="no time"):
        load(world.trust_payload(witnesses=[{"vkey": plain.key.vkey, "url": "https://w.example"}]))


def test_a_key_nobody_listed_is_not_found(world):
    with pytest.raises(SignatureError):
        world.trust().key(frozenset({"holder"}), "unknown")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@same_world
@given(data=st.data())
def test_whatever_stands_in_a_list_loading_raises_only_trust_errors(world, data):
    payload = world.trust_payload()
    place = data.draw(st.sampled_from([payload, payload["keys"][0], payload["log"]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON)
    try:
        load(payload)
    except EvidenceError as error:
        if not isinstance(error, TrustError):
            raise


@given(st.binary())
def test_garbage_is_a_trust_error(data):
    for pinned in (None, generate_signer().public):
        with pytest.raises(TrustError):
            trust.load(data, pinned=pinned, at_least=0)
