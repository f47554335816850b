"""What the API takes as an access token, and from which instant it no longer does."""

import base64
import json

import pytest
from flask import request

from gateway.agencies.models import Agency, Client
from gateway.oauth.keys import TokenKeys
from gateway.oauth.replay import ReplayedError

ORIGIN = "https://gw.example"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_a_call_without_credentials_is_challenged_without_a_code(world):
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Negotiate"}):
        answer = world.http.get("/v1/whoami", headers=headers)

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'DPoP algs="ES256 PS256 Ed25519 EdDSA"'
        assert answer.content_type == "application/problem+json"
        assert "code" not in answer.json


def test_a_bound_token_sent_as_bearer_is_refused(intake, shut_out):
    token = intake.token()

    for headers in ({"Authorization": f"Bearer {token}"}, {"Authorization": f"bearer {token}", "DPoP": "x"}):
        shut_out(intake.call(token, headers=headers), "invalid_token", "GW-405")


@pytest.mark.parametrize("place", ["query", "form"])
def test_a_token_in_the_address_or_body_is_refused(world, intake, place):
    token = intake.token()

    if place == "query":
        answer = intake.call(token, path=f"/v1/whoami?access_token={token}")
    else:
        answer = intake.call(token, method="POST", data={"access_token": token})

    assert answer.status_code == 400
    assert answer.json["code"] == "GW-018"


@pytest.mark.parametrize(
    "header",
    [
        "DPoP",
        "DPoP ",
        "DPoP a b",
        "DPoP {t}, DPoP {t}",
        "DPoP {t},",
        "DPoP  é",
        "DPoP a.b.c",
        "DPoP {t}x",
        "DPoP {t}=",
        "DPoP " + "a" * 20_000,
    ],
)
def test_text_that_is_no_token_is_refused(intake, shut_out, header):
    token = intake.token()

    answer = intake.call(token, headers={"Authorization": header.format(t=token)})

    shut_out(answer, "invalid_token", "GW-400")


def test_other_jwts_are_no_access_tokens(intake, shut_out):
    for text in (intake.assertion(), intake.proof(), intake.assertion(header={"typ": "at+jwt"})):
        answer = intake.call(text)
        assert answer.status_code == 401
        assert answer.json["code"] in {"GW-400", "GW-401"}


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"alg": "HS256"}, {"kid": "other"}, {"typ": "JWT"}, {"jku": "https://evil.example"}]
)
def test_a_token_whose_header_was_changed_is_refused(world, intake, header):
    head, claims, signature = intake.token().split(".")
    changed = {**json.loads(base64.urlsafe_b64decode(head + "==")), **header}

    answer = intake.call(f"{world.segment(changed)}.{claims}.{signature}")

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_token_whose_claims_were_changed_is_refused(world, intake, shut_out):
    head, claims, signature = intake.token().split(".")
    changed = {**json.loads(base64.urlsafe_b64decode(claims + "==")), "consumer": {"ID": "court-xa"}}

    shut_out(intake.call(f"{head}.{world.segment(changed)}.{signature}"), "invalid_token", "GW-401")


def test_a_token_signed_by_a_clients_key_is_refused(world, intake, shut_out):
    head, claims, _ = intake.token().split(".")
    signature = world.raw_signature(intake.key, f"{head}.{claims}".encode())

    shut_out(intake.call(f"{head}.{claims}.{world.b64url(signature)}"), "invalid_token", "GW-401")


@pytest.mark.parametrize(
    "claims",
    [
        {"cnf": None},
        {"cnf": {}},
        {"cnf": {"jkt": 1}},
        {"cnf": {"jkt": "a", "x5t#S256": "b"}},
        {"scope": ["exchange:request"]},
        {"scope": None},
        {"aud": ["https://gw.example/v1", "https://other.example"]},
        {"iss": "https://other.example"},
        {"exp": "1"},
        {"exp": True},
        {"jti": 1},
        {"consumer": {"ID": "customs-xa"}},
        {"consumer": "customs-xa"},
        {"sub": "other"},
        {"supplier": {"authority": "iso6523-actorid-upis", "ID": "x"}},
        {"authorization_details": ["ipx_purpose"]},
        {"authorization_details": [{"type": "ipx_purpose", "purpose": 7}]},
    ],
)
def test_a_token_of_ours_with_a_claim_missing_or_mistyped_is_refused(world, intake, shut_out, claims):
    head, good, _ = intake.token().split(".")
    changed = {**json.loads(base64.urlsafe_b64decode(good + "==")), **claims}
    text = f"{head}.{world.segment(changed)}"
    forged = f"{text}.{world.b64url(world.keys.signer().sign(text.encode()))}"

    shut_out(intake.call(forged), "invalid_token", "GW-400")


