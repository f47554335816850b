"""Which keys are taken, how they are named, and that signatures are judged as published vectors say."""

import base64
import contextlib
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from ipx.encoding import b64, b64_bytes, b64url, b64url_bytes
from ipx.errors import FormatError, SignatureError
from ipx.keys import KeyRing, TrustedKey, generate_signer, load_signer, public_key, thumbprint

ED = generate_signer("Ed25519")
ES = generate_signer("ES256")
RFC_8037_JWK = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
RFC_7638_JWK = {
    "kty": "RSA",
    "n": (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
        "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
        "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
        "nqDKgw"
    ),
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
# Order 1, 2, 4 (two signs of x share y = 0), 8 and 8: RFC 7748's curve has cofactor 8.
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
]


def ed25519_jwk(raw):
    return {"kty": "OKP", "crv": "Ed25519", "x": b64url(raw)}


def p256_jwk(x, y, size=32):
    return {"kty": "EC", "crv": "P-256", "x": b64url(x.to_bytes(size, "big")), "y": b64url(y.to_bytes(size, "big"))}


def rsa_jwk(n, e=65537):
    return {
        "kty": "RSA",
        "n": b64url(n.to_bytes((n.bit_length() + 7) // 8, "big")),
        "e": b64url(e.to_bytes((e.bit_length() + 7) // 8, "big")),
    }


def holds(key, signature, message):
    try:
        key.verify(signature, message)
    except SignatureError:
        return False
    return True


def test_the_thumbprint_of_rfc_8037_comes_out():
    """RFC 8037, appendix A.3."""
    assert public_key(RFC_8037_JWK).kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_thumbprint_of_rfc_7638_comes_out():
    """RFC 7638, section 3.1: members beside the required ones do not count."""
    assert thumbprint(RFC_7638_JWK) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("jwk", [{}, {"kty": "oct", "k": "AA"}, {"kty": "OKP", "crv": "Ed25519"}, {"kty": ["EC"]}])
def test_what_is_no_key_has_no_thumbprint(jwk):
    with pytest.raises(FormatError):
        thumbprint(jwk)


def test_the_signature_of_rfc_8037_holds():
    """RFC 8037, appendix A.4."""
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

    public_key(RFC_8037_JWK).verify(b64url_bytes(signature), signed)


@pytest.mark.parametrize("file", ["ed25519_test.json", "ecdsa_secp256r1_sha256_p1363_test.json"])
def test_wycheproof_signatures_are_judged_as_published(vectors, file):
    """C2SP/wycheproof, commit dac1dd47."""
    published = json.loads((vectors / "wycheproof" / file).read_text())
    judged, expected = [], []
    for group in published["testGroups"]:
        jwk = group.get("publicKeyJwk") or p256_jwk(
            *(int(group["publicKey"][name], 16) for name in ("wx", "wy")),
        )
        key = public_key({name: jwk[name] for name in jwk.keys() & {"kty", "crv", "x", "y"}})
        for case in group["tests"]:
            judged.append((case["tcId"], holds(key, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))))
            expected.append((case["tcId"], case["result"] == "valid"))

    assert judged == expected
    assert len(judged) == published["numberOfTests"]


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_a_signer_signs_with_64_bytes_what_its_public_key_verifies(alg):
    signer = generate_signer(alg)
    again = load_signer(signer.private_pem())

    signature = again.sign(b"message")

    assert len(signature) == 64
    assert again.public_jwk == signer.public_jwk
    assert (again.kid, again.alg) == (thumbprint(signer.public_jwk), alg)
    assert holds(public_key(signer.public_jwk), signature, b"message")
    assert not holds(public_key(signer.public_jwk), signature, b"massage")


@pytest.mark.parametrize("signer", [ED, ES], ids=["Ed25519", "ES256"])
@pytest.mark.parametrize("length", [0, 63, 65, 72])
def test_a_signature_of_another_length_does_not_hold(signer, length):
    signature = (signer.sign(b"message") + bytes(9))[:length]

    assert not holds(signer.public, signature, b"message")


def test_an_es256_signature_in_der_does_not_hold():
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()

    der = private.sign(b"message", ec.ECDSA(SHA256()))

    assert not holds(public_key(p256_jwk(numbers.x, numbers.y)), der, b"message")


@pytest.mark.parametrize("encoded", SMALL_ORDER)
def test_an_ed25519_key_of_small_order_is_refused(encoded):
    with pytest.raises(FormatError, match="anybody can sign"):
        public_key(ed25519_jwk(bytes.fromhex(encoded)))


def test_an_ed25519_key_off_the_curve_or_in_a_second_spelling_is_refused():
    second_spelling_of_y_3 = (2**255 - 19 + 3).to_bytes(32, "little")

    second_spelling_of_y_0 = (2**255 - 19).to_bytes(32, "little")
    for raw in (second_spelling_of_y_3, second_spelling_of_y_0, (2).to_bytes(32, "little")):
        with pytest.raises(FormatError, match="no point"):
            public_key(ed25519_jwk(raw))


def test_an_ed25519_key_of_another_length_is_refused():
    raw = b64url_bytes(ED.public_jwk["x"])

    for other in (b"", raw[:-1], raw + b"\0", b"\0" + raw):
        with pytest.raises(FormatError, match="32 bytes"):
            public_key(ed25519_jwk(other))


@given(st.binary(min_size=32, max_size=32))
def test_any_honest_ed25519_key_is_taken(seed):
    raw = ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()

    assert public_key(ed25519_jwk(raw)).alg == "Ed25519"


def test_p256_coordinates_must_be_32_bytes_on_the_curve():
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()

    assert public_key(p256_jwk(numbers.x, numbers.y)).alg == "ES256"
    for jwk in (
        p256_jwk(numbers.x, numbers.y, 33),
        p256_jwk(numbers.x, numbers.y ^ 1),
        p256_jwk(0, 0),
        {**p256_jwk(numbers.x, numbers.y), "x": b64url(numbers.x.to_bytes(32, "big"))[:-1]},
    ):
        with pytest.raises(FormatError):
            public_key(jwk)


@pytest.mark.parametrize("coordinate", ["x", "y"])
def test_each_coordinate_is_of_32_bytes_by_itself(coordinate):
    padded = b64url(b"\0" + b64url_bytes(ES.public_jwk[coordinate]))

    with pytest.raises(FormatError, match="32 bytes"):
        public_key({**ES.public_jwk, coordinate: padded})


def test_a_zero_put_inside_an_es256_signature_makes_no_second_spelling():
    signature = ES.sign(b"message")

    assert not holds(ES.public, signature[:32] + b"\0" + signature[32:], b"message")


def test_rsa_is_taken_only_where_the_caller_allows_it():
    private = rsa.generate_private_key(65537, 2048)
    jwk = rsa_jwk(private.public_key().public_numbers().n)
    pss = padding.PSS(padding.MGF1(SHA256()), 32)

    key = public_key(jwk, algorithms=frozenset({"PS256"}))

    assert holds(key, private.sign(b"message", pss, SHA256()), b"message")
    assert not holds(key, private.sign(b"message", padding.PKCS1v15(), SHA256()), b"message")
    with pytest.raises(FormatError, match="PS256"):
        public_key(jwk)


@pytest.mark.parametrize(
    "jwk", [rsa_jwk(2**2047 + 1, 3), rsa_jwk(2**2046 + 1), rsa_jwk(2**4096 + 1), rsa_jwk(2**2047 + 1, 1)]
)
def test_a_weak_or_oversized_rsa_key_is_refused(jwk):
    with pytest.raises(FormatError):
        public_key(jwk, algorithms=frozenset({"PS256"}))


@pytest.mark.parametrize("member", ["n", "e"])
def test_an_rsa_key_written_with_octets_to_spare_is_refused(member):
    jwk = rsa_jwk(rsa.generate_private_key(65537, 2048).public_key().public_numbers().n)
    padded = b64url(b"\0" + b64url_bytes(jwk[member]))

    with pytest.raises(FormatError, match="octets to spare"):
        public_key({**jwk, member: padded}, algorithms=frozenset({"PS256"}))


def test_an_even_rsa_key_is_refused():
    with pytest.raises(FormatError, match="odd number"):
        public_key(rsa_jwk(2**2047 + 2), algorithms=frozenset({"PS256"}))


def test_both_uses_a_key_may_be_marked_for_are_taken():
    for operations in (["verify"], ["sign", "verify"]):
        assert public_key({**RFC_8037_JWK, "key_ops": operations}) == public_key(RFC_8037_JWK)


@pytest.mark.parametrize(
    "change",
    [
        {"d": "AAAA"},
        {"k": "AAAA"},
        {"kty": "oct"},
        {"kty": None},
        {"kty": ["OKP"]},
        {"crv": "X25519"},
        {"crv": "Ed448"},
        {"alg": "ES256"},
        {"alg": "none"},
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"key_ops": None},
        {"x": None},
        {"x": 5},
        {"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
    ],
)
def test_a_key_with_anything_odd_about_it_is_refused(change):
    with pytest.raises(FormatError):
        public_key({**RFC_8037_JWK, **change})


def test_both_names_of_ed25519_are_taken_and_a_kid_of_its_own():
    for alg in ("Ed25519", "EdDSA"):
        key = public_key({**RFC_8037_JWK, "alg": alg, "use": "sig", "kid": "mine"})
        assert key == public_key(RFC_8037_JWK)


@pytest.mark.parametrize(
    "private",
    [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)],
    ids=["P-384", "RSA"],
)
def test_a_private_key_of_another_kind_is_refused(private):
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

    with pytest.raises(FormatError):
        load_signer(pem)


def test_an_encrypted_or_broken_private_key_is_refused():
    locked = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )

    for pem in (locked, b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", ED.private_pem()[:-40]):
        with pytest.raises(FormatError):
            load_signer(pem)


def test_a_private_key_never_shows_in_print():
    assert "rivate" not in repr(ED).replace("_private", "")
    assert b64(ED.private_pem()) not in repr(ED)


def test_a_key_is_found_by_role_and_name_and_only_if_it_is_the_only_one():
    mine, other = (TrustedKey("holder", kid, "ipo-xa", ED.public) for kid in ("a", "b"))
    twin = TrustedKey("seal", "a", "ipo-xa", ES.public)
    ring = KeyRing([mine, other, twin])

    assert ring.key(frozenset({"holder"}), "a") is mine
    assert ring.key(frozenset({"seal"}), "a") is twin
    with pytest.raises(SignatureError, match="Nobody"):
        ring.key(frozenset({"gateway", "requester"}), "a")
    with pytest.raises(SignatureError, match="more than one"):
        ring.key(frozenset({"holder", "seal"}), "a")


@given(st.binary())
def test_base64_reads_back_as_written(data):
    assert b64url_bytes(b64url(data)) == data
    assert b64_bytes(b64(data)) == data


@pytest.mark.parametrize(
    "text", ["A", "AB", "AA==", "AA=", "A A", "AA\n", "AA!", "+/+/", "é", "\ud800", "AAAA\0", "AA-_=", "==", "AAAAA"]
)
def test_a_second_spelling_of_base64url_is_refused(text):
    with pytest.raises(FormatError):
        b64url_bytes(text)


@pytest.mark.parametrize("text", ["A", "AA", "AB==", "AA=", "AA==\n", "-_-_", "é", "AA==AA==", "=", "AAAA "])
def test_a_second_spelling_of_base64_is_refused(text):
    with pytest.raises(FormatError):
        b64_bytes(text)


@given(st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "alg", "use", "kid", "d"]),
                       st.none() | st.integers() | st.text() | st.sampled_from(["EC", "OKP", "RSA", "P-256", "Ed25519"])
                       | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode())))  # fmt: skip
def test_any_object_is_a_key_or_a_format_error(jwk):
    with contextlib.suppress(FormatError):
        public_key(jwk, algorithms=frozenset({"Ed25519", "ES256", "PS256"}))
