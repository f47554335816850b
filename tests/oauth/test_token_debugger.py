"""The token debugger for access tokens: every check of a call, told to the client whose token it is."""

import base64
import json

import pytest

from gateway.agencies.models import Agency, Client
from gateway.oauth.models import Seen

WHOAMI = "https://gw.example/v1/whoami"
CALL = {"method": "GET", "path": "/v1/whoami"}
STEPS = ("structure", "signature", "claims", "time", "state", "proof", "scope")


@pytest.fixture
def examine(intake):
    def ask(token, system=intake, **form):
        answer = system.post("/oauth/debug/token", token=token, **form)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.json["steps"]

    return ask


def results(steps):
    return {step["step"]: step["result"] for step in steps}


def failures(steps):
    return {(step["step"], step.get("code"), step.get("claim")) for step in steps if step["result"] == "fail"}


@pytest.mark.both_databases
def test_a_right_call_passes_every_step(world, intake, examine):
    token = intake.token()
    proof = intake.proof("GET", WHOAMI, token)

    steps = examine(token, dpop_proof=proof, scope="exchange:request", **CALL)

    assert [(step["step"], step["result"]) for step in steps] == [(name, "pass") for name in STEPS]
    assert intake.call(token, proof).status_code == 200, "nothing was used up"


def test_a_token_alone_is_examined_alone(intake, examine):
    assert results(examine(intake.token())) == {
        **dict.fromkeys(STEPS, "pass"),
        "proof": "skipped",
        "scope": "skipped",
    }


def test_everything_wrong_with_a_proof_is_said_at_once(world, intake, examine):
    token = intake.token()
    proof = intake.proof("POST", f"{WHOAMI}/x", intake.token(), claims={"jti": "short", "nonce": "old"})

    steps = examine(token, dpop_proof=proof, **CALL)

    assert failures(steps) == {
        ("proof", "GW-305", "htm"),
        ("proof", "GW-306", "htu"),
        ("proof", "GW-308", "jti"),
        ("proof", "GW-301", "ath"),
        ("proof", "GW-310", "nonce"),
    }
    (htu,) = (step for step in steps if step.get("claim") == "htu")
    assert (htu["expected"], htu["got"]) == (WHOAMI, f"{WHOAMI}/x")


def test_another_key_and_a_used_proof_are_recognised(world, intake, examine):
    token = intake.token()
    thief = intake.proof("GET", WHOAMI, token, key=world.new_key("ES256"))
    used = intake.proof("GET", WHOAMI, token)
    intake.call(token, used)

    assert failures(examine(token, dpop_proof=thief, **CALL)) == {("proof", "GW-406", "jwk")}
    assert failures(examine(token, dpop_proof=used, **CALL)) == {("proof", "GW-309", "jti")}


def test_an_expired_token_shows_its_time(world, intake, examine):
    token = intake.token()
    world.clock.advance(300)

    (step,) = (step for step in examine(token) if step["result"] == "fail")

    assert (step["step"], step["code"], step["claim"]) == ("time", "GW-402", "exp")
    assert step["got"] == int(world.clock().timestamp())


def test_a_token_for_another_resource_shows_both(intake, examine):
    (step,) = (step for step in examine(intake.token(resource="https://gw.example/v2")) if step["result"] == "fail")

    assert (step["code"], step["claim"]) == ("GW-403", "aud")
    assert (step["expected"], step["got"]) == ("https://gw.example/v1", "https://gw.example/v2")


def test_a_scope_that_does_not_suffice_shows_both(intake, examine):
    (step,) = (step for step in examine(intake.token(), scope="client.keys") if step["result"] == "fail")

    assert (step["step"], step["code"]) == ("scope", "GW-410")
    assert (step["expected"], step["got"]) == ("client.keys", "exchange:request")


@pytest.mark.parametrize("text", ["garbage", "a.b.c", "{}", "x" * 9000])
def test_what_is_no_token_stops_at_its_structure(examine, text):
    steps = examine(text)

    assert failures(steps) == {("structure", "GW-400", None)}
    assert {step["result"] for step in steps[1:]} == {"skipped"}


def test_other_documents_are_told_apart_from_tokens(intake, examine):
    for text in (intake.assertion(), intake.proof()):
        assert failures(examine(text)) == {("structure", "GW-400", None)}


def test_a_token_that_was_changed_fails_at_its_signature(world, intake, examine):
    head, claims, signature = intake.token().split(".")
    changed = {**json.loads(base64.urlsafe_b64decode(claims + "==")), "scope": "everything"}
    other_kid = world.segment({"alg": "ES256", "typ": "at+jwt", "kid": "x"})

    assert failures(examine(f"{head}.{world.segment(changed)}.{signature}")) == {("signature", "GW-401", None)}
    assert failures(examine(f"{other_kid}.{claims}.{signature}")) == {("signature", "GW-401", "kid")}


@pytest.mark.both_databases
@pytest.mark.parametrize("what", ["token", "client", "agency", "epoch"])
def test_why_a_token_ended_is_told_to_who_may_know(world, intake, examine, what):
    world.agency("auditor-xa", scopes=("introspect",))
    examiner = world.system("auditor-xa.examiner", scopes=("introspect",))
    token = intake.token()
    world.clock.advance(1)
    now = world.clock()
    match what:
        case "token":
            intake.post("/oauth/revoke", token=token)
        case "client":
            world.set(Client, Client.id == intake.client_id, suspended_at=now)
        case "agency":
            world.set(Agency, Agency.code == "customs-xa", suspended_at=now)
        case "epoch":
            world.set(Client, Client.id == intake.client_id, not_before=now)

    (step,) = (step for step in examine(token, examiner) if step["result"] == "fail")

    assert (step["step"], step["code"]) == ("state", "GW-404")
    words = {"token": "revoked", "client": "client is", "agency": "agency is", "epoch": "after the token"}
    assert words[what] in step["got"]


def test_the_state_of_anothers_token_is_not_told(world, intake, registry, examine):
    token = intake.token()
    intake.post("/oauth/revoke", token=token)

    assert results(examine(token, registry))["state"] == "skipped"
    assert failures(examine(token)) == {("state", "GW-404", None)}


def test_a_client_must_prove_itself_and_an_assertion_serves_once(world, intake, refused):
    token, assertion = intake.token(), intake.assertion()
    refused(world.http.post("/oauth/debug/token", data={"token": token}), "invalid_client", "GW-100")
    assert intake.post("/oauth/debug/token", client_assertion=assertion, token=token).status_code == 200

    refused(intake.post("/oauth/debug/token", client_assertion=assertion, token=token), "invalid_client", "GW-116")
    refused(intake.post("/oauth/debug/token"), "invalid_request", "GW-015")


def test_nothing_secret_is_echoed_or_audited(world, intake, examine):
    token = intake.token()
    proof = intake.proof("GET", WHOAMI, token, claims={"htm": "PUT"})
    before = len(world.audit())

    text = json.dumps(examine(token, dpop_proof=proof, **CALL))

    for secret in (token, proof):
        assert secret.split(".")[1] not in text
        assert secret.split(".")[2] not in text
    assert len(world.audit()) == before
    with world.database.read() as session:
        assert session.query(Seen).count() == 3, "two of the token request, one of the debugging client"
