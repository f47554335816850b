"""Client assertions that are refused, each for its own reason, wherever one is taken."""

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.oauth.jose import verify


@pytest.fixture
def world(shared_world):
    return shared_world


@pytest.fixture
def intake(shared_world):
    return shared_world.intake


@pytest.fixture
def registry(shared_world):
    return shared_world.registry


@pytest.fixture(params=["/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/debug/token"])
def send(request, intake):
    """Send an assertion to each place where one is taken."""

    def post(assertion, **form):
        if request.param == "/oauth/token":
            return intake.ask(client_assertion=assertion, **form)
        return intake.post(request.param, client_assertion=assertion, token="any", **form)

    return post


def test_no_algorithm_is_refused(world, intake, send, refused):
    head, claims, _ = intake.assertion(header={"alg": "none"}).split(".")

    refused(send(f"{head}.{claims}."), "invalid_client", "GW-103")


def test_the_public_key_is_no_secret_key(world, intake, send, refused):
    pem = intake.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, claims, _ = intake.assertion(header={"alg": "HS256"}).split(".")
    mac = hmac.digest(pem, f"{head}.{claims}".encode(), hashlib.sha256)

    refused(send(f"{head}.{claims}.{world.b64url(mac)}"), "invalid_client", "GW-103")


@pytest.mark.parametrize("alg", ["RS256", "ES384", "es256", "HS256", "ES256K", None, 1, ["ES256"], ...])
def test_other_algorithms_are_refused(world, intake, send, refused, alg):
    header = {"alg": world.ABSENT if alg is ... else alg}

    refused(send(intake.assertion(header=header)), "invalid_client", "GW-103")


def test_the_algorithm_must_be_the_keys(world, intake, send, refused):
    refused(send(intake.assertion(header={"alg": "Ed25519"})), "invalid_client", "GW-100")


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c", "crit", "b64", "cty", "zip", "unknown"])
def test_a_header_holds_nothing_but_alg_kid_and_typ(world, intake, send, refused, member):
    thief = world.new_key("ES256")
    value = world.jwk_of(thief) if member == "jwk" else "https://evil.example/keys"

    refused(send(intake.assertion(header={member: value}, key=thief)), "invalid_client", "GW-102")


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' or 1=1 --", "", "0" * 4000, "a\x00b"])
def test_a_kid_names_a_registered_key_and_nothing_else(intake, send, refused, kid):
    refused(send(intake.assertion(header={"kid": kid})), "invalid_client", "GW-100")


@pytest.mark.parametrize("kid", [1, None, ["a"], {"a": 1}, True])
def test_a_kid_is_a_text(intake, send, refused, kid):
    refused(send(intake.assertion(header={"kid": kid})), "invalid_client", "GW-102")


@pytest.mark.parametrize("typ", ["dpop+jwt", "at+jwt", "ipx-request+jwt", "jwt", "", None, 1, ["JWT"]])
def test_another_typ_is_refused(intake, send, refused, typ):
    refused(send(intake.assertion(header={"typ": typ})), "invalid_client", "GW-104")


def test_a_proof_is_no_assertion(intake, send, refused):
    refused(send(intake.proof()), "invalid_client", "GW-102")


def test_an_access_token_is_no_assertion(intake, send, refused):
    refused(send(intake.token()), "invalid_client", "GW-104")


@pytest.mark.parametrize(
    "signature", [bytes(64), b"", bytes(63), bytes(65), b"\xff" * 64, b"\x30\x06\x02\x01\x00\x02\x01\x00"]
)
def test_a_signature_that_nobody_made_is_refused(world, intake, send, refused, signature):
    head, claims, _ = intake.assertion().split(".")

    refused(send(f"{head}.{claims}.{world.b64url(signature)}"), "invalid_client", "GW-100")


def test_a_signature_in_der_is_refused(world, intake, send, refused):
    head, claims, _ = intake.assertion().split(".")
    der = intake.key.sign(f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))

    refused(send(f"{head}.{claims}.{world.b64url(der)}"), "invalid_client", "GW-100")


def test_another_clients_key_does_not_sign_for_this_one(intake, registry, send, refused):
    assertion = intake.assertion(header={"alg": "Ed25519", "kid": registry.kid}, key=registry.key)

    refused(send(assertion), "invalid_client", "GW-100")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text + "=",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.replace(".", ".\t", 1),
        lambda text: text + ".",
        lambda text: text + "." + text,
        lambda text: text.rpartition(".")[0],
        lambda text: "." + text,
        lambda text: "",
        lambda text: "..",
        lambda text: text.replace(".", "..", 1),
        lambda text: "Zm9v.YmFy.YmF6",
        lambda text: text[:10] + "é" + text[11:],
        lambda text: text[:10] + "+" + text[11:],
        lambda text: "{}",
        lambda text: "a" * 20_000,
    ],
)
def test_text_that_is_not_three_canonical_segments_is_refused(intake, send, damage):
    answer = send(damage(intake.assertion()))

    assert answer.status_code == 400
    # A control character or line break is refused with the form it came in.
    assert answer.json["error"] in {"invalid_client", "invalid_request"}