def test_a_token_for_another_resource_is_refused(world, intake, shut_out):
    token = intake.token(resource=f"{ORIGIN}/v2")

    shut_out(intake.call(token), "invalid_token", "GW-403")


def test_a_token_ends_after_300_seconds(world, intake, shut_out):
    token = intake.token()
    world.clock.advance(299)
    assert intake.call(token).status_code == 200

    world.clock.advance(1)

    shut_out(intake.call(token), "invalid_token", "GW-402")


@pytest.mark.both_databases
@pytest.mark.parametrize("model", [Client, Agency])
def test_suspension_holds_from_the_next_call_on(world, intake, shut_out, model):
    token = intake.token()
    assert intake.call(token).status_code == 200

    world.set(model, model.suspended_at.is_(None), suspended_at=world.clock())

    shut_out(intake.call(token), "invalid_token", "GW-404")
    world.set(model, model.suspended_at.is_not(None), suspended_at=None)
    assert intake.call(token).status_code == 200


@pytest.mark.both_databases
def test_tokens_older_than_the_clients_epoch_are_refused(world, intake, shut_out):
    token = intake.token()
    assert intake.call(token).status_code == 200

    world.clock.advance(1)
    world.set(Client, Client.id == intake.client_id, not_before=world.clock())

    shut_out(intake.call(token), "invalid_token", "GW-404")
    assert intake.call(intake.token()).status_code == 200


def test_a_scope_that_does_not_suffice_is_named(world, intake, shut_out):
    answer = intake.call(intake.token(), path="/v1/administration")

    shut_out(answer, "insufficient_scope", "GW-410", 403)
    assert 'scope="admin:all exchange:request"' in answer.headers["WWW-Authenticate"]


def test_insufficient_scope_does_not_use_the_proof_up(world, intake):
    token = intake.token()
    proof = intake.proof("GET", f"{ORIGIN}/v1/administration", token)
    intake.call(token, proof, path="/v1/administration")

    with world.app.test_request_context(
        "/v1/administration", headers={"Authorization": f"DPoP {token}", "DPoP": proof}
    ):
        assert world.guard.authenticate(request, "exchange:request").client_id == intake.client_id


@pytest.mark.both_databases
def test_the_second_signature_of_a_token_is_revoked_with_it(world, intake, shut_out):
    token = intake.token()
    head, claims, signature = token.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    s = P256_ORDER - int.from_bytes(raw[32:], "big")
    twin = f"{head}.{claims}.{world.b64url(raw[:32] + s.to_bytes(32, 'big'))}"
    assert intake.call(twin).status_code == 200

    assert intake.post("/oauth/revoke", token=token).status_code == 200

    shut_out(intake.call(twin), "invalid_token", "GW-404")


@pytest.mark.both_databases
def test_refusals_of_proven_tokens_are_audited(world, intake):
    intake.call(intake.token(), path="/v1/administration")

    entry = world.audit("call.refused")[-1]
    assert (entry.actor, entry.detail["gw"]) == ("customs-xa.intake", "GW-410")


@pytest.mark.both_databases
def test_a_caller_may_use_the_proof_up_in_a_transaction_of_its_own(world, intake):
    token = intake.token()
    proof = intake.proof("GET", f"{ORIGIN}/v1/whoami", token)
    with world.app.test_request_context("/v1/whoami", headers={"Authorization": f"DPoP {token}", "DPoP": proof}):
        caller = world.guard.authenticate(request, "exchange:request", consume=False)

    assert len(caller.consume) == 1
    with world.database.write() as session:
        world.replay.consume(session, caller.consume, world.clock())
    with pytest.raises(ReplayedError), world.database.write() as session:
        world.replay.consume(session, caller.consume, world.clock())


@pytest.mark.both_databases
def test_the_token_of_a_key_that_was_revoked_in_an_emergency_dies(world, intake, shut_out):
    token = intake.token()
    assert intake.call(token).status_code == 200

    world.keys.revoke(world.keys.signer().kid, reason="lost", actor="operator")

    shut_out(intake.call(token), "invalid_token", "GW-401")
    assert intake.call(intake.token()).status_code == 200


@pytest.mark.both_databases
def test_another_worker_sees_a_revoked_key_within_a_second(world, intake, shut_out):
    token = intake.token()
    assert intake.call(token).status_code == 200
    other = TokenKeys(world.database, world.keys._key_wrap, world.clock, acts=world.acts)

    other.revoke(other.signer().kid, reason="lost", actor="operator")

    world.clock.advance(1)
    shut_out(intake.call(token), "invalid_token", "GW-401")
