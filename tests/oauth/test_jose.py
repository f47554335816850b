"""The strict reader and the one signature check, against published vectors and against anything at all."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.oauth.dpop import Call, DpopVerifier, is_address
from gateway.oauth.errors import Reason, RefusedError
from gateway.oauth.jose import KEY_ALGS, Jws, JwsError, parse, require_header, verify
from gateway.oauth.nonce import Nonces
from ipx.encoding import b64url_bytes, hashed
from ipx.errors import EvidenceError
from ipx.jws import parse_object
from ipx.keys import public_key

ANY_TYP = frozenset({None, "JWT"})


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def is_taken(jwk, text):
    """Whether the server takes this signature under this key. The vectors sign `foo`, which is no JSON object."""
    try:
        key = public_key(jwk, algorithms=KEY_ALGS)
        head, payload, signature = text.split(".")
        b64url_bytes(payload)
        jws = Jws(parse_object(b64url_bytes(head)), {}, f"{head}.{payload}".encode(), b64url_bytes(signature))
        require_header(jws, members=frozenset({"alg", "kid", "typ"}), typs=ANY_TYP)
        verify(jws, key)
    except (EvidenceError, JwsError, ValueError):
        return False
    return True


def groups(vectors, name):
    return json.loads((vectors / "wycheproof" / name).read_text())["testGroups"]


def test_wycheproof_signatures(vectors):
    """C2SP/wycheproof, json_web_signature_test.json: taken are the valid ones of our algorithms, and no other."""
    taken = refused = 0
    for group in groups(vectors, "json_web_signature_test.json"):
        jwk = group.get("public", group["private"])
        for case in group["tests"]:
            # Two cases (RFC 7520, figure 20) sign PS384 with a key marked PS256 and call that valid.
            is_ours = jwk.get("alg") in KEY_ALGS and case["tcId"] not in {346, 350}
            expected = case["result"] == "valid" and is_ours
            assert is_taken(jwk, case["jws"]) == expected, (group["comment"], case["tcId"], case["comment"])
            taken, refused = taken + expected, refused + (not expected)

    assert taken >= 5
    assert refused > 350


def test_wycheproof_keys(vectors):
    """C2SP/wycheproof, json_web_key_test.json: no key of these sets is taken."""
    for group in groups(vectors, "json_web_key_test.json"):
        keys = group.get("public", group["private"])
        for case in group["tests"]:
            for jwk in keys.get("keys", [keys]):
                is_ours = case["result"] == "valid" and jwk.get("alg") in KEY_ALGS
                assert is_taken(jwk, case["jws"]) == is_ours, (group["comment"], case["tcId"])


@pytest.mark.parametrize(
    ("name", "alg"),
    [("ed25519_test.json", "Ed25519"), ("ecdsa_secp256r1_sha256_p1363_test.json", "ES256")],
)
def test_wycheproof_raw_signatures(vectors, name, alg):
    """C2SP/wycheproof: the signature check itself, over messages that are no JWS."""
    count = 0
    for group in groups(vectors, name):
        if "publicKeyJwk" not in group:
            continue
        key = public_key(group["publicKeyJwk"], algorithms=KEY_ALGS)
        for case in group["tests"]:
            jws = Jws({"alg": alg}, {}, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
            try:
                verify(jws, key)
                is_valid = True
            except JwsError:
                is_valid = False
            assert is_valid == (case["result"] == "valid"), (case["tcId"], case["comment"])
            count += 1

    assert count > 100


RFC_9449_KEY = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
)
RFC_9449_TOKEN_PROOF = (
    f"{RFC_9449_KEY}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3R"
    "va2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3"
    "Lg"
)
RFC_9449_CALL_PROOF = (
    f"{RFC_9449_KEY}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9"
    "wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFb"
    "yJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)

RFC_9449_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"


@pytest.mark.parametrize(
    ("origin", "call"),
    [
        ("https://server.example.com", Call(RFC_9449_TOKEN_PROOF, "POST", "/token")),
        (
            "https://resource.example.org",
            Call(RFC_9449_CALL_PROOF, "GET", "/protectedresource", hashed(RFC_9449_TOKEN)),
        ),
    ],
    ids=["section 4.1", "section 7.1"],
)
def test_the_proofs_of_rfc_9449_lack_nothing_but_our_nonce(origin, call):
    """RFC 9449, figures 1 and 9; the thumbprint is that of section 6.1."""
    moment = datetime.fromtimestamp(1562262616, UTC)
    verifier = DpopVerifier(origin, Nonces(bytes(32), lambda: moment), lambda: moment)

    with pytest.raises(RefusedError) as refusal:
        verifier.verify(call, bound_to="0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I")

    assert refusal.value.reason is Reason.PROOF_NONCE


@given(st.text())
@example("..")
@example("e30.e30.")
@example("\ud800.a.b")
def test_any_text_is_taken_apart_or_refused_by_an_error_of_ours(text):
    try:
        jws = parse(text)
    except JwsError:
        return
    assert text == ".".join(b64url(part) for part in (b64url_bytes(s) for s in text.split(".")))
    assert isinstance(jws.claims, dict)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "jwk", "crit"]), json_values), json_values)
def test_any_header_and_claims_are_judged_by_errors_of_ours(header, claims):
    text = ".".join(b64url(json.dumps(value).encode()) for value in (header, claims)) + ".AA"
    try:
        jws = parse(text)
        require_header(jws, members=frozenset({"alg", "kid", "typ"}), typs=ANY_TYP)
    except JwsError:
        return
    assert header["alg"] in {"ES256", "PS256", "Ed25519", "EdDSA"}
    assert "typ" not in header or header["typ"] == "JWT"


@given(json_values)
@example("https://gw.example:x/a")
@example("https://[::1/a")
def test_any_htu_is_judged_without_an_error(htu):
    assert is_address(htu, "https://gw.example/a") in {True, False}


@given(json_values | st.text(alphabet="ABCabc-_é\ud800"))
def test_any_nonce_is_judged_without_an_error(nonce):
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    assert Nonces(bytes(32), lambda: moment).accepts(nonce) is False


def test_nonces_of_another_secret_or_day_differ():
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)

    nonces = {Nonces(bytes([n]) * 32, lambda: noon).current() for n in range(3)}

    assert len(nonces) == 3
    assert all(len(nonce) == 22 for nonce in nonces)
