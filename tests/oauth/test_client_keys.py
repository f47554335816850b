"""A client looks after its own keys."""

import base64
import uuid
from datetime import timedelta

import pytest

from gateway.agencies.models import ClientKey

ORIGIN = "https://gw.example"


@pytest.fixture
def keeper(world):
    """A client that may look after its keys, with a token for it."""
    world.agency("keeper-xa", scopes=("client.keys", "exchange:request"))
    system = world.system("keeper-xa.system", scopes=("client.keys", "exchange:request"))
    system.keys_token = system.token(scope="client.keys")
    return system


@pytest.fixture
def keys(keeper):
    """Call the keys of a client; by default its own."""

    def call(method="GET", suffix="", client_id="keeper-xa.system", token=None, **more):
        path = f"/oauth/clients/{client_id}/keys{suffix}"
        return keeper.call(token or keeper.keys_token, method=method, path=path, **more)

    return call


@pytest.fixture
def key_proof(world, keeper):
    def make(key, alg="ES256", header=(), **claims):
        now = int(world.clock().timestamp())
        base = {"aud": ORIGIN, "sub": "keeper-xa.system", "iat": now, "jti": str(uuid.uuid4()), **claims}
        head = {"alg": alg, "typ": "key-proof+jwt", **dict(header)}
        return world.signed(head, {k: v for k, v in base.items() if v is not ...}, key)

    return make


@pytest.mark.both_databases
def test_a_client_sees_its_keys(keys, keeper):
    answer = keys()

    assert answer.status_code == 200
    (key,) = answer.json["keys"]
    assert key["kid"] == keeper.kid
    assert key["state"] == "live"
    assert key["last_used_at"] == "2026-11-25T08:00:00Z"
    assert key["warnings"] == []


@pytest.mark.parametrize(("days", "warnings"), [(335, 1), (358, 2), (334, 0)])
def test_a_key_that_ends_soon_says_so(world, keys, keeper, days, warnings):
    world.clock.advance(timedelta(days=days).total_seconds())
    answer = keys(token=keeper.token(scope="client.keys"))

    assert len(answer.json["keys"][0]["warnings"]) == warnings


@pytest.mark.both_databases
@pytest.mark.parametrize("alg", ["ES256", "PS256", "Ed25519"])
def test_a_new_key_is_added_and_signs_beside_the_old_one(world, keys, keeper, key_proof, alg):
    new = world.new_key(alg)

    answer = keys("POST", json={"jwk": world.jwk_of(new), "proof": key_proof(new, alg)})

    assert answer.status_code == 201, answer.text
    assert answer.json["kid"] == world.thumbprint(world.jwk_of(new))
    assert keeper.ask().status_code == 200
    header = {"kid": answer.json["kid"], "alg": alg}
    assert keeper.ask(client_assertion=keeper.assertion(header=header, key=new)).status_code == 200
    assert [row.actor for row in world.audit("client_key.added")] == ["keeper-xa.system"]


@pytest.mark.both_databases
def test_a_revoked_key_and_its_tokens_end_at_once(world, keys, keeper, key_proof, refused):
    new = world.new_key("ES256")
    keys("POST", json={"jwk": world.jwk_of(new), "proof": key_proof(new)})
    world.clock.advance(1)

    assert keys("DELETE", f"/{keeper.kid}").status_code == 204

    refused(keeper.ask(), "invalid_client", "GW-122")
    assert keys().status_code == 401
    keeper.key = new
    assert keeper.ask().status_code == 200


def test_a_proof_by_another_key_is_refused(world, keys, key_proof, refused):
    thief, stolen = world.new_key("ES256"), world.new_key("ES256")

    answer = keys("POST", json={"jwk": world.jwk_of(stolen), "proof": key_proof(thief)})

    refused(answer, "invalid_client_metadata", "GW-604")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://other.example"},
        {"aud": ["https://gw.example"]},
        {"sub": "court-xa.registry"},
        {"sub": ...},
        {"iat": ...},
        {"iat": 1},
        {"iat": True},
        {"jti": ...},
        {"jti": "short"},
        {"scope": "x"},
    ],
)
def test_a_proof_is_for_this_gateway_client_and_moment(world, keys, key_proof, refused, claims):
    new = world.new_key("ES256")

    answer = keys("POST", json={"jwk": world.jwk_of(new), "proof": key_proof(new, **claims)})

    refused(answer, "invalid_client_metadata", "GW-604")


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"typ": "dpop+jwt"}, {"alg": "none"}, {"jwk": {}}])
def test_another_kind_of_document_is_no_proof(world, keys, key_proof, refused, header):
    new = world.new_key("ES256")

    answer = keys("POST", json={"jwk": world.jwk_of(new), "proof": key_proof(new, header=header)})

    refused(answer, "invalid_client_metadata", "GW-604")


