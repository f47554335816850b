"""A client publishes its keys at an address of its own: looked at seldom, taken as rows, ended when they are gone."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.agencies.key_set_fetch import Fetched
from gateway.agencies.key_set_text import Unusable, read_key_set, require_key_set_uri
from gateway.agencies.models import Client, ClientKey, ClientKeySet
from gateway.agencies.trusted_keys import requester_keys
from gateway.errors import InvalidInputError, UnknownError

URI = "https://keys.customs.example/jwks"


class Publisher:
    """The client's server: what it answers, and how often it was asked."""

    def __init__(self, world):
        self.world, self.asked, self.max_age, self.answer = world, 0, None, None
        self.keys = []

    def list(self, *keys, **members):
        self.keys = [{**self.world.jwk_of(key), **members} for key in keys]

    def __call__(self, uri):
        assert uri == URI
        self.asked += 1
        return self.answer or Fetched(json.dumps({"keys": self.keys}).encode(), self.max_age)


@pytest.fixture
def publisher(world):
    publisher = Publisher(world)
    world.fetch = publisher
    world.http = world.start().test_client()
    return publisher


@pytest.fixture
def system(world, publisher):
    """A client that has no key but those it publishes."""
    system = world.system("customs-xa.publishing")
    with world.database.write() as session:
        session.delete(session.scalars(select(ClientKey)).one())
    publisher.list(system.key)
    world.key_sets.publish_at(system.client_id, URI, actor="operator")
    return system


def rows(world):
    with world.database.read() as session:
        return list(session.scalars(select(ClientKey).order_by(ClientKey.id)))


@pytest.mark.both_databases
def test_a_client_signs_with_a_key_that_it_publishes(world, system, publisher):
    assert system.ask().status_code == 200
    assert system.ask().status_code == 200

    assert publisher.asked == 1
    (row,) = rows(world)
    assert (row.kid, row.is_fetched, row.last_used_at) == (system.kid, True, world.clock())


@pytest.mark.both_databases
def test_a_rotation_at_the_clients_server_loses_no_call(world, system, publisher):
    assert system.ask().status_code == 200
    old, new = system.key, world.new_key("Ed25519")
    world.clock.advance(61)
    publisher.list(old, new)

    system.key, system.alg = new, "Ed25519"
    assert system.ask().status_code == 200, "an unknown kid is looked for"
    publisher.list(new)
    world.clock.advance(300)
    assert system.ask().status_code == 200
    system.key, system.alg = old, "ES256"

    assert system.ask().json["error_description"].startswith("GW-121: ")
    assert [(row.alg, row.valid_until > world.clock()) for row in rows(world)] == [("ES256", False), ("Ed25519", True)]
    assert [row.detail for row in world.audit("client_key.fetched")][-1]["ended"] == [
        world.thumbprint(world.jwk_of(old))
    ]


def test_a_key_may_be_named_as_its_set_names_it(world, system, publisher, refused):
    publisher.list(system.key, kid="2026-11")

    assert system.ask(client_assertion=system.assertion(header={"kid": "2026-11"})).status_code == 200
    assert system.ask().status_code == 200
    assert system.ask(client_assertion=system.assertion(header={"kid": world.ABSENT})).status_code == 200
    refused(system.ask(client_assertion=system.assertion(header={"kid": "2026-12"})), "invalid_client", "GW-100")


def test_a_name_that_a_new_key_takes_over_is_the_new_keys(world, system, publisher):
    publisher.list(system.key, kid="current")
    assert system.ask(client_assertion=system.assertion(header={"kid": "current"})).status_code == 200
    system.key = world.new_key("ES256")
    publisher.list(system.key, kid="current")
    world.clock.advance(301)

    assert system.ask(client_assertion=system.assertion(header={"kid": "current"})).status_code == 200


@pytest.mark.both_databases
def test_an_unknown_kid_makes_us_ask_once_a_minute_at_most(world, system, publisher, refused):
    assert system.ask().status_code == 200
    world.clock.advance(60)
    for _ in range(5):
        refused(system.ask(client_assertion=system.assertion(header={"kid": "x"})), "invalid_client", "GW-100")
    assert publisher.asked == 2
    other = world.start().test_client()

    world.http = other
    system.ask(client_assertion=system.assertion(header={"kid": "x"}))

    assert publisher.asked == 2, "another worker knows of it"


