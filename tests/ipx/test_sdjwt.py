"""SD-JWT (RFC 9901): the RFC's examples, another implementation both ways, and everything that must be refused."""

import json
import secrets
from datetime import UTC, datetime
from itertools import count
from pathlib import Path as File

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipx import sdjwt
from ipx.disclosures import disclose
from ipx.encoding import b64url, b64url_bytes
from ipx.errors import BindingError, EvidenceError, FormatError, SignatureError
from ipx.jws import parse_object
from ipx.keys import KeyRing, TrustedKey, generate_signer, public_key

TYP = "ipx-record+sd-jwt"
HOLDER = generate_signer()
STRANGER = generate_signer()
HARDWARE = generate_signer("ES256")
KEYS = KeyRing([TrustedKey("holder", signer.kid, "ipo-xa", signer.public) for signer in (HOLDER, HARDWARE)])
ROLES = frozenset({"holder", "seal"})
NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
ENVELOPE = {
    "iss": "ipo-xa",
    "sub": "urn:ipx:ipo-xa:trademark:2019-0042",
    "iat": int(NOW.timestamp()),
    "record_type": "trademark",
    "schema_version": 1,
    "source": "register",
    "revision": 7,
    "as_of": "2026-11-25T08:00:00Z",
    "recorded_at": "2026-11-25T08:00:00Z",
    "status": "active",
    "sealed_by": "holder",
    "language": "en",
}
FIELDS = {"verbal_element": "SUNRISE", "owners": [{"party_no": 1, "name": "Sunrise Ltd"}], "owner_contacts": ["secret"]}
EXAMPLES = json.loads((File(__file__).parent / "vectors" / "rfc9901.json").read_text())


def issued(fields=FIELDS, *, hidden=None, signer=HOLDER, **changes):
    hidden = [(name,) for name in fields] if hidden is None else hidden
    return sdjwt.issue({**ENVELOPE, **changes, **fields}, hidden, signer, typ=TYP, decoys=3, salt=sdjwt.fresh_salt)


def verify(token, *, at=NOW):
    return sdjwt.verify(token, KEYS, roles=ROLES, typ=TYP, at=at)


def hidden_as(*content):
    """A disclosure and its digest, of any content."""
    disclosure = b64url(json.dumps([secrets.token_hex(8), *content]).encode())
    return disclosure, sdjwt.digest(disclosure)


def signed(payload, *disclosures, header=None, signer=HOLDER):
    """A presentation of any payload and disclosures, properly signed: damaged, but signed as damaged."""
    header = header or {"alg": "Ed25519", "kid": signer.kid, "typ": TYP}
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signing_input = ".".join(map(b64url, parts))
    jwt = f"{signing_input}.{b64url(signer.sign(signing_input.encode()))}"
    return "~".join([jwt, *disclosures, ""])


def record(**members):
    return {**ENVELOPE, "_sd_alg": "sha-256", **members}


def swapped(text, at):
    """The same text with one character changed that carries no spare bits."""
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
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


# --- the thirty refusals of the design page, in its order, and those beyond -------------------------------------------

NAMED, NAMED_DIGEST = hidden_as("verbal_element", "SUNRISE")
SECOND, SECOND_DIGEST = hidden_as("verbal_element", "SUNSET")
ELEMENT, ELEMENT_DIGEST = hidden_as("filed")
SD, SD_DIGEST = hidden_as("_sd", ["x"])
DOTS, DOTS_DIGEST = hidden_as("...", "x")
SD_ALG, SD_ALG_DIGEST = hidden_as("_sd_alg", "sha-256")
CHILD, CHILD_DIGEST = hidden_as("street", "C")
PARENT, PARENT_DIGEST = hidden_as("address", {"_sd": [CHILD_DIGEST]})
UNKNOWN = sdjwt.digest("decoy")


def test_the_blocks_of_the_refusals_are_accepted_when_put_together_right():
    """Each refusal below is one change away from something accepted."""
    assert verify(signed(record(_sd=[NAMED_DIGEST, UNKNOWN]), NAMED)).claims["verbal_element"] == "SUNRISE"
    assert verify(signed(record(events=[{"...": ELEMENT_DIGEST}]), ELEMENT)).claims["events"] == ["filed"]
    assert verify(signed(record(_sd=[PARENT_DIGEST]), PARENT, CHILD)).claims["address"] == {"street": "C"}
    assert verify(signed(record(_sd=[]))).claims == ENVELOPE
    assert verify(signed({**ENVELOPE, "_sd": [NAMED_DIGEST]}, NAMED)).claims["verbal_element"] == "SUNRISE"