@pytest.mark.both_databases
def test_a_proof_serves_once(world, keys, key_proof, refused):
    new, other = world.new_key("ES256"), world.new_key("ES256")
    assert keys("POST", json={"jwk": world.jwk_of(new), "proof": key_proof(new, jti="the-same-jti")}).status_code == 201

    answer = keys("POST", json={"jwk": world.jwk_of(other), "proof": key_proof(other, jti="the-same-jti")})

    refused(answer, "invalid_client_metadata", "GW-604")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"d": "AQAB"}, "GW-601"),
        ({"crv": "P-384"}, "GW-601"),
        ({"kty": "oct"}, "GW-601"),
        ({"x": "AAAA"}, "GW-601"),
        ({"use": "enc"}, "GW-603"),
        ({"alg": "ES384"}, "GW-603"),
        ({"alg": "PS256"}, "GW-603"),
        ({"kid": "mine"}, "GW-603"),
        ({"key_ops": ["encrypt"]}, "GW-603"),
        ({"key_ops": "verify"}, "GW-603"),
    ],
)
def test_a_key_that_is_not_taken_is_refused(world, keys, key_proof, refused, change, code):
    new = world.new_key("ES256")

    answer = keys("POST", json={"jwk": {**world.jwk_of(new), **change}, "proof": key_proof(new)})

    refused(answer, "invalid_client_metadata", code)


def test_an_ed25519_key_of_small_order_is_refused(world, keys, key_proof, refused):
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()}

    refused(
        keys("POST", json={"jwk": jwk, "proof": key_proof(world.new_key("Ed25519"))}),
        "invalid_client_metadata",
        "GW-601",
    )


@pytest.mark.both_databases
def test_a_registered_key_is_refused_even_when_revoked(world, keys, keeper, key_proof, refused):
    answer = keys("POST", json={"jwk": world.jwk_of(keeper.key), "proof": key_proof(keeper.key)})

    refused(answer, "invalid_client_metadata", "GW-602")


@pytest.mark.both_databases
def test_five_live_keys_are_the_limit(world, keys, key_proof, refused):
    for _ in range(4):
        new = world.new_key("Ed25519")
        assert keys("POST", json={"jwk": world.jwk_of(new), "proof": key_proof(new, "Ed25519")}).status_code == 201
    new = world.new_key("Ed25519")

    answer = keys("POST", json={"jwk": world.jwk_of(new), "proof": key_proof(new, "Ed25519")})

    refused(answer, "invalid_client_metadata", "GW-605")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"jwk":{}}',
        b'{"jwk":{},"jwk":{},"proof":""}',
        b'{"jwk":[],"proof":"a"}',
        b"\xff",
        b'{"jwk":{},"proof":"a","more":1}',
    ],
)
def test_another_body_is_refused(keys, refused, body):
    refused(keys("POST", data=body, content_type="application/json"), "invalid_client_metadata", "GW-600")


def test_only_json_is_taken(keys, refused):
    refused(keys("POST", data=b"{}", content_type="text/plain"), "invalid_client_metadata", "GW-600")
    refused(keys("POST", "?a=b", json={}), "invalid_client_metadata", "GW-600")
    refused(keys("POST", data=b"{" + b" " * 70_000, content_type="application/json"), "invalid_request", "GW-013", 413)


@pytest.mark.both_databases
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("client_id", ["court-xa.registry", "nobody-xa.system"])
def test_another_clients_keys_are_not_found(world, keys, registry, method, client_id):
    suffix = f"/{registry.kid}" if method == "DELETE" else ""

    assert keys(method, suffix, client_id, json={} if method == "POST" else None).status_code == 404
    with world.database.read() as session:
        assert session.query(ClientKey).filter_by(client_id="court-xa.registry").one().revoked_at is None


def test_an_unknown_key_is_not_found(keys):
    assert keys("DELETE", "/unknown").status_code == 404


def test_the_scope_is_needed(keys, keeper):
    answer = keys(token=keeper.token(scope="exchange:request"))

    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert answer.json["error"] == "insufficient_scope"
    assert answer.content_type == "application/json"


def test_without_a_token_nothing_is_shown(world):
    answer = world.http.get("/oauth/clients/keeper-xa.system/keys")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("DPoP algs=")
