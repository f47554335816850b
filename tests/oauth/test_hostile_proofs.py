"""DPoP proofs that are refused, at the token endpoint and at the API alike."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

ORIGIN = "https://gw.example"
SMALL_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    (2**255 - 20).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
]


@pytest.fixture
def world(shared_world):
    return shared_world


@pytest.fixture
def intake(shared_world):
    return shared_world.intake


@pytest.fixture(scope="module")
def token(shared_world):
    return shared_world.intake.token()


class AtTokenEndpoint:
    """Sends proofs for `POST /oauth/token`."""

    def __init__(self, world, refused):
        self.world, self.system, self.refused = world, world.intake, refused

    def proof(self, **changes):
        return self.system.proof(**changes)

    def send(self, proof):
        return self.system.ask(proof)

    def refuses(self, proof, error, code):
        self.refused(self.send(proof), error, code)


class AtApi:
    """Sends proofs for `GET /v1/whoami` with a good token."""

    def __init__(self, world, token, shut_out):
        self.world, self.system, self.token, self.shut_out = world, world.intake, token, shut_out

    def proof(self, **changes):
        return self.system.proof("GET", f"{ORIGIN}/v1/whoami", self.token, **changes)

    def send(self, proof):
        return self.system.call(self.token, proof)

    def refuses(self, proof, error, code):
        self.shut_out(self.send(proof), error, code)


@pytest.fixture(params=["token endpoint", "API"])
def place(request, shared_world, token, refused, shut_out):
    return (
        AtTokenEndpoint(shared_world, refused)
        if request.param == "token endpoint"
        else AtApi(shared_world, token, shut_out)
    )


def test_a_right_proof_passes_once(place):
    proof = place.proof()

    assert place.send(proof).status_code == 200

    place.refuses(proof, "invalid_dpop_proof", "GW-309")


def test_no_proof_is_refused(place):
    place.refuses("", "invalid_dpop_proof", "GW-300")


def test_two_proofs_are_refused(place):
    place.refuses(f"{place.proof()}, {place.proof()}", "invalid_dpop_proof", "GW-300")
    place.refuses(f"{place.proof()},", "invalid_dpop_proof", "GW-300")


@pytest.mark.parametrize("text", ["a", "a.b.c", "..", "x" * 20_000, "e30.e30.AA=="])
def test_text_that_is_no_proof_is_refused(place, text):
    place.refuses(text, "invalid_dpop_proof", "GW-301")


@pytest.mark.parametrize("member", ["crit", "kid", "jku", "x5u", "x5c", "b64", "unknown"])
def test_a_header_holds_nothing_but_typ_alg_and_jwk(place, member):
    place.refuses(place.proof(header={member: ["b64"]}), "invalid_dpop_proof", "GW-301")


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "DPOP+JWT", "application/dpop+jwt", None, 1, ...])
def test_another_typ_is_refused(place, typ):
    typ = place.world.ABSENT if typ is ... else typ

    place.refuses(place.proof(header={"typ": typ}), "invalid_dpop_proof", "GW-301")


def test_an_assertion_is_no_proof(place):
    place.refuses(place.system.assertion(), "invalid_dpop_proof", "GW-301")


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "ES384", None, 1, ["ES256"], ...])
def test_other_algorithms_are_refused(place, alg):
    alg = place.world.ABSENT if alg is ... else alg

    place.refuses(place.proof(header={"alg": alg}), "invalid_dpop_proof", "GW-303")


def test_the_algorithm_must_fit_the_key(place):
    place.refuses(place.proof(header={"alg": "Ed25519"}), "invalid_dpop_proof", "GW-304")


@pytest.mark.parametrize("jwk", [None, "x", [], {}, 1, {"kty": "EC"}, {"kty": "oct", "k": "c2VjcmV0"}, {"kty": 1}, ...])
def test_a_jwk_is_a_public_key(place, jwk):
    jwk = place.world.ABSENT if jwk is ... else jwk

    place.refuses(place.proof(header={"jwk": jwk}), "invalid_dpop_proof", "GW-302")


@pytest.mark.parametrize("member", ["d", "k", "p", "q", "oth"])
def test_a_private_key_in_a_proof_is_refused(place, member):
    jwk = {**place.world.jwk_of(place.system.dpop_key), member: "AQAB"}

    place.refuses(place.proof(header={"jwk": jwk}), "invalid_dpop_proof", "GW-302")


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP256K1(), ec.SECP521R1()], ids=lambda curve: curve.name)
@pytest.mark.parametrize("named", ["P-256", "its own"])
def test_keys_on_other_curves_are_refused(place, curve, named):
    numbers = ec.generate_private_key(curve).public_key().public_numbers()
    size = (curve.key_size + 7) // 8
    x, y = (place.world.b64url(value.to_bytes(size, "big")) for value in (numbers.x, numbers.y))
    crv = {384: "P-384", 521: "P-521", 256: "secp256k1"}[curve.key_size] if named == "its own" else named

    proof = place.proof(header={"jwk": {"kty": "EC", "crv": crv, "x": x, "y": y}})
    place.refuses(proof, "invalid_dpop_proof", "GW-302")


@pytest.mark.parametrize("bits", [1024, 2047, 4097])
def test_rsa_keys_are_of_2048_to_4096_bits(place, bits):
    modulus = place.world.b64url(((1 << bits) - 1).to_bytes((bits + 7) // 8, "big"))
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB"}

    place.refuses(place.proof(header={"jwk": jwk, "alg": "PS256"}), "invalid_dpop_proof", "GW-302")


@pytest.mark.parametrize("e", ["AQ", "Aw", "AAEAAQ", "AQAB" * 300])
def test_an_rsa_key_with_another_exponent_is_refused(place, e):
    jwk = {**place.world.jwk_of(place.world.new_key("PS256")), "e": e}
    # With e = 1 the signature is the padded message itself: anybody can make it. A long e verifies slowly.
    place.refuses(place.proof(header={"jwk": jwk, "alg": "PS256"}), "invalid_dpop_proof", "GW-302")


@pytest.mark.parametrize("point", SMALL_ORDER, ids=lambda point: point.hex()[:8])
@pytest.mark.parametrize("sign", [0, 0x80])
def test_an_ed25519_key_for_which_anybody_can_sign_is_refused(place, point, sign):
    raw = point[:31] + bytes([point[31] | sign])
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": place.world.b64url(raw)}
    head, claims, _ = place.proof(header={"jwk": jwk, "alg": "Ed25519"}).split(".")
    # R = the neutral element, S = 0 verifies under the neutral element as key, over any message.
    forged = place.world.b64url((1).to_bytes(32, "little") + bytes(32))

    place.refuses(f"{head}.{claims}.{forged}", "invalid_dpop_proof", "GW-302")


def test_coordinates_of_another_length_are_refused(place):
    jwk = place.world.jwk_of(place.system.dpop_key)
    padded = place.world.b64url(b"\x00" + base64.urlsafe_b64decode(jwk["x"] + "="))

    place.refuses(place.proof(header={"jwk": {**jwk, "x": padded}}), "invalid_dpop_proof", "GW-302")


def test_a_point_off_the_curve_is_refused(place):
    jwk = place.world.jwk_of(place.system.dpop_key)

    place.refuses(place.proof(header={"jwk": {**jwk, "y": jwk["x"]}}), "invalid_dpop_proof", "GW-302")


@pytest.mark.parametrize("signature", [b"", bytes(64), b"\xff" * 64, bytes(128)])
def test_a_signature_that_nobody_made_is_refused(place, signature):
    head, claims, _ = place.proof().split(".")

    place.refuses(f"{head}.{claims}.{place.world.b64url(signature)}", "invalid_dpop_proof", "GW-304")


def test_a_proof_signed_by_another_key_than_its_own_is_refused(place):
    jwk = place.world.jwk_of(place.system.dpop_key)

    place.refuses(place.proof(key=place.world.new_key("ES256"), header={"jwk": jwk}), "invalid_dpop_proof", "GW-304")


@pytest.mark.parametrize("htm", ["PUT", "get", "post", "", None, 1, ["GET", "POST"], ...])
def test_a_proof_is_for_one_method(place, htm):
    htm = place.world.ABSENT if htm is ... else htm

    place.refuses(place.proof(claims={"htm": htm}), "invalid_dpop_proof", "GW-305")


@pytest.mark.parametrize(
    "htu",
    [
        "https://evil.example{path}",
        "http://gw.example{path}",
        "https://gw.example:8443{path}",
        "https://gw.example:99999{path}",
        "https://user@gw.example{path}",
        "https://@gw.example{path}",
        "https://gw.example.{path}",
        "https://gw.example{path}/",
        "https://gw.example/.{path}",
        "https://gw.example/x/..{path}",
        "https://gw.example/%2E{path}",
        "https://gw.example\t{path}",
        " https://gw.example{path}",
        "//gw.example{path}",
        "{path}",
        "https://gw.example",
        "https://[{path}",
        "https://gw.exämple{path}",
        "",
        None,
        1,
        ["https://gw.example{path}"],
        ...,
    ],
)
def test_a_proof_is_for_one_address(place, htu):
    path = "/v1/whoami" if isinstance(place, AtApi) else "/oauth/token"
    if isinstance(htu, str):
        htu = htu.format(path=path)

    place.refuses(
        place.proof(claims={"htu": place.world.ABSENT if htu is ... else htu}), "invalid_dpop_proof", "GW-306"
    )


@pytest.mark.parametrize("age", [301, 3600, -61, -3600])
def test_an_old_or_future_proof_is_refused(place, age):
    iat = int(place.world.clock().timestamp()) - age

    place.refuses(place.proof(claims={"iat": iat}), "invalid_dpop_proof", "GW-307")


@pytest.mark.parametrize("iat", ["1", None, True, [], 2**60, ...])
def test_the_time_of_a_proof_is_a_number(place, iat):
    iat = place.world.ABSENT if iat is ... else iat

    place.refuses(place.proof(claims={"iat": iat}), "invalid_dpop_proof", "GW-307")


@pytest.mark.parametrize("age", [300, -60])
def test_the_limits_of_age_are_inside(place, age):
    iat = int(place.world.clock().timestamp()) - age

    assert place.send(place.proof(claims={"iat": iat})).status_code == 200


@pytest.mark.parametrize("jti", ["", "1234567", "x" * 257, 12345678, None, ...])
def test_a_jti_is_a_text_of_8_to_256_characters(place, jti):
    jti = place.world.ABSENT if jti is ... else jti

    place.refuses(place.proof(claims={"jti": jti}), "invalid_dpop_proof", "GW-308")


@pytest.mark.parametrize("nonce", [..., None, "", "wrong", "é", 1, True, ["a"], {}, "a" * 4000])
def test_a_nonce_that_is_none_of_ours_is_answered_with_one(place, nonce):
    nonce = place.world.ABSENT if nonce is ... else nonce

    answer = place.send(place.proof(claims={"nonce": nonce}))

    assert answer.status_code == (401 if isinstance(place, AtApi) else 400)
    place.refuses(place.proof(claims={"nonce": nonce}), "use_dpop_nonce", "GW-310")
    assert place.send(place.proof(claims={"nonce": answer.headers["DPoP-Nonce"]})).status_code == 200


def test_a_nonce_passes_for_two_more_minutes_only(world, intake, refused):
    nonce = world.nonce()
    begun = world.clock.now
    try:
        world.clock.advance(120)
        assert intake.ask(intake.proof(claims={"nonce": nonce})).status_code == 200
        world.clock.advance(60)
        refused(intake.ask(intake.proof(claims={"nonce": nonce})), "use_dpop_nonce", "GW-310")
    finally:
        world.clock.now = begun


def test_host_and_forwarded_headers_change_nothing(world, intake, refused):
    forged = intake.proof(claims={"htu": "https://evil.example/oauth/token"})
    headers = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "Forwarded": "host=evil.example;proto=https",
    }

    refused(intake.ask(forged, headers=headers), "invalid_dpop_proof", "GW-306")
    assert intake.ask(headers=headers).status_code == 200


def test_a_proof_for_the_token_endpoint_does_not_serve_at_the_api(intake, token, shut_out):
    shut_out(intake.call(token, intake.proof()), "invalid_dpop_proof", "GW-305")


@pytest.mark.parametrize("path", ["/v1/whoami%2Fx", "/v1/%77hoami", "/v1/a/../whoami"])
def test_the_raw_path_is_proven_not_the_decoded_one(intake, token, shut_out, path):
    assert intake.call(token, path=path).status_code == 200

    decoded = intake.proof("GET", f"{ORIGIN}/v1/whoami", token)
    shut_out(intake.call(token, decoded, path=path), "invalid_dpop_proof", "GW-306")


@pytest.mark.parametrize("ath", ["", "wrong", None, 1, "é", ...])
def test_a_proof_at_the_api_names_the_token(world, intake, token, shut_out, ath):
    ath = world.ABSENT if ath is ... else ath
    proof = intake.proof("GET", f"{ORIGIN}/v1/whoami", token, claims={"ath": ath})

    shut_out(intake.call(token, proof), "invalid_dpop_proof", "GW-301")


def test_a_proof_for_another_token_is_refused(intake, token, shut_out):
    proof = intake.proof("GET", f"{ORIGIN}/v1/whoami", intake.token())

    shut_out(intake.call(token, proof), "invalid_dpop_proof", "GW-301")


def test_a_thief_without_the_key_is_refused(world, intake, token, shut_out):
    thief = world.new_key("ES256")
    proof = intake.proof("GET", f"{ORIGIN}/v1/whoami", token, key=thief)

    shut_out(intake.call(token, proof), "invalid_token", "GW-406")


def test_one_proof_key_of_an_ed25519_point_that_is_sound_passes(world, intake):
    intake_key, alg = intake.dpop_key, intake.dpop_alg
    try:
        intake.dpop_key, intake.dpop_alg = ed25519.Ed25519PrivateKey.generate(), "Ed25519"
        assert intake.ask().status_code == 200
    finally:
        intake.dpop_key, intake.dpop_alg = intake_key, alg


def test_the_hash_of_the_token_is_of_its_ascii_bytes(intake, token):
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode("ascii")).digest()).rstrip(b"=").decode()

    assert intake.call(token, intake.proof("GET", f"{ORIGIN}/v1/whoami", token, claims={"ath": ath})).status_code == 200