def test_1_payload_bit_flip():
    header, payload, signature = issued().token.split(".")

    with pytest.raises(SignatureError):
        verify(f"{header}.{swapped(payload, 30)}.{signature}")


def test_2_signature_bit_flip():
    jwt, rest = issued().token.split("~", 1)

    with pytest.raises(SignatureError):
        verify(f"{swapped(jwt, len(jwt) - 40)}~{rest}")


def test_3_disclosure_value_edited():
    content = json.loads(b64url_bytes(NAMED))
    edited = b64url(json.dumps([*content[:2], "MOONRISE"]).encode())

    with pytest.raises(FormatError, match="did not sign"):
        verify(signed(record(_sd=[NAMED_DIGEST]), edited))


def test_4_disclosures_of_another_record():
    mine, theirs = issued(), issued()

    with pytest.raises(FormatError, match="did not sign"):
        verify(sdjwt.presentation(mine.jwt, theirs.disclosures.values()))


def test_5_unreferenced_disclosure():
    with pytest.raises(FormatError, match="did not sign"):
        verify(signed(record(_sd=[UNKNOWN]), NAMED))


def test_6_disclosure_twice():
    with pytest.raises(FormatError, match="one disclosure twice"):
        verify(signed(record(_sd=[NAMED_DIGEST]), NAMED, NAMED))


def test_7_digest_twice_in_sd():
    with pytest.raises(FormatError, match="digest stands in a record twice"):
        verify(signed(record(_sd=[NAMED_DIGEST, NAMED_DIGEST]), NAMED))


def test_8_digest_twice_in_nested_objects():
    with pytest.raises(FormatError, match="digest stands in a record twice"):
        verify(signed(record(_sd=[NAMED_DIGEST], party={"_sd": [NAMED_DIGEST]}), NAMED))


def test_9_digest_twice_in_arrays():
    twice = [{"...": ELEMENT_DIGEST}, {"...": ELEMENT_DIGEST}]

    with pytest.raises(FormatError, match="digest stands in a record twice"):
        verify(signed(record(events=twice), ELEMENT))


@pytest.mark.parametrize(
    "members",
    [
        {"_sd": [UNKNOWN, UNKNOWN]},
        {"_sd": [UNKNOWN], "party": {"_sd": [UNKNOWN]}},
        {"_sd": [UNKNOWN], "events": [{"...": UNKNOWN}]},
        {"events": [{"...": UNKNOWN}, {"...": UNKNOWN}]},
    ],
)
def test_10_undisclosed_digest_twice(members):
    with pytest.raises(FormatError, match="digest stands in a record twice"):
        verify(signed(record(**members)))


def test_11_collides_with_a_plain_claim():
    with pytest.raises(FormatError, match="replace the member 'verbal_element'"):
        verify(signed(record(_sd=[NAMED_DIGEST], verbal_element="MOONRISE"), NAMED))


def test_12_two_disclosures_of_one_name():
    with pytest.raises(FormatError, match="replace the member 'verbal_element'"):
        verify(signed(record(_sd=[NAMED_DIGEST, SECOND_DIGEST]), NAMED, SECOND))


def test_13_disclosure_named_sd():
    with pytest.raises(FormatError, match="reserved"):
        verify(signed(record(_sd=[SD_DIGEST]), SD))


def test_14_disclosure_named_dots():
    with pytest.raises(FormatError, match="reserved"):
        verify(signed(record(_sd=[DOTS_DIGEST]), DOTS))


def test_15_array_disclosure_in_object():
    with pytest.raises(FormatError, match="no name"):
        verify(signed(record(_sd=[ELEMENT_DIGEST]), ELEMENT))


def test_16_object_disclosure_in_array():
    with pytest.raises(FormatError, match="with a name"):
        verify(signed(record(events=[{"...": NAMED_DIGEST}]), NAMED))


@pytest.mark.parametrize("alg", ["sha-512", "md5", "SHA-256", "", None, 256, ["sha-256"]])
def test_17_sd_alg_unknown(alg):
    with pytest.raises(FormatError, match="SHA-256"):
        verify(signed(record(_sd=[NAMED_DIGEST], _sd_alg=alg), NAMED))


def test_18_alg_none():
    header = b64url(json.dumps({"alg": "none", "kid": HOLDER.kid, "typ": TYP}).encode())
    payload = b64url(json.dumps(record()).encode())

    for signature in ("", b64url(HOLDER.sign(f"{header}.{payload}".encode()))):
        with pytest.raises(FormatError, match="none"):
            verify(f"{header}.{payload}.{signature}~")