def test_spare_bits_in_base64_are_refused(world, intake, send, refused):
    head, claims, signature = intake.assertion().split(".")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(signature[-1])
    spare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last | 1]

    refused(send(f"{head}.{claims}.{signature[:-1]}{spare}"), "invalid_client", "GW-101")


def test_an_assertion_of_20_kb_is_refused(intake, send, refused):
    refused(send(intake.assertion(claims={"consumer_org": "x" * 15_000})), "invalid_client", "GW-101")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace('"sub":', '"sub": "court-xa.registry", "sub":'),
        lambda text: text.replace("{", '{"nbf": ' + "[" * 1500 + "]" * 1500 + ", ", 1),
        lambda text: text.replace("{", '{"nbf": ' + "[" * 17 + "]" * 17 + ", ", 1),
        lambda text: text.replace("{", '{"nbf": NaN, ', 1),
        lambda text: text.replace("{", '{"nbf": Infinity, ', 1),
        lambda text: text.replace("{", '{"nbf": 1e999, ', 1),
        lambda text: text.replace("{", '{"nbf": -1e999, ', 1),
        lambda text: text.replace("{", '{"nbf": ' + "9" * 5000 + ", ", 1),
        lambda text: text.replace("{", '{"nbf": "\\ud800", ', 1),
        lambda text: "[" + text + "]",
        lambda text: '"' + "a" * 20 + '"',
        lambda text: "null",
        lambda text: text + "{}",
        lambda text: text.replace("}", ",}"),
        lambda text: "\ufeff" + text,
        lambda text: "",
    ],
)
def test_claims_that_two_parsers_read_differently_are_refused(world, intake, send, refused, spoil):
    _, claims, _ = intake.assertion().split(".")
    text = base64.urlsafe_b64decode(claims + "==").decode()
    header = {"alg": "ES256", "kid": intake.kid, "typ": "JWT"}

    refused(send(world.signed(header, spoil(text).encode(), intake.key)), "invalid_client", "GW-101")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_claims_in_another_encoding_are_refused(world, intake, send, refused, encoding):
    now = int(world.clock().timestamp())
    claims = {
        "iss": "é",
        "sub": "customs-xa.intake",
        "aud": world.ORIGIN,
        "iat": now,
        "exp": now + 60,
        "jti": "12345678",
    }
    data = json.dumps(claims, ensure_ascii=False).encode(encoding)

    refused(send(world.signed({"alg": "ES256", "kid": intake.kid}, data, intake.key)), "invalid_client", "GW-101")


def test_a_member_twice_in_the_header_is_refused(world, intake, send, refused):
    _, claims, _ = intake.assertion().split(".")
    header = f'{{"alg":"none","alg":"ES256","kid":"{intake.kid}"}}'.encode()

    assertion = world.signed(header, base64.urlsafe_b64decode(claims + "=="), intake.key)
    refused(send(assertion), "invalid_client", "GW-101")


@pytest.mark.parametrize(
    "aud",
    [
        "https://gw.example/oauth/token",
        "https://gw.example/",
        "https://GW.example",
        "http://gw.example",
        ["https://gw.example"],
        ["https://gw.example", "https://other.example"],
        [],
        {"a": 1},
        None,
        1,
        "",
    ],
)
def test_the_audience_is_the_issuer_as_one_text(intake, send, refused, aud):
    refused(send(intake.assertion(claims={"aud": aud})), "invalid_client", "GW-110")


@pytest.mark.parametrize(
    "claims", [{"iss": "court-xa.registry"}, {"sub": "court-xa.registry"}, {"iss": "Customs-xa.intake"}]
)
def test_issuer_and_subject_are_the_client(intake, registry, send, refused, claims):
    refused(send(intake.assertion(claims=claims)), "invalid_client", "GW-111")


def test_the_parameter_client_id_is_the_subject(intake, registry, send, refused):
    refused(send(intake.assertion(), client_id="court-xa.registry"), "invalid_client", "GW-111")


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "iat"])
def test_every_claim_is_needed(world, intake, send, refused, claim):
    refused(send(intake.assertion(claims={claim: world.ABSENT})), "invalid_client", "GW-112")


@pytest.mark.parametrize("claim", ["iss", "sub"])
@pytest.mark.parametrize("value", [1, None, True, ["customs-xa.intake"], {"a": "b"}])
def test_names_are_texts(intake, send, refused, claim, value):
    refused(send(intake.assertion(claims={claim: value})), "invalid_client", "GW-112")


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["1", None, True, False, [1], {}, 2**60, -(2**60)])
def test_times_are_finite_numbers(intake, send, refused, claim, value):
    refused(send(intake.assertion(claims={claim: value})), "invalid_client", "GW-112")


def test_fractions_of_seconds_are_times(world, intake):
    now = world.clock().timestamp()

    assertion = intake.assertion(claims={"iat": now + 0.25, "exp": now + 60.5})
    assert intake.ask(client_assertion=assertion).status_code == 200


