"""A client gets a token and calls the API with it: what must work."""

import base64
import json

import pytest

from gateway.agencies.models import Client, ClientKey
from gateway.oauth.models import Seen


def claims_of(token):
    header, claims, _ = token.split(".")
    return tuple(json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, claims))


@pytest.mark.both_databases
def test_a_client_gets_a_token_and_calls_the_api_with_it(intake):
    answer = intake.ask()

    assert answer.status_code == 200, answer.text
    assert {name: answer.json[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "DPoP",
        "expires_in": 300,
        "scope": "exchange:request",
    }
    assert answer.headers["Cache-Control"] == "no-store"
    call = intake.call(answer.json["access_token"])
    assert call.json == {"client": "customs-xa.intake", "agency": "customs-xa", "supplier": None}
    assert call.headers["DPoP-Nonce"] == answer.headers["DPoP-Nonce"]


def test_the_token_is_a_jwt_for_one_resource_and_one_key(world, intake):
    header, claims = claims_of(intake.token())

    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": world.keys.signer().kid}
    assert claims["iss"] == world.ORIGIN
    assert claims["aud"] == f"{world.ORIGIN}/v1"
    assert claims["sub"] == claims["client_id"] == "customs-xa.intake"
    assert claims["exp"] - claims["iat"] == 300
    assert claims["cnf"] == {"jkt": intake.jkt}
    assert claims["consumer"] == {"authority": "iso6523-actorid-upis", "ID": "customs-xa"}
    assert claims["client_amr"] == "private_key_jwt"
    assert len(claims["jti"]) >= 22


@pytest.mark.parametrize(("alg", "named"), [("PS256", "PS256"), ("Ed25519", "Ed25519"), ("Ed25519", "EdDSA")])
def test_a_client_may_sign_with_any_of_the_algorithms(world, alg, named):
    system = world.system("customs-xa.second", alg)

    assert system.ask(client_assertion=system.assertion(header={"alg": named})).status_code == 200


@pytest.mark.parametrize(
    ("alg", "named", "bits"), [("PS256", "PS256", 3072), ("Ed25519", "EdDSA", 0), ("Ed25519", "Ed25519", 0)]
)
def test_a_proof_may_be_signed_with_any_of_the_algorithms(world, intake, alg, named, bits):
    intake.dpop_key, intake.dpop_alg = world.new_key(alg, bits), named

    token = intake.token()

    assert intake.call(token).status_code == 200


@pytest.mark.parametrize("typ", ["JWT", "client-authentication+jwt", ...])
def test_typ_of_an_assertion_may_be_absent_or_one_of_two(world, intake, typ):
    header = {"typ": world.ABSENT if typ is ... else typ}

    assert intake.ask(client_assertion=intake.assertion(header=header)).status_code == 200


def test_a_clock_eight_seconds_ahead_is_taken(world, intake):
    ahead = int(world.clock().timestamp()) + 8

    claims = {"iat": ahead, "nbf": ahead, "exp": ahead + 60}
    answer = intake.ask(client_assertion=intake.assertion(claims=claims), proof=intake.proof(claims={"iat": ahead}))

    assert answer.status_code == 200


def test_a_client_with_one_key_may_leave_kid_out(world, intake):
    assert intake.ask(client_assertion=intake.assertion(header={"kid": world.ABSENT})).status_code == 200


def test_kid_is_needed_as_soon_as_there_are_two_keys(world, intake, refused):
    world.add_key(intake.client_id, world.new_key("Ed25519"), "Ed25519")

    answer = intake.ask(client_assertion=intake.assertion(header={"kid": world.ABSENT}))

    refused(answer, "invalid_client", "GW-100")


def test_the_client_id_may_be_sent_along(intake):
    assert intake.ask(client_id="customs-xa.intake").status_code == 200


@pytest.mark.parametrize(
    "htu",
    [
        "https://gw.example/oauth/token?a=b",
        "https://GW.EXAMPLE/oauth/token",
        "HTTPS://gw.example:443/oauth/token#x",
    ],
)
def test_htu_may_be_spelled_in_several_ways(intake, htu):
    assert intake.ask(proof=intake.proof(claims={"htu": htu})).status_code == 200


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "DPOP"])
def test_the_scheme_is_known_in_any_case(intake, scheme):
    token = intake.token()

    assert intake.call(token, headers={"Authorization": f"{scheme} {token}"}).status_code == 200


