"""The token debugger says which check failed and how to mend it, and to strangers nothing about clients."""

import pytest

from gateway.agencies.models import Client
from gateway.oauth.models import Seen


@pytest.fixture
def examine(world):
    def ask(assertion, **form):
        answer = world.http.post("/oauth/debug/assertion", data={"client_assertion": assertion, **form})
        assert answer.status_code == 200, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.json["steps"]

    return ask


def results(steps):
    return {step["step"]: step["result"] for step in steps}


ALL_PASS = dict.fromkeys(("structure", "claims", "key", "signature", "state", "replay", "scope", "proof"), "pass")


@pytest.mark.both_databases
def test_a_right_assertion_passes_every_step(intake, examine):
    steps = examine(intake.assertion(), dpop_proof=intake.proof(), scope="exchange:request")

    assert results(steps) == ALL_PASS
    assert [step["step"] for step in steps] == list(ALL_PASS)


@pytest.mark.both_databases
def test_nothing_is_used_up_or_audited(world, intake, examine):
    assertion, proof = intake.assertion(), intake.proof()
    before = len(world.audit())

    examine(assertion, dpop_proof=proof)

    with world.database.read() as session:
        assert session.query(Seen).count() == 0
    assert len(world.audit()) == before
    assert intake.ask(proof, client_assertion=assertion).status_code == 200


def test_every_failing_claim_is_named_at_once(world, intake, examine):
    claims = {"aud": f"{world.ORIGIN}/oauth/token", "jti": "short", "exp": int(world.clock().timestamp()) + 3600}

    steps = [step for step in examine(intake.assertion(claims=claims)) if step["step"] == "claims"]

    assert {(step["claim"], step["code"]) for step in steps} == {
        ("aud", "GW-110"),
        ("jti", "GW-115"),
        ("exp", "GW-113"),
    }
    (audience,) = (step for step in steps if step["claim"] == "aud")
    assert audience["expected"] == world.ORIGIN
    assert audience["got"] == f"{world.ORIGIN}/oauth/token"
    assert audience["message"] == "Set aud to the issuer of the metadata."


def test_text_that_is_no_assertion_stops_at_its_structure(examine):
    steps = examine("garbage")

    assert (steps[0]["step"], steps[0]["code"]) == ("structure", "GW-101")
    assert {step["result"] for step in steps[1:]} == {"skipped"}


@pytest.mark.both_databases
def test_a_used_assertion_is_recognised(intake, examine):
    assertion = intake.assertion()
    intake.ask(client_assertion=assertion)

    (replay,) = (step for step in examine(assertion) if step["step"] == "replay")

    assert (replay["result"], replay["code"]) == ("fail", "GW-116")


def test_the_state_is_told_to_the_holder_of_a_key_only(world, intake, examine):
    world.set(Client, Client.id == intake.client_id, suspended_at=world.clock())

    assert {step["step"]: step.get("code") for step in examine(intake.assertion())}["state"] == "GW-123"
    stranger = examine(intake.assertion(key=world.new_key("ES256")))
    assert "GW-123" not in str(stranger)


def test_a_known_and_an_unknown_client_look_the_same_to_strangers(world, intake, examine):
    nobody = {"iss": "customs-xa.nobody", "sub": "customs-xa.nobody"}

    unknown = examine(intake.assertion(claims=nobody), scope="x")
    forged = examine(intake.assertion(key=world.new_key("ES256")), scope="x")

    assert unknown == forged
    assert results(forged) == {
        "structure": "pass",
        "claims": "pass",
        "key": "fail",
        "signature": "skipped",
        "state": "skipped",
        "replay": "skipped",
        "scope": "skipped",
        "proof": "skipped",
    }


@pytest.mark.parametrize(("scope", "code"), [("nobody:has", "GW-201"), ("a  b", "GW-200")])
def test_scopes_are_examined(intake, examine, scope, code):
    (step,) = (step for step in examine(intake.assertion(), scope=scope) if step["step"] == "scope")

    assert (step["result"], step["code"]) == ("fail", code)


def test_a_proof_is_examined_by_itself(world, intake, examine):
    proof = intake.proof(claims={"htu": "https://evil.example/oauth/token"})

    (step,) = (step for step in examine("garbage", dpop_proof=proof) if step["step"] == "proof")

    assert (step["result"], step["code"], step["claim"]) == ("fail", "GW-306", "htu")


def test_a_proof_for_a_call_of_the_api_is_examined_without_an_assertion(world, intake):
    proof = intake.proof("GET", f"{world.ORIGIN}/v1/whoami")

    def ask(**form):
        answer = world.http.post("/oauth/debug/assertion", data={"dpop_proof": proof, **form})
        return {step.get("claim") for step in answer.json["steps"] if step["result"] == "fail"}

    assert ask(method="GET", path="/v1/whoami") == set()
    assert ask() == {"htm", "htu"}


def test_a_used_proof_is_recognised(world, intake, examine):
    proof = intake.proof()
    intake.ask(proof)

    (step,) = (step for step in examine("garbage", dpop_proof=proof) if step["step"] == "proof")

    assert (step["result"], step["code"]) == ("fail", "GW-309")


@pytest.mark.parametrize(
    "claims", [{"sub": 1}, {"sub": ["a"]}, {"sub": {}}, {"sub": True}, {"aud": "x" * 5000}, {"jti": None}]
)
def test_strange_claims_are_examined_without_a_fault(intake, examine, claims):
    steps = examine(intake.assertion(claims=claims))

    assert "fail" in {step["result"] for step in steps if step["step"] == "claims"}
    assert len(str(steps)) < 3000


def test_the_form_is_read_as_strictly_as_elsewhere(world, intake, refused):
    refused(world.http.post("/oauth/debug/assertion", data={"scope": "a"}), "invalid_request", "GW-015")
    refused(world.http.post("/oauth/debug/assertion?client_assertion=x"), "invalid_request", "GW-012")


def test_an_address_may_ask_so_often_only(world, refused):
    for _ in range(30):
        answer = world.http.post("/oauth/debug/assertion", data={"client_assertion": "x"})
        assert answer.status_code == 200
    answer = world.http.post("/oauth/debug/assertion", data={"client_assertion": "x"})
    refused(answer, "invalid_client", "GW-125", 429)

    world.clock.advance(60)

    assert world.http.post("/oauth/debug/assertion", data={"client_assertion": "x"}).status_code == 200


def test_guessing_is_slowed_for_this_client_from_this_address(world, intake, registry, refused):
    world.failures_per_minute = 5
    world.http = world.start().test_client()
    forged = [intake.assertion(key=world.new_key("ES256")) for _ in range(6)]
    for assertion in forged[:5]:
        refused(intake.ask(client_assertion=assertion), "invalid_client", "GW-100")

    answer = intake.ask(client_assertion=forged[5])

    refused(answer, "invalid_client", "GW-125", 429)
    assert answer.headers["Retry-After"]
    assert registry.ask().status_code == 200
    elsewhere = world.http.post(
        "/oauth/token",
        data=intake.form(),
        headers={"DPoP": intake.proof()},
        environ_overrides={"REMOTE_ADDR": "192.0.2.1"},
    )
    assert elsewhere.status_code == 200
    world.clock.advance(60)
    assert intake.ask().status_code == 200