@pytest.mark.parametrize(
    ("iat", "exp", "code"),
    [
        (0, 3600, "GW-113"),
        (0, 311, "GW-113"),
        (0, 315_360_000, "GW-113"),
        (0, 0, "GW-113"),
        (0, -1, "GW-113"),
        (-100, -1, "GW-113"),
        (-400, 100, "GW-113"),
        (30, 20, "GW-113"),
        (61, 100, "GW-114"),
        (3600, 3700, "GW-114"),
    ],
)
def test_an_assertion_lives_for_five_minutes_at_most(world, intake, send, refused, *, iat, exp, code):
    now = int(world.clock().timestamp())

    refused(send(intake.assertion(claims={"iat": now + iat, "exp": now + exp})), "invalid_client", code)


@pytest.mark.parametrize(("iat", "exp"), [(0, 310), (0, 1), (60, 61), (-299, 1)])
def test_the_limits_of_its_life_are_inside(world, intake, iat, exp):
    now = int(world.clock().timestamp())

    assertion = intake.assertion(claims={"iat": now + iat, "exp": now + exp})
    assert intake.ask(client_assertion=assertion).status_code == 200


def test_an_assertion_not_yet_valid_is_refused(world, intake, send, refused):
    later = int(world.clock().timestamp()) + 61

    refused(send(intake.assertion(claims={"nbf": later})), "invalid_client", "GW-114")


@pytest.mark.parametrize("jti", ["", "1234567", "x" * 257, 12345678, None, ["12345678"], True, ...])
def test_a_jti_is_a_text_of_8_to_256_characters(world, intake, send, refused, jti):
    claims = {"jti": world.ABSENT if jti is ... else jti}

    refused(send(intake.assertion(claims=claims)), "invalid_client", "GW-115")


@pytest.mark.parametrize("jti", ["12345678", "x" * 256, "ü" * 200, "\x00" * 8])
def test_any_text_of_that_length_is_a_jti_and_passes_once(intake, refused, jti):
    assert intake.ask(client_assertion=intake.assertion(claims={"jti": jti})).status_code == 200

    refused(intake.ask(client_assertion=intake.assertion(claims={"jti": jti})), "invalid_client", "GW-116")


def test_an_unknown_claim_is_refused(intake, send, refused):
    refused(send(intake.assertion(claims={"scope": "exchange:request"})), "invalid_client", "GW-117")


@pytest.mark.parametrize(
    "client_id", ["customs-xa.nobody", "nobody", "a\x00b.c", "x" * 300 + ".y", "é.é", "' or 1=1 --"]
)
def test_an_unknown_client_reads_like_a_bad_signature(world, intake, send, client_id):
    unknown = send(intake.assertion(claims={"iss": client_id, "sub": client_id}))
    forged = send(intake.assertion(key=world.new_key("ES256")))

    assert (unknown.status_code, unknown.json) == (forged.status_code, forged.json)
    assert forged.json["error_description"].startswith("GW-100: ")


@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "PS256"])
def test_an_unknown_client_costs_the_same_signature_check_as_a_bad_signature(world, monkeypatch, alg):
    """What takes time is the check: with a key of the same kind it is made for names that nobody has, too."""
    system = world.system(f"customs-xa.same-{alg}", alg)
    forger = rsa.generate_private_key(65537, 2048) if alg == "PS256" else world.new_key(alg)
    checked = []

    def counted(jws, key):
        checked.append(key.alg)
        return verify(jws, key)

    monkeypatch.setattr("gateway.oauth.client_assertion.verify", counted)
    kinds = []
    for assertion in (
        system.assertion(claims={"iss": "customs-xa.nobody", "sub": "customs-xa.nobody"}),
        system.assertion(key=forger),
    ):
        checked.clear()
        answer = world.http.post("/oauth/token", data=system.form(client_assertion=assertion))
        assert answer.status_code == 400
        kinds.append(list(checked))

    assert kinds == [[alg], [alg]]


def test_no_client_authentication_at_all_is_refused(world, refused):
    answer = world.http.post(
        "/oauth/token", data={"grant_type": "client_credentials", "client_id": "customs-xa.intake"}
    )

    refused(answer, "invalid_client", "GW-100")


def test_basic_authentication_is_refused_with_its_challenge(world, refused):
    answer = world.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=("customs-xa.intake", "secret")
    )

    refused(answer, "invalid_client", "GW-100", 401)
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_a_client_secret_is_refused(world, refused):
    form = {"grant_type": "client_credentials", "client_id": "customs-xa.intake", "client_secret": "s"}

    refused(world.http.post("/oauth/token", data=form), "invalid_client", "GW-100")


def test_two_ways_of_client_authentication_are_refused(intake, refused):
    refused(intake.ask(client_secret="s"), "invalid_request", "GW-017")
    refused(intake.ask(headers={"Authorization": "Basic YTpi"}), "invalid_request", "GW-017")


@pytest.mark.parametrize("kind", ["urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "", ...])
def test_another_type_of_assertion_is_refused(world, intake, refused, kind):
    answer = intake.ask(client_assertion_type=world.ABSENT if kind is ... else kind)

    refused(answer, "invalid_client", "GW-101")