@pytest.mark.both_databases
def test_one_jti_may_be_used_by_two_clients(intake, registry):
    for system in (intake, registry):
        assert system.ask(client_assertion=system.assertion(claims={"jti": "the-same-jti"})).status_code == 200


@pytest.mark.both_databases
def test_one_jti_may_be_used_at_two_addresses(intake):
    token = intake.token()

    for path in ("/v1/whoami", "/v1/elsewhere"):
        proof = intake.proof("GET", f"https://gw.example{path}", token, claims={"jti": "the-same-jti"})
        assert intake.call(token, proof, path=path).status_code == 200


def test_an_unknown_parameter_is_ignored(intake):
    assert intake.ask(colour="blue").status_code == 200


def test_the_resource_may_be_named(world, intake):
    _, claims = claims_of(intake.token(resource=f"{world.ORIGIN}/v2"))

    assert claims["aud"] == f"{world.ORIGIN}/v2"


@pytest.mark.both_databases
def test_a_nonce_challenge_does_not_burn_the_assertion(world, intake, refused):
    assertion = intake.assertion()

    challenge = intake.ask(intake.proof(claims={"nonce": world.ABSENT}), client_assertion=assertion)

    refused(challenge, "use_dpop_nonce", "GW-310")
    nonce = challenge.headers["DPoP-Nonce"]
    assert intake.ask(intake.proof(claims={"nonce": nonce}), client_assertion=assertion).status_code == 200
    refused(intake.ask(client_assertion=assertion), "invalid_client", "GW-116")


@pytest.mark.both_databases
@pytest.mark.parametrize("wrong", [{"scope": "nobody:has"}, {"resource": "https://other.example"}])
def test_a_refused_request_uses_nothing_up(world, intake, wrong):
    assertion, proof = intake.assertion(), intake.proof()

    assert intake.ask(proof, client_assertion=assertion, **wrong).status_code == 400

    assert intake.ask(proof, client_assertion=assertion).status_code == 200


@pytest.mark.both_databases
def test_what_was_used_is_kept_as_a_hash_only(world, intake):
    intake.token()

    with world.database.read() as session:
        keys = [row.k for row in session.query(Seen)]
    assert [len(key) for key in keys] == [32, 32]


@pytest.mark.both_databases
def test_every_token_and_refusal_is_audited(world, intake):
    intake.token()
    intake.ask(scope="nobody:has")
    intake.ask(client_assertion=intake.assertion(claims={"aud": "https://gw.example/oauth/token"}))

    issued, *refusals = world.audit()[-3:]
    assert (issued.act, issued.actor, issued.detail["scope"]) == (
        "token.issued",
        "customs-xa.intake",
        "exchange:request",
    )
    assert [(row.act, row.actor, row.subject, row.detail["gw"]) for row in refusals] == [
        ("token.refused", "customs-xa.intake", "customs-xa.intake", "GW-201"),
        ("token.refused", "unproven", "customs-xa.intake", "GW-110"),
    ]


@pytest.mark.both_databases
def test_the_last_use_of_a_key_is_noted(world, intake):
    intake.token()

    with world.database.read() as session:
        assert session.query(ClientKey).one().last_used_at == world.clock()


@pytest.mark.both_databases
def test_a_token_issued_after_the_client_was_resumed_counts(world, intake):
    world.clock.advance(0.5)
    world.set(Client, Client.id == intake.client_id, not_before=world.clock())

    assert intake.call(intake.token()).status_code == 200