def test_19_hs256_with_the_public_key():
    import hmac  # noqa: PLC0415 - the attacker's tool

    header = b64url(json.dumps({"alg": "HS256", "kid": HOLDER.kid, "typ": TYP}).encode())
    payload = b64url(json.dumps(record()).encode())
    mac = hmac.digest(b64url_bytes(HOLDER.public_jwk["x"]), f"{header}.{payload}".encode(), "sha256")

    with pytest.raises(FormatError, match="HS256"):
        verify(f"{header}.{payload}.{b64url(mac)}~")


def test_20_other_key_under_the_same_kid():
    header = {"alg": "Ed25519", "kid": HOLDER.kid, "typ": TYP}

    with pytest.raises(SignatureError):
        verify(signed(record(), header=header, signer=STRANGER))


def test_21_jwk_in_header():
    header = {"alg": "Ed25519", "kid": STRANGER.kid, "typ": TYP, "jwk": dict(STRANGER.public_jwk)}

    with pytest.raises(FormatError, match="exactly"):
        verify(signed(record(), header=header, signer=STRANGER))


@pytest.mark.parametrize("crit", [["ipx"], ["exp"], []])
def test_22_unknown_crit(crit):
    header = {"alg": "Ed25519", "kid": HOLDER.kid, "typ": TYP, "crit": crit, "ipx": 1}

    with pytest.raises(FormatError, match="exactly"):
        verify(signed(record(), header=header))


@pytest.mark.parametrize("typ", ["ipx-receipt+jwt", "dc+sd-jwt", "JWT", "application/ipx-record+sd-jwt"])
def test_23_typ_of_another_document(typ):
    with pytest.raises(FormatError, match="type"):
        verify(signed(record(), header={"alg": "Ed25519", "kid": HOLDER.kid, "typ": typ}))


def test_24_duplicate_json_member():
    payload = json.dumps(record())[:-1] + ',"status":"recalled"}'
    disclosure = b64url(b'["salt","party",{"name":"A","name":"B"}]')

    with pytest.raises(FormatError, match="one meaning"):
        verify(signed(payload.encode()))
    with pytest.raises(FormatError, match="one meaning"):
        verify(signed(record(_sd=[sdjwt.digest(disclosure)]), disclosure))


def test_25_trailing_tilde_missing():
    token = issued().token

    with pytest.raises(FormatError, match="end in ~"):
        verify(token[:-1])
    with pytest.raises(FormatError, match="end in ~"):
        verify(token.split("~", maxsplit=1)[0])


def test_26_non_canonical_base64url():
    spare = NAMED[:-1] + chr(ord(NAMED[-1]) + 1)
    padded = NAMED + "=" * (-len(NAMED) % 4 or 4)

    assert len(NAMED) % 4 == 2  # so its last character has spare bits
    for spelling in (spare, padded, NAMED + "\n", NAMED.replace("W", "+", 1)):
        with pytest.raises(FormatError):
            verify(signed(record(_sd=[sdjwt.digest(spelling)]), spelling))


def test_27_child_without_its_parent():
    with pytest.raises(FormatError, match="without the part"):
        verify(signed(record(_sd=[PARENT_DIGEST]), CHILD))


def nested(levels):
    value = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_28_nesting_200_deep():
    deep_disclosure, deep_digest = hidden_as("deep", nested(200))
    chain, digest = hidden_as("x", "end")
    disclosures = [chain]
    for _ in range(200):
        chain, digest = hidden_as("x", {"_sd": [digest]})
        disclosures.append(chain)

    for token in (
        signed(record(deep=nested(200))),
        signed(record(_sd=[deep_digest]), deep_disclosure),
        signed(record(_sd=[digest]), *disclosures),
    ):
        with pytest.raises(FormatError, match="nested deeper"):
            verify(token)


def test_sixteen_levels_are_taken_whichever_way_they_are_made_and_seventeen_are_not():
    for levels, is_taken in ((15, True), (16, False)):
        plain = signed(record(deep=nested(levels)))
        disclosure, digest = hidden_as("deep", nested(levels))
        inner, inner_digest = hidden_as("inner", nested(levels - 1))
        outer, outer_digest = hidden_as("outer", {"_sd": [inner_digest]})
        for token in (
            plain,
            signed(record(_sd=[digest]), disclosure),
            signed(record(_sd=[outer_digest]), outer, inner),
        ):
            if is_taken:
                verify(token)
            else:
                with pytest.raises(FormatError, match="nested deeper"):
                    verify(token)


