"""Discovery and tokens, against the stub of a gateway in conftest.py."""

import itertools
import json
from dataclasses import replace
from io import BytesIO

import pytest

from ipx import keyfile
from ipx.channel import Call, Channel
from ipx.discovery import discover
from ipx.keys import generate_signer
from ipx.problems import (
    AddressError,
    DiscoveryError,
    KeyFileError,
    MalformedAnswerError,
    TokenRefusedError,
    UnreachableError,
)
from ipx.tokens import Grant, Tokens, purpose_grant
from ipx.waiting import Time

TOKEN = "POST /oauth/token"


@pytest.fixture
def channel(stub, patience, time):
    channel = Channel(stub.origin, patience=patience, time=time.faculties())
    yield channel
    channel.close()


@pytest.fixture
def grant(stub):
    return Grant("exchange:request", f"{stub.origin}/v1")


@pytest.fixture
def tokens(stub, channel, key):
    metadata = discover(channel, channel.deadline())
    return Tokens(metadata, channel, stub.client_id, key=key, proof_key=generate_signer("ES256"))


def test_metadata_of_another_issuer_is_refused(stub, channel):
    stub.metadata_changes["issuer"] = "https://gw.example"

    with pytest.raises(DiscoveryError, match=r"calls itself .https://gw\.example"):
        discover(channel, channel.deadline())


@pytest.mark.parametrize("issuer", ["{}/", "{}/v1", None, 7])
def test_the_issuer_is_compared_character_by_character(stub, channel, issuer):
    stub.metadata_changes["issuer"] = issuer.format(stub.origin) if isinstance(issuer, str) else issuer

    with pytest.raises(DiscoveryError):
        discover(channel, channel.deadline())


@pytest.mark.parametrize("endpoint", ["https://thief.example/oauth/token", "{}.thief.example/token", None])
def test_an_assertion_is_never_sent_to_another_origin(stub, channel, endpoint):
    stub.metadata_changes["token_endpoint"] = endpoint and endpoint.format(stub.origin)

    with pytest.raises(DiscoveryError, match="token endpoint"):
        discover(channel, channel.deadline())


def test_a_gateway_without_private_key_jwt_is_refused(stub, channel):
    stub.metadata_changes["token_endpoint_auth_methods_supported"] = ["client_secret_basic"]

    with pytest.raises(DiscoveryError, match="private_key_jwt"):
        discover(channel, channel.deadline())


def test_a_page_that_is_no_gateway_is_called_so(stub, channel, canned):
    what = "GET /.well-known/oauth-authorization-server"
    stub.next(what, canned(200, b"<html>please sign in</html>"), stub.problem(404, "not-found", ""))

    with pytest.raises(MalformedAnswerError):
        discover(channel, channel.deadline())
    with pytest.raises(DiscoveryError, match="no gateway"):
        discover(channel, channel.deadline())


@pytest.mark.parametrize(
    "address",
    [
        "http://gw.example",
        "ftp://gw.example",
        "gw.example",
        "https://gw.example/v1",
        "https://user:secret@gw.example",
        "https://gw.example?x=1",
        "https://gw.example:0",
        "https://gw.example:port",
        "http://127.0.0.1.thief.example",
        "https://",
        "",
    ],
)
def test_an_address_that_is_no_origin_or_not_secure_is_refused(patience, time, address):
    with pytest.raises(AddressError):
        Channel(address, patience=patience, time=time.faculties())


def test_a_redirect_is_not_followed(stub, channel, canned):
    stub.next("GET /here", canned(302, b"", {"Location": f"{stub.origin}/there"}))

    reply = channel.send(lambda: call("GET", f"{stub.origin}/here"), channel.deadline())

    assert reply.status == 302
    assert not stub.calls("GET /there")


@pytest.mark.parametrize("alg", keyfile.ALGORITHMS)
def test_a_client_signs_in_with_each_kind_of_key(stub, channel, grant, alg):
    key = keyfile.generate(alg)
    stub.client_keys[key.kid] = key.public
    metadata = discover(channel, channel.deadline())

    token = Tokens(metadata, channel, stub.client_id, key=key, proof_key=key).token(grant, channel.deadline())

    assert token in stub.tokens


def test_a_nonce_challenge_is_answered_and_the_nonce_kept(stub, channel, tokens, grant):
    tokens.token(grant, channel.deadline())
    tokens.token(Grant("introspect", grant.resource), channel.deadline())

    assert len(stub.calls(TOKEN)) == 3


