"""The thirty refusals of the design page, in its order: each is one change away from something accepted."""

import json

import pytest

from ipx import sdjwt
from ipx.encoding import b64url, b64url_bytes
from ipx.errors import FormatError, SignatureError
from tests.ipx.sdjwt_parts import (
    CHILD,
    DOTS,
    DOTS_DIGEST,
    ELEMENT,
    ELEMENT_DIGEST,
    ENVELOPE,
    HOLDER,
    NAMED,
    NAMED_DIGEST,
    PARENT,
    PARENT_DIGEST,
    SD,
    SD_DIGEST,
    SECOND,
    SECOND_DIGEST,
    STRANGER,
    TYP,
    UNKNOWN,
    hidden_as,
    issued,
    record,
    signed,
    verify,
)


def swapped(text, at):
    """The same text with one character changed that carries no spare bits."""
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


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