@pytest.mark.parametrize(
    "digests", ["x", {}, None, 1, True, NAMED_DIGEST], ids=["text", "object", "null", "number", "true", "digest"]
)
def test_29_sd_not_an_array(digests):
    with pytest.raises(FormatError, match="not a list"):
        verify(signed(record(_sd=digests)))
    with pytest.raises(FormatError, match="not a list"):
        verify(signed(record(party={"_sd": digests})))


def test_30_empty_disclosure():
    jwt = signed(record(_sd=[NAMED_DIGEST])).rstrip("~")

    for token in (f"{jwt}~~", f"{jwt}~{NAMED}~~", f"{jwt}~~{NAMED}~", f"~{jwt}~"):
        with pytest.raises(FormatError):
            verify(token)


@pytest.mark.parametrize("claim", sorted(sdjwt.CLEAR_CLAIMS))
def test_a_clear_claim_may_not_be_hidden(claim):
    disclosure, digest = hidden_as(claim, ENVELOPE.get(claim, 1_790_000_000))
    payload = record(_sd=[digest])
    payload.pop(claim, None)

    with pytest.raises((FormatError, SignatureError), match=r"hidden behind a disclosure|issuer"):
        verify(signed(payload, disclosure))
    with pytest.raises(FormatError, match="must stand in clear"):
        sdjwt.issue({**ENVELOPE, claim: "x"}, [(claim,)], HOLDER, typ=TYP)


@pytest.mark.parametrize("part", [{"_sd": [UNKNOWN]}, [{"...": UNKNOWN}], {"a": {"_sd": [UNKNOWN]}}])
def test_a_clear_claim_may_not_be_hidden_in_part(part):
    with pytest.raises(FormatError, match="part of the claim 'source'"):
        verify(signed(record(source=part)))
    with pytest.raises(FormatError, match="must stand in clear"):
        sdjwt.issue({**ENVELOPE, "source": {"a": 1}}, [("source", "a")], HOLDER, typ=TYP)


def test_the_name_of_a_clear_claim_is_free_further_inside():
    disclosure, digest = hidden_as("status", "granted")

    assert verify(signed(record(party={"_sd": [digest]}), disclosure)).claims["party"] == {"status": "granted"}


@pytest.mark.parametrize(
    "members",
    [
        {"party": {"_sd_alg": "sha-256"}},
        {"events": [{"_sd_alg": "sha-256"}]},
        {"...": UNKNOWN},
        {"party": {"...": UNKNOWN}},
        {"events": [{"...": UNKNOWN, "x": 1}]},
        {"events": [{"...": UNKNOWN, "_sd": []}]},
        {"events": [[{"...": {}}]]},
    ],
)
def test_a_reserved_name_out_of_its_place_is_refused(members):
    with pytest.raises(FormatError):
        verify(signed(record(**members)))


def test_sd_alg_may_not_come_from_a_disclosure():
    with pytest.raises(FormatError, match="reserved"):
        verify(signed(record(_sd=[SD_ALG_DIGEST]), SD_ALG))


@pytest.mark.parametrize("digest", [1, None, True, {}, [], "", "short", UNKNOWN + "A"])
def test_a_digest_that_is_none_is_refused(digest):
    with pytest.raises(FormatError, match="digest"):
        verify(signed(record(_sd=[digest])))
    with pytest.raises(FormatError, match="digest"):
        verify(signed(record(events=[{"...": digest}])))


@pytest.mark.parametrize(
    "content",
    [[], ["salt"], ["salt", "name", "value", "more"], [1, "name", "value"], ["salt", 1, "value"], [None, "value"],
     {"salt": 1, "b": 2}, "text", None, 5],
)  # fmt: skip
def test_a_disclosure_of_another_shape_is_refused(content):
    disclosure = b64url(json.dumps(content).encode())

    for payload in (record(_sd=[sdjwt.digest(disclosure)]), record(events=[{"...": sdjwt.digest(disclosure)}])):
        with pytest.raises(FormatError):
            verify(signed(payload, disclosure))


def test_a_key_binding_is_refused():
    token = issued().token

    with pytest.raises(FormatError, match="end in ~"):
        verify(token + signed({"nonce": "x"}).rstrip("~"))


def test_a_disclosure_without_a_record_is_refused():
    for token in ("", "~", "~~", f"~{NAMED}~"):
        with pytest.raises(FormatError):
            verify(token)


def test_a_thousand_disclosures_are_taken_and_no_more():
    blocks = [hidden_as(f"n{number}", number) for number in range(1001)]
    disclosures = [disclosure for disclosure, _ in blocks]
    payload = record(_sd=[digest for _, digest in blocks])

    assert len(verify(signed(payload, *disclosures[:1000])).digests) == 1000
    with pytest.raises(FormatError, match="1000"):
        verify(signed(payload, *disclosures))