def test_an_endless_nonce_challenge_ends(stub, channel, tokens, grant):
    refusal = stub.json(400, {"error": "use_dpop_nonce"}, {"DPoP-Nonce": "x"})
    stub.next(TOKEN, *[refusal] * 10)

    with pytest.raises(TokenRefusedError, match="use_dpop_nonce"):
        tokens.token(grant, channel.deadline())
    assert len(stub.calls(TOKEN)) == 3


def test_a_token_is_kept_until_shortly_before_its_end(stub, channel, tokens, grant, time):
    first = tokens.token(grant, channel.deadline())
    time.pass_seconds(270)
    again = tokens.token(grant, channel.deadline())
    time.pass_seconds(20)
    later = tokens.token(grant, channel.deadline())

    assert (first, again, later) == ("token-1", "token-1", "token-2")


def test_another_purpose_needs_another_token(stub, channel, tokens, grant):
    border = purpose_grant(grant.scope, grant.resource, purpose="border_enforcement", legal_basis="Customs Act, s. 4")
    court = purpose_grant(grant.scope, grant.resource, purpose="court_proceeding", legal_basis="Court Act, s. 12")

    tokens.token(border, channel.deadline())
    tokens.token(court, channel.deadline())

    details = [details for _, details in stub.tokens.values()]
    assert details == [
        [{"type": "ipx_purpose", "purpose": "border_enforcement", "legal_basis": "Customs Act, s. 4"}],
        [{"type": "ipx_purpose", "purpose": "court_proceeding", "legal_basis": "Court Act, s. 12"}],
    ]


def test_a_refusal_keeps_its_code_for_machines_and_its_words_for_people(stub, channel, tokens, grant):
    stub.next(TOKEN, stub.json(400, {"error": "invalid_client", "error_description": "GW-121: key expired"}))

    with pytest.raises(TokenRefusedError) as caught:
        tokens.token(grant, channel.deadline())

    assert (caught.value.code, caught.value.description) == ("invalid_client", "GW-121: key expired")


def test_a_lost_token_answer_is_asked_for_again_with_a_new_assertion(stub, channel, tokens, grant, drop):
    def lose(seen):
        stub.token(seen)
        return drop

    tokens.token(grant, channel.deadline())
    stub.next(TOKEN, lose)

    assert tokens.token(Grant("introspect", grant.resource), channel.deadline()) == "token-3"


@pytest.mark.parametrize(
    "spoil",
    [
        {"token_type": "Bearer"},
        {"access_token": None},
        {"access_token": "clé"},
        {"expires_in": "300"},
        {"expires_in": True},
        {"expires_in": -1},
    ],
)
def test_a_token_answer_that_is_not_bound_or_not_whole_is_refused(stub, channel, tokens, grant, spoil):
    body = {"access_token": "t", "token_type": "DPoP", "expires_in": 300, "scope": grant.scope, **spoil}
    stub.next(TOKEN, stub.json(200, body))

    with pytest.raises(MalformedAnswerError):
        tokens.token(grant, channel.deadline())


def test_a_silently_narrowed_scope_is_refused(stub, channel, tokens, grant):
    body = {"access_token": "t", "token_type": "DPoP", "expires_in": 300, "scope": "introspect"}
    stub.next(TOKEN, stub.json(200, body))

    with pytest.raises(TokenRefusedError, match="invalid_scope"):
        tokens.token(grant, channel.deadline())


def test_a_key_that_the_gateway_does_not_take_is_named_before_anything_is_sent(stub, channel):
    stub.metadata_changes["token_endpoint_auth_signing_alg_values_supported"] = ["ES256"]
    metadata = discover(channel, channel.deadline())

    with pytest.raises(KeyFileError, match="takes no Ed25519 key to sign in, only ES256"):
        Tokens(metadata, channel, "a.b", key=generate_signer("Ed25519"), proof_key=generate_signer("ES256"))


def test_retry_after_is_obeyed_in_both_of_its_forms(stub, channel, time, canned):
    stub.next(
        "GET /slow",
        canned(503, b"", {"Retry-After": "7"}),
        canned(429, b"", {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}),
        canned(200, b"{}"),
    )

    assert channel.get_json(f"{stub.origin}/slow", channel.deadline()) == {}
    assert time.naps == [7.0, 0.0]


