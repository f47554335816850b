"""Sign-in at an upstream provider: it says who somebody is there, and nothing of it is taken on trust."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey
from sqlalchemy import select

from gateway.audit.models import AuditEntry
from gateway.settings import PeopleSettings
from tests.exchange.world import Gateway
from tests.web.ceremony import is_signed_in, path_of, submit
from tests.web.people import browser
from tests.web.provider import CLIENT, SECRET, Lies, Provider


@pytest.fixture
def provider():
    provider = Provider()
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture
def upstream(gateway, provider):
    """The gateway again, with the provider named; carol is `subject-1` there."""
    people = PeopleSettings(upstream_issuer=provider.issuer, upstream_client_id=CLIENT, upstream_client_secret=SECRET)
    gateway.services.people.set_upstream("carol", "subject-1", actor="operator:tests")
    second = Gateway(gateway.demo, replace(gateway.settings, people=people))
    provider.return_to = second.settings.console_origin + "/sign-in/upstream/return"
    yield second
    second.close()


@pytest.fixture
def client(upstream):
    return browser(upstream)


def depart(client, page="/sign-in", **fields):
    """Press the button; gives where the provider then sends the browser back to."""
    answer = submit(client, "/sign-in/upstream", page=page, **fields)
    assert answer.status_code == 303
    back = httpx.get(answer.headers["Location"], follow_redirects=False)
    assert back.status_code == 302, back.text
    return back.headers["Location"]


def arrive(client, address):
    parts = urlsplit(address)
    return client.get(f"{parts.path}?{parts.query}")


def refusals(upstream):
    with upstream.services.database.read() as session:
        found = session.scalars(select(AuditEntry).where(AuditEntry.act == "person.sign_in_refused"))
        return [entry.detail["factor"] for entry in found]


def test_a_person_signs_in_at_the_provider(upstream, client, provider):
    answer = arrive(client, depart(client, next="/account/passkeys"))

    assert path_of(answer) == "/account/passkeys"
    assert is_signed_in(client)
    asked = provider.asked[0]
    assert (asked["response_type"], asked["scope"], asked["code_challenge_method"]) == ("code", "openid", "S256")
    assert len(asked["nonce"]) >= 40
    assert len(asked["state"]) >= 40
    with upstream.services.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.act == "person.signed_in")).all()[-1]
    assert (entry.actor, entry.detail["via"]) == ("person:carol", "upstream")


def test_nobody_is_made_on_the_way(upstream, client, provider):
    provider.subject = "somebody-else"

    arrive(client, depart(client))

    assert not is_signed_in(client)
    assert refusals(upstream) == ["upstream: nobody here"]


def test_a_suspended_person_stays_out(upstream, client):
    upstream.services.people.suspend("carol", reason="left", actor="operator:tests")

    arrive(client, depart(client))

    assert not is_signed_in(client)


def test_without_a_second_factor_there_the_persons_own_code_is_asked_for(upstream, client, provider):
    provider.amr = ["pwd"]

    answer = arrive(client, depart(client))

    assert path_of(answer) == "/sign-in/code"
    assert not is_signed_in(client)


def test_an_answer_counts_once_and_only_where_it_was_asked_for(upstream, client, provider):
    address = depart(client)
    other = browser(upstream)

    arrive(other, address)
    assert not is_signed_in(other)
    arrive(client, address)
    assert is_signed_in(client)
    submit(client, "/sign-out", page="/account")
    arrive(client, address)

    assert not is_signed_in(client)
    assert refusals(upstream) == ["nobody was sent there"] * 2


def test_the_answer_of_another_sign_in_is_refused(upstream, client):
    """Log-in forgery: a stranger's own answer slipped to somebody who is on the way."""
    stranger = browser(upstream)
    theirs = depart(stranger)
    depart(client)

    arrive(client, theirs)

    assert not is_signed_in(client)
    assert refusals(upstream) == ["upstream: wrong state"]


