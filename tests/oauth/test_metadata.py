"""What the server says of itself, its errors page, and what no log may say."""

import logging
import re

import pytest

from gateway.db.base import Base
from gateway.db.engine import Database
from gateway.oauth.errors import Reason


@pytest.fixture
def world(shared_world):
    return shared_world


@pytest.fixture
def intake(shared_world):
    return shared_world.intake


def test_server_metadata(world):
    answer = world.http.get("/.well-known/oauth-authorization-server", headers={"Host": "evil.example"})

    body = answer.json
    assert body["issuer"] == "https://gw.example"
    assert body["token_endpoint"] == "https://gw.example/oauth/token"
    assert body["grant_types_supported"] == ["client_credentials"]
    assert body["response_types_supported"] == []
    assert body["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert set(body["dpop_signing_alg_values_supported"]) == {"ES256", "PS256", "Ed25519", "EdDSA"}
    assert body["authorization_details_types_supported"] == ["ipx_purpose"]
    assert "evil" not in answer.text


@pytest.mark.parametrize("path", ["", "/v1"])
def test_resource_metadata(world, path):
    body = world.http.get(f"/.well-known/oauth-protected-resource{path}").json

    assert body["resource"] == "https://gw.example/v1"
    assert body["authorization_servers"] == ["https://gw.example"]
    assert body["bearer_methods_supported"] == ["header"]
    assert body["dpop_bound_access_tokens_required"] is True


def test_every_address_in_the_metadata_exists(world):
    body = world.http.get("/.well-known/oauth-authorization-server").json

    for name, address in body.items():
        if name.endswith(("_endpoint", "_uri", "_documentation")):
            path = address.removeprefix("https://gw.example")
            assert world.http.open(path, method="OPTIONS").status_code == 200, name


def test_the_key_set_may_be_kept_for_300_seconds_and_asked_for_again_cheaply(world):
    answer = world.http.get("/oauth/jwks")

    assert answer.headers["Cache-Control"] == "public, max-age=300"
    again = world.http.get("/oauth/jwks", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_every_reason_has_a_number_of_its_own_and_words_that_fit_a_header():
    numbers = [reason.number for reason in Reason]
    assert len(set(numbers)) == len(numbers)
    for reason in Reason:
        assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", reason.words), reason
        assert reason.cure.endswith("."), reason


def test_every_reason_has_its_page(world):
    table = world.http.get("/oauth/errors").text
    for reason in Reason:
        page = world.http.get(f"/oauth/errors/{reason.code}")
        assert page.status_code == 200
        assert reason.error in page.text
        assert reason.code in table
    assert world.http.get("/oauth/errors/GW-999").status_code == 404


@pytest.fixture
def talkative_world(world, tmp_path, caplog):
    """A world whose every logger, the database's among them, says all it knows."""
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="sqlalchemy.engine"):
        database = Database(f"sqlite:///{tmp_path / 'talkative.db'}")
        Base.metadata.create_all(database.writer)
        talkative = type(world)(database, world.clock)
        talkative.agency("customs-xa")
        yield talkative
        database.dispose()


def test_no_log_line_at_any_level_holds_a_token_a_proof_or_an_assertion(talkative_world, caplog):
    intake = talkative_world.system("customs-xa.intake")
    assertion, proof = intake.assertion(), intake.proof()
    token = intake.ask(proof, client_assertion=assertion).json["access_token"]
    secrets = [assertion, proof, token]
    for text in (
        intake.assertion(claims={"aud": "x"}),
        intake.assertion(header={"kid": "x"}),
        "Z2FyYmFnZQ.Z2FyYmFnZTI.Z2FyYmFnZTM",
    ):
        intake.ask(client_assertion=text)
        secrets.append(text)
    call = intake.proof("GET", "https://gw.example/v1/whoami", token)
    for _ in range(2):
        intake.call(token, call)
    intake.post("/oauth/introspect", token=token)
    intake.post("/oauth/revoke", token=token)
    intake.post("/oauth/debug/token", token=token, dpop_proof=call)
    talkative_world.http.post("/oauth/debug/assertion", data={"client_assertion": assertion, "dpop_proof": proof})

    assert "INSERT INTO" in caplog.text, "the database's logger says nothing, so nothing was looked at"
    for secret in (*secrets, call):
        _, claims, signature = secret.split(".")
        assert claims not in caplog.text
        assert signature not in caplog.text


def test_no_audit_entry_holds_a_token_a_proof_or_an_assertion(world, intake):
    assertion, proof = intake.assertion(), intake.proof()
    token = intake.ask(proof, client_assertion=assertion).json["access_token"]
    intake.ask(client_assertion=assertion)

    details = " ".join(str(row.detail) for row in world.audit())
    for secret in (assertion, proof, token):
        assert secret.split(".")[2] not in details