def test_a_record_up_to_the_limit_is_taken_and_a_longer_one_is_not(monkeypatch):
    token = issued().token
    monkeypatch.setattr(sdjwt, "MAX_BYTES", len(token))
    verify(token)

    monkeypatch.setattr(sdjwt, "MAX_BYTES", len(token) - 1)
    with pytest.raises(FormatError, match="15 MiB"):
        verify(token)


def test_a_key_of_another_role_signs_no_record():
    with pytest.raises(SignatureError, match="requester"):
        sdjwt.verify(issued().token, KEYS, roles=frozenset({"requester"}), typ=TYP, at=NOW)


def test_an_issuer_who_does_not_own_the_key_is_refused():
    with pytest.raises(SignatureError, match="issuer"):
        verify(issued(iss="ipo-xb").token)


@given(st.data())
def test_any_changed_character_is_refused(data):
    token = issued().token
    at = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters().filter(lambda drawn: drawn != token[at]))

    with pytest.raises(EvidenceError):
        verify(token[:at] + character + token[at + 1 :])


@given(st.lists(st.sampled_from([NAMED, ELEMENT, CHILD, PARENT, SD, "", "A", "é", "\ud800"])), JSON)
def test_whatever_is_signed_a_verifier_raises_only_its_own_errors(disclosures, extra):
    payload = record(extra=extra, _sd=[NAMED_DIGEST, PARENT_DIGEST])
    try:
        verify(signed(payload, *disclosures))
    except EvidenceError:
        return


# --- validity --------------------------------------------------------------------------------------------------------

SECOND_OF_NOW = int(NOW.timestamp())


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": SECOND_OF_NOW + 1},
        {"iat": SECOND_OF_NOW + 5},
        {"nbf": SECOND_OF_NOW + 5},
        {"nbf": SECOND_OF_NOW, "exp": SECOND_OF_NOW + 1},
    ],
)
def test_a_record_is_valid_up_to_its_last_second(claims):
    verify(issued(**claims).token)


@pytest.mark.parametrize(
    "claims",
    [{"exp": SECOND_OF_NOW}, {"exp": 0}, {"iat": SECOND_OF_NOW + 6}, {"nbf": SECOND_OF_NOW + 6}],
)
def test_a_record_out_of_its_time_is_refused_where_the_time_matters(claims):
    token = issued(**claims).token

    verify(token, at=None)
    with pytest.raises(BindingError):
        verify(token)


@pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
@pytest.mark.parametrize("value", [True, "1790000000", 1.5, None, -1, 10**12])
def test_a_time_that_is_no_whole_number_is_refused(name, value):
    with pytest.raises(FormatError, match=name):
        verify(signed(record(**{name: value})), at=None)


# --- what is not issued ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["_sd", "_sd_alg", "..."])
def test_a_reserved_name_is_not_issued(name):
    for fields in ({name: 1}, {"party": {name: 1}}, {"events": [{name: 1}]}):
        with pytest.raises(FormatError, match="reserved"):
            issued(fields, hidden=[])


@pytest.mark.parametrize("path", [("absent",), (), ("owners", 1), ("owners", "0"), ("owners", 0, "absent"), ("iss", 0)])
def test_a_path_that_leads_nowhere_is_not_hidden(path):
    with pytest.raises(FormatError, match="not in the record"):
        issued(hidden=[path])


def test_a_salt_given_twice_is_noticed():
    with pytest.raises(FormatError, match="salt"):
        sdjwt.issue(
            {**ENVELOPE, "events": ["a", "a"]}, [("events", 0), ("events", 1)], HOLDER, typ=TYP, salt=lambda: "same"
        )


def test_the_salt_is_the_callers():
    numbers = count()
    record = sdjwt.issue(
        {**ENVELOPE, "a": 1}, [("a",)], HOLDER, typ=TYP, decoys=0, salt=lambda: f"salt {next(numbers)}"
    )

    assert json.loads(b64url_bytes(record.disclosures["a",])) == ["salt 0", "a", 1]


def test_a_disclosure_that_is_not_ascii_has_no_digest():
    with pytest.raises(FormatError):
        sdjwt.digest("é")


@pytest.mark.parametrize(
    "content", [{"salt": "name"}, [], ["salt"], [1, "name", 2], ["salt", 1, 2], ["salt", "name", 1, 2]]
)
def test_what_a_signed_digest_stands_for_must_be_a_disclosure(content):
    disclosure = b64url(json.dumps(content).encode())

    with pytest.raises(FormatError, match="not a salt"):
        verify(signed(record(_sd=[sdjwt.digest(disclosure)]), disclosure))