@pytest.mark.parametrize(
    ("max_age", "seconds"), [(None, 300), (0, 60), (10, 60), (120, 120), (86_400, 1140), (10**9, 1140)]
)
def test_a_set_is_kept_as_long_as_it_says_within_limits(world, system, publisher, max_age, seconds):
    publisher.max_age = max_age
    system.ask()

    world.clock.advance(seconds - 1)
    system.ask()
    assert publisher.asked == 1
    world.clock.advance(1)
    system.ask()

    assert publisher.asked == 2


@pytest.mark.both_databases
def test_keys_count_for_twenty_minutes_without_an_answer_and_then_no_more(world, system, publisher, refused):
    assert system.ask().status_code == 200
    publisher.answer = Unusable("no answer (timeout)")

    world.clock.advance(1199)
    assert system.ask().status_code == 200
    world.clock.advance(1)

    refused(system.ask(), "invalid_client", "GW-126")
    refused(system.ask(client_assertion=system.assertion(key=world.new_key("ES256"))), "invalid_client", "GW-100")
    assert world.key_sets.of(system.client_id).problem == "no answer (timeout)"
    publisher.answer = None
    world.clock.advance(60)
    assert system.ask().status_code == 200
    assert world.key_sets.of(system.client_id).problem is None


def test_the_worker_looks_before_anybody_has_to_wait(world, system, publisher):
    assert world.key_sets.refresh_due() == 1
    assert world.key_sets.refresh_due() == 0
    world.clock.advance(300)
    assert world.key_sets.refresh_due() == 1

    assert system.ask().status_code == 200
    assert publisher.asked == 2


@pytest.mark.both_databases
def test_a_key_that_was_revoked_here_stays_revoked(world, system, publisher, refused):
    assert system.ask().status_code == 200
    world.set(ClientKey, ClientKey.kid == system.kid, revoked_at=world.clock())

    world.clock.advance(301)

    refused(system.ask(), "invalid_client", "GW-122")
    assert publisher.asked == 2


def test_a_key_that_comes_back_counts_again_within_its_year(world, system, publisher, refused):
    system.ask()
    listed = publisher.keys
    publisher.keys = []
    world.clock.advance(301)
    refused(system.ask(), "invalid_client", "GW-121")

    publisher.keys = listed
    world.clock.advance(301)
    assert system.ask().status_code == 200

    world.clock.advance(timedelta(days=365).total_seconds())
    refused(system.ask(), "invalid_client", "GW-121")


def test_a_key_of_another_client_is_not_taken(world, system, intake, publisher, refused):
    publisher.list(system.key, intake.key)

    refused(system.ask(), "invalid_client", "GW-100")
    assert "another client" in world.key_sets.of(system.client_id).problem
    assert [row.client_id for row in rows(world)] == [intake.client_id]


def test_published_and_registered_keys_are_five_together(world, system, publisher, refused):
    for _ in range(3):
        world.add_key(system.client_id, world.new_key("Ed25519"), "Ed25519")
    publisher.list(system.key, world.new_key("ES256"))
    assert system.ask().status_code == 200

    world.clock.advance(301)
    publisher.list(system.key, world.new_key("ES256"), world.new_key("ES256"))
    assert system.ask().status_code == 200

    assert "more than 5" in world.key_sets.of(system.client_id).problem


def test_a_registered_key_stays_whatever_the_set_says(world, intake, publisher):
    world.key_sets.publish_at(intake.client_id, URI, actor="operator")
    publisher.list(intake.key)
    assert intake.ask().status_code == 200
    publisher.list()
    world.clock.advance(301)

    assert intake.ask().status_code == 200
    (row,) = rows(world)
    assert not row.is_fetched


@pytest.mark.both_databases
def test_the_trust_list_names_published_keys_until_they_ended(world, system, publisher):
    system.ask()
    begun = world.clock()
    publisher.list(world.new_key("Ed25519"))
    world.clock.advance(301)
    system.ask()

    with world.database.read() as session:
        keys = requester_keys(session)

    assert [(key.owner, key.valid_from, key.valid_until == world.clock()) for key in keys] == [
        (system.client_id, begun, True),
        (system.client_id, world.clock(), False),
    ]