LIES = [
    ({"answer": {"iss": "https://evil.example"}}, "upstream: another issuer answered"),
    ({"answer": {"iss": None}}, "upstream: issuer missing"),
    ({"claims": {"nonce": "another"}}, "upstream: wrong nonce"),
    ({"claims": {"iss": "https://evil.example"}}, "upstream: identity token: InvalidClaimError"),
    ({"claims": {"aud": ["another"]}}, "upstream: identity token: InvalidClaimError"),
    ({"claims": {"aud": [CLIENT, "another"]}}, "upstream: meant for another"),
    ({"claims": {"exp": 1}}, "upstream: identity token: ExpiredTokenError"),
    ({"claims": {"sub": ""}}, "upstream: identity token: InvalidClaimError"),
    ({"key": ECKey.generate_key("P-256")}, "upstream: identity token: BadSignatureError"),
]


def test_what_does_not_hold_signs_nobody_in(upstream, provider):
    for lie, _ in LIES:
        provider.lies = replace(Lies(), **lie)
        client = browser(upstream)

        arrive(client, depart(client))

        assert not is_signed_in(client), lie
    assert refusals(upstream) == [reason for _, reason in LIES]


def test_a_code_of_another_is_not_taken_with_this_persons_key(upstream, client, provider):
    """Code injection: PKCE binds the code to the browser that asked for it."""
    theirs = parse_qs(urlsplit(depart(browser(upstream))).query)["code"][0]
    mine = depart(client)
    own = parse_qs(urlsplit(mine).query)["code"][0]

    arrive(client, mine.replace(own, theirs))

    assert not is_signed_in(client)
    assert refusals(upstream) == ["upstream: code not taken"]


def test_a_discovery_document_that_cannot_be_believed_sends_nobody_anywhere(client, provider):
    for lie in (
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "http://evil.example/jwks"},
        {"authorization_endpoint": None},
    ):
        provider.lies.discovery = lie

        answer = submit(client, "/sign-in/upstream", page="/sign-in")

        assert answer.status_code == 502, lie


def test_an_answer_that_took_too_long_is_refused(upstream, client):
    address = depart(client)
    with client.session_transaction(base_url=client.origin) as session:
        session["upstream"] = {**session["upstream"], "at": session["upstream"]["at"] - 601}

    arrive(client, address)

    assert refusals(upstream) == ["upstream: abandoned"]


def test_confirming_there_needs_a_new_look_at_the_same_person(upstream, client, provider):
    arrive(client, depart(client))
    with client.session_transaction(base_url=client.origin) as session:
        session["fs_paa"] -= 400
    assert path_of(client.get("/account/passkeys")) == "/sign-in/confirm"

    provider.authenticated_ago = 4000
    arrive(client, depart(client, page="/sign-in/confirm"))
    assert path_of(client.get("/account/passkeys")) == "/sign-in/confirm"
    assert (provider.asked[-1]["prompt"], provider.asked[-1]["max_age"]) == ("login", "0")
    provider.authenticated_ago, provider.subject = 0, "subject-2"
    upstream.services.people.set_upstream("bob", "subject-2", actor="operator:tests")
    arrive(client, depart(client, page="/sign-in/confirm"))
    assert path_of(client.get("/account/passkeys")) == "/sign-in/confirm"
    provider.subject = "subject-1"
    arrive(client, depart(client, page="/sign-in/confirm"))

    assert client.get("/account/passkeys").status_code == 200
    assert refusals(upstream) == ["upstream: not looked at anew", "upstream: another person confirmed"]


def test_where_no_provider_is_named_there_is_no_way_to_one(gateway):
    client = browser(gateway)

    assert submit(client, "/sign-in/upstream", page="/sign-in").status_code == 404
    assert path_of(client.get("/sign-in/upstream/return?code=x&state=y")) == "/sign-in"
