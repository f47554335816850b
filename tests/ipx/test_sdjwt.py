"""SD-JWT (RFC 9901): what is issued and redacted can be read, by the RFC's examples and by another implementation."""

import json
from pathlib import Path as File

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipx import sdjwt
from ipx.disclosures import disclose
from ipx.encoding import b64url_bytes
from ipx.jws import parse_object
from ipx.keys import public_key
from tests.ipx.sdjwt_parts import ENVELOPE, FIELDS, HARDWARE, HOLDER, JSON, TYP, issued, verify

EXAMPLES = json.loads((File(__file__).parent / "vectors" / "rfc9901.json").read_text())


# --- what is written can be read -------------------------------------------------------------------------------------


@pytest.mark.parametrize("signer", [HOLDER, HARDWARE], ids=["Ed25519", "ES256"])
def test_a_record_that_withholds_nothing_shows_every_claim(signer):
    record = issued(signer=signer)

    presentation = verify(record.token)

    assert presentation.claims == {**ENVELOPE, **FIELDS}
    assert presentation.key.owner == "ipo-xa"
    assert list(presentation.digests) == sorted(map(sdjwt.digest, record.disclosures.values()))
    assert len(presentation.withheld) == 3


def test_a_redacted_record_shows_what_was_allowed_under_the_same_signature():
    record = issued()

    presentation = verify(sdjwt.redact(record, [("verbal_element",), ("no_such_field",)]))

    assert presentation.jwt == record.jwt
    assert presentation.claims == {**ENVELOPE, "verbal_element": "SUNRISE"}
    assert presentation.digests == (sdjwt.digest(record.disclosures["verbal_element",]),)
    assert len(presentation.withheld) == 3 + 2


def test_a_received_record_can_be_redacted_further_but_never_widened():
    record = issued()
    received = verify(sdjwt.redact(record, [("verbal_element",), ("owners",)]))

    assert sdjwt.redact(received, [("owners",), ("owner_contacts",)]) == sdjwt.redact(record, [("owners",)])
    assert verify(sdjwt.redact(received, [])).claims == ENVELOPE


def test_absence_and_withholding_look_alike():
    full, poor = issued(), issued({"verbal_element": "SUNRISE"}, hidden=[("verbal_element",)])

    shown = [verify(sdjwt.redact(record, [])) for record in (full, poor)]

    assert [len(presentation.withheld) for presentation in shown] == [6, 4]
    assert all(len(digest) == 43 for presentation in shown for digest in presentation.withheld)
    payload = parse_object(b64url_bytes(full.jwt.split(".")[1]))
    assert payload["_sd"] == sorted(payload["_sd"])


def test_no_two_issues_share_a_salt_or_a_digest():
    first, second = (set(verify(issued().token).digests) for _ in range(2))

    assert not first & second


def test_without_anything_hidden_a_record_is_a_plain_token():
    record = sdjwt.issue(ENVELOPE, [], HOLDER, typ=TYP)

    assert record.token == f"{record.jwt}~"
    assert verify(record.token).claims == ENVELOPE


def test_a_hidden_child_goes_only_with_its_hidden_parent():
    fields = {
        "party": {"name": "A", "contact": {"email": "a@example.org", "phone": "1"}},
        "events": ["filed", "granted"],
    }
    paths = [("party",), ("party", "contact"), ("party", "contact", "phone"), ("events", 1)]
    record = issued(fields, hidden=paths)

    assert verify(record.token).claims == {**ENVELOPE, **fields}
    assert verify(sdjwt.redact(record, paths[1:])).claims == {**ENVELOPE, "events": fields["events"]}
    partial = verify(sdjwt.redact(record, [("party",), ("party", "contact"), ("events", 0)]))
    assert partial.claims["party"] == {"name": "A", "contact": {"email": "a@example.org"}}
    assert partial.claims["events"] == ["filed"]
    assert set(verify(record.token).disclosures) == set(paths)


def test_an_erased_field_leaves_a_digest_that_nobody_can_open():
    record = issued()
    erased = sdjwt.digest(record.disclosures["owner_contacts",])

    presentation = verify(sdjwt.redact(record, [("verbal_element",), ("owners",)]))

    assert erased in presentation.withheld
    assert "secret" not in json.dumps(presentation.claims)