@pytest.mark.both_databases
def test_an_address_that_is_given_up_takes_its_keys_and_tokens_along(world, system, refused, shut_out):
    token = system.token()
    world.clock.advance(1)

    world.key_sets.forget(system.client_id, actor="operator")

    shut_out(system.call(token), "invalid_token", "GW-404")
    refused(system.ask(), "invalid_client", "GW-121")
    assert [row.detail["jwks_uri"] for row in world.audit("client.key_set")] == [URI, None]


def test_another_address_is_asked_at_once(world, system, publisher):
    system.ask()
    elsewhere = []
    world.key_sets._fetch = lambda uri: elsewhere.append(uri) or Unusable("no answer")

    world.key_sets.publish_at(system.client_id, "https://new.example/jwks", actor="operator")
    world.key_sets.refresh(system.client_id)

    assert elsewhere == ["https://new.example/jwks"]


def test_an_answer_that_comes_after_the_address_was_changed_is_dropped(world, system, publisher):
    def change(_uri):
        world.key_sets.publish_at(system.client_id, "https://new.example/jwks", actor="operator")
        return Fetched(json.dumps({"keys": publisher.keys}).encode(), None)

    world.key_sets._fetch = change
    world.key_sets.refresh(system.client_id)

    assert rows(world) == []
    assert world.key_sets.of(system.client_id).fetched_at is None


def test_only_clients_publish_keys(world):
    with pytest.raises(UnknownError):
        world.key_sets.publish_at("customs-xa.nobody", URI, actor="operator")
    with pytest.raises(UnknownError):
        world.key_sets.forget("customs-xa.nobody", actor="operator")
    assert not world.key_sets.refresh("customs-xa.nobody")


@pytest.mark.parametrize(
    "uri",
    [
        "http://a.example/jwks",
        "https:///jwks",
        "https://user@a.example/jwks",
        "https://@a.example/jwks",
        "https://a.example/jwks#x",
        "https://a.example:0/jwks",
        "https://a.example:99999/jwks",
        "https://[::1/jwks",
        "https://a.example/j wks",
        "https://a.example/\n",
        "https://ä.example/",
        "file:///etc/passwd",
        "ftp://a.example/",
        "",
        "https://a.example/" + "x" * 2048,
    ],
)
def test_an_address_is_one_of_https(uri):
    with pytest.raises(InvalidInputError):
        require_key_set_uri(uri)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'{"keys":[],"keys":[]}', "not a JSON object"),
        (b"\xff\xfe", "not a JSON object"),
        (b"{}", "no list"),
        (b'{"keys":{}}', "no list"),
        (b'{"keys":[1]}', "no list"),
        (b'{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', "private"),
        (b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"a","d":"b"}]}', "private"),
    ],
)
def test_a_set_that_is_none_is_not_taken(body, words):
    outcome = read_key_set(body)

    assert words in outcome.words
    assert "c2VjcmV0" not in outcome.words


def test_keys_for_other_uses_are_passed_over(shared_world):
    key = shared_world.jwk_of(shared_world.new_key("ES256"))
    others = [
        {**shared_world.jwk_of(shared_world.new_key("ES256")), "use": "enc"},
        {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"},
        {"kty": "new"},
        {"kty": "OKP", "crv": "Ed25519", "x": shared_world.b64url(bytes(32))},
        {**shared_world.jwk_of(shared_world.new_key("ES256")), "kid": 1},
        {**shared_world.jwk_of(shared_world.new_key("ES256")), "kid": "é"},
    ]
    body = json.dumps({"keys": [*others, {**key, "kid": "a", "x5t": "b", "x5c": ["c"], "use": "sig"}]}).encode()

    (listed,) = read_key_set(body)

    assert (listed.public.kid, listed.listed_as) == (shared_world.thumbprint(key), "a")


def test_more_than_five_keys_or_two_of_one_name_are_not_taken(shared_world):
    keys = [shared_world.jwk_of(shared_world.new_key("Ed25519")) for _ in range(6)]

    assert "more than 5" in read_key_set(json.dumps({"keys": keys}).encode()).words
    twins = [{**key, "kid": "a"} for key in keys[:2]]
    assert "same kid" in read_key_set(json.dumps({"keys": twins}).encode()).words


def test_a_set_belongs_to_a_client(world, system):
    with world.database.read() as session:
        assert session.get(ClientKeySet, system.client_id).uri == URI
        assert session.get(Client, system.client_id) is not None
