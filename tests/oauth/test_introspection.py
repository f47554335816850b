"""Introspection and revocation: a client's own tokens, and no hint about anybody else's."""

import pytest

from gateway.agencies.models import Agency, Client
from gateway.oauth.models import RevokedToken
from gateway.oauth.standing import sweep

pytestmark = pytest.mark.both_databases


@pytest.fixture
def examiner(world):
    """A client with the right to look at any token."""
    world.agency("auditor-xa", scopes=("introspect",))
    return world.system("auditor-xa.examiner", scopes=("introspect",))


def test_a_client_sees_all_claims_of_its_own_token(intake):
    answer = intake.post("/oauth/introspect", token=intake.token())

    assert answer.status_code == 200
    assert answer.json["active"] is True
    assert answer.json["token_type"] == "DPoP"
    assert answer.json["client_id"] == "customs-xa.intake"
    assert answer.json["cnf"] == {"jkt": intake.jkt}
    assert answer.json["scope"] == "exchange:request"


def test_the_right_to_introspect_shows_tokens_of_others(intake, examiner):
    assert examiner.post("/oauth/introspect", token=intake.token()).json["active"] is True


def test_the_right_must_be_granted_to_the_agency_too(world, intake, examiner):
    world.set(Agency, Agency.code == "auditor-xa", scopes=[])

    assert examiner.post("/oauth/introspect", token=intake.token()).json == {"active": False}


@pytest.mark.parametrize("text", ["garbage", "a.b.c", "{token}x", "x" * 9000, "é"])
def test_what_is_no_token_is_not_active(intake, text):
    answer = intake.post("/oauth/introspect", token=text.format(token=intake.token()))

    assert (answer.status_code, answer.json) == (200, {"active": False})


def test_another_clients_token_is_not_active(intake, registry):
    assert registry.post("/oauth/introspect", token=intake.token()).json == {"active": False}


def test_assertions_and_proofs_are_not_active(intake):
    for text in (intake.assertion(), intake.proof()):
        assert intake.post("/oauth/introspect", token=text).json == {"active": False}


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
def test_hints_are_ignored(intake, hint):
    assert intake.post("/oauth/introspect", token=intake.token(), token_type_hint=hint).json["active"] is True
    assert intake.post("/oauth/revoke", token="any", token_type_hint=hint).status_code == 200


def test_an_expired_token_is_not_active(world, intake):
    token = intake.token()

    world.clock.advance(300)

    assert intake.post("/oauth/introspect", token=token).json == {"active": False}


def test_a_token_of_a_suspended_client_is_not_active(world, intake, examiner):
    token = intake.token()

    world.set(Client, Client.id == intake.client_id, suspended_at=world.clock())

    assert examiner.post("/oauth/introspect", token=token).json == {"active": False}


def test_a_revoked_token_is_refused_at_once_everywhere(world, intake, shut_out):
    token = intake.token()
    assert intake.call(token).status_code == 200

    assert intake.post("/oauth/revoke", token=token).status_code == 200

    shut_out(intake.call(token), "invalid_token", "GW-404")
    assert intake.post("/oauth/introspect", token=token).json == {"active": False}
    other_worker = world.start().test_client()
    proof = intake.proof("GET", f"{world.ORIGIN}/v1/whoami", token)
    answer = other_worker.get("/v1/whoami", headers={"Authorization": f"DPoP {token}", "DPoP": proof})
    shut_out(answer, "invalid_token", "GW-404")
    assert [(row.actor, row.act) for row in world.audit("token.revoked")] == [("customs-xa.intake", "token.revoked")]


def test_revoking_twice_or_garbage_is_answered_alike(intake):
    token = intake.token()

    answers = [intake.post("/oauth/revoke", token=text) for text in (token, token, "garbage", "a.b.c")]

    assert {(answer.status_code, answer.text) for answer in answers} == {(200, "{}")}


def test_revoking_anothers_token_changes_nothing(world, intake, registry):
    token = intake.token()

    answer = registry.post("/oauth/revoke", token=token)

    assert (answer.status_code, answer.json) == (200, {})
    assert intake.call(token).status_code == 200
    assert world.audit("token.revoked") == []


def test_the_right_to_introspect_is_no_right_to_revoke(intake, examiner):
    token = intake.token()

    examiner.post("/oauth/revoke", token=token)

    assert intake.call(token).status_code == 200


def test_revocations_are_forgotten_a_day_after_their_tokens_end(world, intake):
    intake.post("/oauth/revoke", token=intake.token())
    assert sweep(world.database, world.clock()) == 0

    world.clock.advance(86_400 + 301)

    assert sweep(world.database, world.clock()) == 1
    with world.database.read() as session:
        assert session.query(RevokedToken).count() == 0
