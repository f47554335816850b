"""Requests that are not taken: each gets a problem that names the failing member, and nothing is filed."""

from dataclasses import dataclass

import pytest

from gateway.agencies.models import Client
from ipx import jws
from ipx.channel import Call
from ipx.encoding import b64url
from ipx.keys import generate_signer
from ipx.problems import ClientError
from ipx.tokens import Grant
from tests.exchange.world import CUSTOMS, MARK, OFFICE, Gateway

BAD_MEMBERS = {
    "purpose missing": ({"purpose": None}, "invalid-field", "/purpose"),
    "purpose unknown": ({"purpose": "curiosity"}, "invalid-field", "/purpose"),
    "purpose of another kind": ({"purpose": 7}, "invalid-field", "/purpose"),
    "purpose not of this agency": ({"purpose": "arbitration"}, "invalid-field", "/purpose"),
    "legal basis missing": ({"legal_basis": None}, "invalid-field", "/legal_basis"),
    "legal basis blank": ({"legal_basis": "  "}, "invalid-field", "/legal_basis"),
    "legal basis with a line feed": ({"legal_basis": "art. 4\nart. 5"}, "invalid-field", "/legal_basis"),
    "holder unknown": (
        {"holder": "ipo-zz", "record": f"urn:ipx:ipo-zz:trademark:{MARK}"},
        "invalid-field",
        "/holder",
    ),
    "holder is not the record's": ({"holder": "customs-xa"}, "invalid-field", "/record"),
    "record is no URN": ({"record": "trademark 42"}, "invalid-field", "/record"),
    "record type unknown": ({"record": "urn:ipx:ipo-xa:spaceship:1"}, "invalid-field", "/record"),
    "record type not offered": ({"record": "urn:ipx:ipo-xa:detention:1"}, "invalid-field", "/record"),
    "field group unknown": ({"groups": ["trademark.biblio", "trademark.secrets"]}, "invalid-field", "/groups/1"),
    "field group of another type": ({"groups": ["detention.core"]}, "invalid-field", "/groups/0"),
    "no field groups": ({"groups": []}, "invalid-field", "/groups"),
    "member unknown": ({"urgent": True}, "invalid-field", "/urgent"),
    "audience another": ({"aud": "https://other.example"}, "invalid-field", "/aud"),
    "audience a list": ({"aud": ["http://127.0.0.1:18080"]}, "invalid-field", "/aud"),
    "jti no UUID": ({"jti": "once"}, "invalid-field", "/jti"),
    "jti missing": ({"jti": None}, "invalid-field", "/jti"),
    "iat true": ({"iat": True}, "invalid-field", "/iat"),
    "iat a text": ({"iat": "1790000000"}, "invalid-field", "/iat"),
    "iat in the past century": ({"iat": -5, "exp": 10}, "invalid-field", "/iat"),
}


@pytest.fixture
def gateway(one_gateway):
    """One for all: nothing is filed, and no database has a part in what is wrong with a request."""
    return one_gateway


def refused(gateway, request, client_id=CUSTOMS):
    """The problem document with which a request is refused; nothing was filed."""
    reply = gateway.post(request if isinstance(request, bytes) else request.encode(), client_id=client_id)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert gateway.count("exchange") == 0
    problem = reply.json()
    assert problem["status"] == reply.status
    assert problem["trace_id"]
    return Refusal(
        problem["type"].rpartition("/")[2], reply.status, [at["pointer"] for at in problem.get("errors", ())]
    )


@dataclass
class Refusal:
    slug: str
    status: int
    pointers: list


@pytest.mark.parametrize("case", BAD_MEMBERS)
def test_a_bad_member_is_named(gateway, case):
    changes, slug, pointer = BAD_MEMBERS[case]

    problem = refused(gateway, gateway.sign(**changes))

    assert problem.slug == slug
    assert pointer in problem.pointers


def test_all_failing_members_are_named_at_once(gateway):
    problem = refused(gateway, gateway.sign(purpose=None, jti="once", urgent=1))

    assert {"/purpose", "/jti", "/urgent"} <= set(problem.pointers)


@pytest.mark.parametrize(("shift", "lifetime"), [(-120, 60), (30, 60)], ids=["expired", "from the future"])
def test_a_request_out_of_its_time_is_stale(gateway, shift, lifetime):
    now = gateway.payload()["iat"]

    problem = refused(gateway, gateway.sign(iat=now + shift, exp=now + shift + lifetime))

    assert problem.slug == "stale-request"


def test_a_request_that_lives_too_long_is_refused(gateway):
    now = gateway.payload()["iat"]

    problem = refused(gateway, gateway.sign(iat=now, exp=now + 3600))

    assert "/exp" in problem.pointers