NAMES = st.text(max_size=5).filter(lambda name: name not in sdjwt.CLEAR_CLAIMS | {"_sd", "_sd_alg", "..."})


def places(value, path=()):
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*path, step)
        yield from places(inner, (*path, step))


@given(fields=st.dictionaries(NAMES, JSON, max_size=4), data=st.data())
def test_any_redaction_of_any_record_verifies_and_shows_nothing_that_was_not_allowed(fields, data):
    everywhere = list(places(fields))
    hidden = data.draw(st.lists(st.sampled_from(everywhere), unique=True) if everywhere else st.just([]))
    allowed = data.draw(st.lists(st.sampled_from(hidden), unique=True) if hidden else st.just([]))
    record = issued(fields, hidden=hidden)

    whole = verify(record.token)
    partial = verify(sdjwt.redact(record, allowed))

    assert whole.claims == {**ENVELOPE, **fields}
    assert set(partial.disclosures) <= set(allowed)
    assert all(path[:n] in allowed for path in partial.disclosures for n in range(1, len(path)) if path[:n] in hidden)
    assert set(partial.digests) <= set(whole.digests)
    assert verify(sdjwt.redact(whole, allowed)).claims == partial.claims


# --- the RFC and another implementation -------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES["examples"], ids=lambda example: example["name"])
def test_the_examples_of_rfc_9901_give_their_claims(example):
    """RFC 9901, section 5.1 and appendices A.1 to A.3. Their headers lack a kid, so the signature is checked apart."""
    jwt, *disclosures, _ = example["token"].split("~")
    header, payload, signature = jwt.split(".")

    public_key(EXAMPLES["issuer_key"]).verify(b64url_bytes(signature), f"{header}.{payload}".encode())

    assert disclose(parse_object(b64url_bytes(payload)), disclosures).claims == example["claims"]


def test_the_digest_of_rfc_9901_comes_out():
    """RFC 9901, section 4.2.3."""
    assert (
        sdjwt.digest("WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0")
        == "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"
    )


@pytest.fixture
def other():
    """The package sd-jwt 0.10.4, believed only where it accepts."""
    pytest.importorskip("sd_jwt", reason="sd-jwt not installed")
    from jwcrypto.jwk import JWK  # noqa: PLC0415 - comes with sd-jwt only
    from sd_jwt.common import SDObj  # noqa: PLC0415
    from sd_jwt.issuer import SDJWTIssuer  # noqa: PLC0415
    from sd_jwt.verifier import SDJWTVerifier  # noqa: PLC0415

    class Other:
        hidden = SDObj

        def issue(self, claims):
            key = JWK.from_pem(HARDWARE.private_pem())
            issuer = SDJWTIssuer(
                claims,
                key,
                sign_alg="ES256",
                add_decoy_claims=True,
                extra_header_parameters={"typ": TYP, "kid": HARDWARE.kid},
            )
            return issuer.sd_jwt_issuance

        def verified(self, token):
            key = JWK(**HARDWARE.public_jwk)
            return SDJWTVerifier(token, lambda *_: key).get_verified_payload()

    return Other()


def test_what_we_issue_and_redact_another_implementation_accepts(other):
    fields = {**FIELDS, "party": {"name": "A", "seat": "B"}, "events": ["filed", "granted"]}
    hidden = [("verbal_element",), ("party",), ("party", "seat"), ("events", 0)]
    record = issued(fields, hidden=hidden, signer=HARDWARE)

    for allowed in (hidden, hidden[:1], [], [("party",)], hidden[2:]):
        token = sdjwt.redact(record, allowed)
        assert other.verified(token) == verify(token).claims


def test_what_another_implementation_issues_we_accept(other):
    hide = other.hidden
    token = other.issue(
        {
            **ENVELOPE,
            hide("verbal_element"): "SÜNRISE",
            hide("party"): {"name": "A", hide("seat"): {"city": "B", hide("street"): "C"}},
            "events": ["filed", hide("granted")],
        }
    )

    presentation = verify(token)

    assert presentation.claims == {
        **ENVELOPE,
        "verbal_element": "SÜNRISE",
        "party": {"name": "A", "seat": {"city": "B", "street": "C"}},
        "events": ["filed", "granted"],
    }
    assert verify(sdjwt.redact(presentation, [("events", 1)])).claims == {**ENVELOPE, "events": ["filed", "granted"]}