def test_a_wait_past_the_deadline_is_not_waited(stub, channel, time, canned):
    stub.next("GET /slow", canned(503, b"", {"Retry-After": "61"}))

    reply = channel.send(lambda: call("GET", f"{stub.origin}/slow"), channel.deadline())

    assert reply.status == 503
    assert time.naps == []


def test_attempts_are_bounded_and_each_pause_is_longer(stub, channel, time, canned):
    stub.next("GET /busy", *[canned(503)] * 20)

    reply = channel.send(lambda: call("GET", f"{stub.origin}/busy"), channel.deadline())

    assert reply.status == 503
    assert len(stub.calls("GET /busy")) == 6
    assert time.naps == sorted(time.naps)


def test_nobody_at_the_address_is_said_so_after_bounded_attempts(stub, channel, time):
    stub.close_listener()

    with pytest.raises(UnreachableError, match="after 6 attempts"):
        channel.send(lambda: call("GET", f"{stub.origin}/"), channel.deadline())
    assert sum(time.naps) < 60


def test_an_answer_past_the_limit_is_cut_off(stub, time, patience, canned):
    channel = Channel(stub.origin, patience=replace(patience, body_bytes=1000), time=time.faculties())
    stub.next("GET /large", canned(200, b"x" * 5000))

    with pytest.raises(MalformedAnswerError, match="more than 1000 bytes"):
        channel.get(f"{stub.origin}/large", channel.deadline())
    channel.close()


def test_a_file_may_be_past_the_limit_and_holds_nothing_of_an_attempt_that_broke_off(stub, time, patience, canned):
    channel, file = Channel(stub.origin, patience=replace(patience, body_bytes=1000), time=time.faculties()), BytesIO()
    stub.next("GET /large", canned(200, b"y" * 7000, {"Content-Length": "9000"}), canned(200, b"x" * 5000))
    stub.next("GET /none", canned(404, b'{"type":"about:blank","status":404}'))

    got = channel.send(lambda: call("GET", f"{stub.origin}/large"), channel.deadline(), file)
    refused = channel.send(lambda: call("GET", f"{stub.origin}/none"), channel.deadline(), file)
    channel.close()

    assert (got.status, file.getvalue()) == (200, b"x" * 5000)
    assert refused.json()["status"] == 404


def test_a_connection_that_closes_mid_answer_is_tried_again(stub, channel, canned):
    stub.next("GET /cut", canned(200, b'{"a":', {"Content-Length": "1000"}), canned(200, b'{"a":1}'))

    assert channel.get_json(f"{stub.origin}/cut", channel.deadline()) == {"a": 1}


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b"[1]", b'{"a":NaN}', b"\xff", b"", json.dumps("x").encode()])
def test_json_with_two_meanings_is_refused(stub, channel, canned, body):
    stub.next("GET /odd", canned(200, body))

    with pytest.raises(MalformedAnswerError):
        channel.get_json(f"{stub.origin}/odd", channel.deadline())


def call(method, url):
    return Call(method, url, {})


def test_a_page_that_explains_a_refusal_is_named_only_if_it_is_the_gateways_own(stub, channel, tokens, grant):
    page = f"{stub.origin}/oauth/errors/GW-100"
    refusal = {"error": "invalid_client", "error_description": "GW-100"}
    stub.next(
        TOKEN, stub.json(400, refusal | {"error_uri": page}), stub.json(400, refusal | {"error_uri": "https://x"})
    )

    with pytest.raises(TokenRefusedError) as own:
        tokens.token(grant, channel.deadline())
    with pytest.raises(TokenRefusedError) as foreign:
        tokens.token(grant, channel.deadline())

    assert own.value.next_step == f"Read {page}"
    assert "https://x" not in foreign.value.next_step


def test_an_answer_that_drips_past_the_deadline_is_given_up(stub, patience, canned):
    ticks = itertools.count(step=7.0)
    hasty = Time(monotonic=lambda: next(ticks), sleep=lambda _: None)
    channel = Channel(stub.origin, patience=patience, time=hasty)
    stub.next("GET /drip", *[canned(200, b"x" * 2_000_000)] * 6)

    with pytest.raises(UnreachableError):
        channel.get(f"{stub.origin}/drip", channel.deadline())
    channel.close()