def test_a_request_signed_by_an_unknown_key_is_refused(gateway):
    problem = refused(gateway, gateway.sign(key=generate_signer("ES256")))

    assert problem.slug == "invalid-signature"


def test_a_request_signed_by_another_clients_key_is_refused(gateway):
    problem = refused(gateway, gateway.sign(key=gateway.key(OFFICE)))

    assert problem.slug == "invalid-signature"


def test_a_request_in_another_clients_name_is_refused(gateway):
    problem = refused(gateway, gateway.sign(iss=OFFICE))

    assert problem.slug == "invalid-signature"


def test_a_changed_request_is_refused(gateway):
    header, payload, signature = gateway.sign().split(".")
    _, other, _ = gateway.sign(purpose="notify_owner").split(".")

    assert refused(gateway, f"{header}.{other}.{signature}").slug == "invalid-signature"
    assert payload != other


@pytest.mark.parametrize("typ", ["JWT", "dpop+jwt", "ipx-receipt+jwt"], ids=["JWT", "a DPoP proof", "a receipt"])
def test_another_kind_of_token_is_no_request(gateway, typ):
    assert refused(gateway, gateway.sign(typ=typ)).slug == "invalid-request"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"not a token",
        b"a.b",
        b"a.b.c.d",
        b"\xff\xfe\x00",
        "äöü.äöü.äöü".encode(),
        b"eyJhbGciOiJub25lIn0.e30.",
        b"." * 60_000,
    ],
)
def test_a_malformed_body_is_refused_and_nothing_is_filed(gateway, body):
    assert refused(gateway, body).slug == "invalid-request"


def test_a_request_of_a_megabyte_is_too_large(gateway):
    assert refused(gateway, b"a" * 1_000_000).status == 413


def test_a_body_that_ends_before_its_announced_length_is_refused(gateway, monkeypatch):
    whole = gateway.app.wsgi_app

    def cut_off(environ, start_response):
        longer = {"CONTENT_LENGTH": "60000"} if environ["PATH_INFO"] == "/v1/exchanges" else {}
        return whole(environ | longer, start_response)

    monkeypatch.setattr(gateway.app, "wsgi_app", cut_off)

    assert refused(gateway, gateway.sign()).slug == "invalid-request"


def test_a_request_with_a_duplicate_member_is_refused(gateway):
    key = gateway.key(CUSTOMS)
    text = jws.dump_json(gateway.payload()).decode()
    doubled = text[:-1] + ',"purpose":"court_proceeding"}'
    head = jws._header_text(key.alg, key.kid, "ipx-request+jwt")
    signing_input = f"{head}.{b64url(doubled.encode())}"
    token = f"{signing_input}.{b64url(key.sign(signing_input.encode()))}"

    assert refused(gateway, token).slug == "invalid-request"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/jwt"])
def test_another_media_type_is_refused(gateway, content_type):
    assert gateway.post(gateway.sign().encode(), content_type).status == 415


def test_without_a_token_the_caller_is_told_what_is_needed(gateway):
    reply = gateway.http.post(
        "/v1/exchanges", content=gateway.sign().encode(), headers={"Content-Type": "application/jose"}
    )

    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith("DPoP")
    assert gateway.count("exchange") == 0


def test_a_suspended_client_is_refused_on_its_next_call(demo, settings):
    gateway = Gateway(demo, settings)
    gateway.ask()
    gateway.services.agencies.suspend(Client, CUSTOMS, reason="test", actor="operator:test")

    with pytest.raises(ClientError):
        gateway.ask()
    assert gateway.count("exchange") == 1
    gateway.close()


def test_a_token_bound_to_no_purpose_releases_nothing(gateway):
    call = Call(
        "POST",
        f"{gateway.settings.origin}/v1/exchanges",
        {"Content-Type": "application/jose"},
        gateway.sign().encode(),
    )

    reply = gateway.client()._call(call, Grant("exchange:request", gateway.settings.resource))

    assert reply.status == 403
    assert reply.json()["code"] == "GW-231"
    assert gateway.count("exchange") == 0


@pytest.mark.parametrize(
    "changes", [{"purpose": "notify_owner"}, {"legal_basis": "another law"}], ids=["purpose", "legal basis"]
)
def test_a_request_outside_the_purpose_of_the_token_is_refused(gateway, changes):
    reply = gateway.post(gateway.sign(**changes).encode())

    assert reply.status == 403
    assert reply.json()["type"].endswith("/purpose-outside-token")
    assert gateway.count("exchange") == 0
