"""Tokens, passwords and keys go where the source file says and nowhere else; a token that dies is renewed once."""

import logging

import pytest

from connectors.protocol import Failed, FailReason, Found
from connectors.row_filter import Exists
from tests.connectors.rest_source import OAUTH, SECRET, case, fetched, good, page
from tests.connectors.stub_server import Reply


class TokenServer:
    """Gives tokens t1, t2 …; a call is good only with the token that lives."""

    def __init__(self, expires_in="1199", answer=None):
        self.count = 0
        self.live = None
        self.expires_in = expires_in
        self.answer = answer or (lambda asked: good())

    def __call__(self, asked):
        if asked.path == "/token":
            self.count += 1
            self.live = f"token-{self.count}"
            return Reply({"access_token": self.live, "expires_in": self.expires_in, "token_type": "Bearer"})
        if asked.headers.get("authorization") != f"Bearer {self.live}":
            return Reply({}, 401)
        return self.answer(asked)


def test_one_token_serves_many_calls_though_its_lifetime_is_a_text(api, server, deadline):
    tokens = TokenServer(expires_in="1199")
    source = api(answer=tokens, put=OAUTH, ID="the-id", KEY=SECRET)

    outcomes = [fetched(source, deadline) for _ in range(3)]

    assert all(isinstance(outcome, Found) for outcome in outcomes)
    assert tokens.count == 1
    assert server.asked[0].body == b"grant_type=client_credentials&scope=cases.read"


def test_a_token_near_its_end_is_renewed_before_it_dies(api, deadline):
    tokens = TokenServer(expires_in=0)
    source = api(answer=tokens, put=OAUTH, ID="the-id", KEY=SECRET)

    fetched(source, deadline)
    fetched(source, deadline)

    assert tokens.count == 2


def test_a_token_that_dies_between_pages_is_renewed_once_and_the_page_repeated(api, server, deadline):
    tokens = TokenServer()

    def pages(asked):
        cursor = asked.query.get("cursor")
        if cursor is None:
            tokens.live = "another"  # from now on the token is dead
            return page(case("C-1"), next="p2")
        return page(case("C-2"))

    tokens.answer = pages
    source = api(answer=tokens, put=OAUTH, ID="the-id", KEY=SECRET)

    outcome = source.connector.search(Exists("authority"), None, deadline)

    assert [found.key for found in outcome.found] == ["C-1", "C-2"]
    assert [asked.query.get("cursor") for asked in server.asked if asked.path == "/cases"] == [None, "p2", "p2"]


def test_a_token_refused_twice_is_a_fault_of_the_registration(api, server, deadline):
    tokens = TokenServer(answer=lambda asked: Reply({}, 401))
    source = api(answer=tokens, put=OAUTH, ID="the-id", KEY=SECRET)

    assert fetched(source, deadline) == Failed(FailReason.MISCONFIGURED)
    assert tokens.count == 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply({"error": "invalid_client"}, 401), FailReason.MISCONFIGURED),
        (Reply({}, 500), FailReason.UNREACHABLE),
        (Reply({}, 429), FailReason.THROTTLED),
        (Reply({"token": "x"}), FailReason.BAD_ANSWER),
        (Reply({"access_token": "a b"}), FailReason.BAD_ANSWER),
        (Reply({"access_token": "a", "token_type": "mac"}), FailReason.BAD_ANSWER),
        (Reply("<html/>"), FailReason.BAD_ANSWER),
    ],
)
def test_a_token_endpoint_that_fails_says_why(api, deadline, reply, reason):
    source = api(answer=lambda asked: reply, put=OAUTH, ID="the-id", KEY=SECRET)

    assert fetched(source, deadline).reason is reason


def test_two_credentials_may_go_with_one_call(api, server, deadline):
    put = {"  fetch:": '  headers: {X-IBM-Client-Id: "${secret:ID}"}\n' + OAUTH["  fetch:"]}
    source = api(answer=TokenServer(), put=put, ID="the-id", KEY=SECRET)

    fetched(source, deadline)

    assert server.asked[-1].headers["x-ibm-client-id"] == "the-id"
    assert server.asked[-1].headers["authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ('{basic: {user: reader, password: "${secret:KEY}"}}', "authorization", "Basic cmVhZGVyOnMzY3IzdCtrZXkvPQ=="),
        ('{key: "${secret:KEY}", header: X-Api-Key}', "x-api-key", SECRET),
        ('{key: "${secret:KEY}", header: Authorization, prefix: "Token "}', "authorization", f"Token {SECRET}"),
    ],
)
def test_a_password_or_key_goes_where_the_file_says(api, server, deadline, auth, header, value):
    source = api(answer=lambda asked: good(), put={"  fetch:": f"  auth: {auth}\n  fetch:"}, KEY=SECRET)

    fetched(source, deadline)

    assert server.asked[0].headers[header] == value


def test_a_key_in_the_query_reaches_no_log_no_record_and_no_error(api, server, deadline, caplog):
    caplog.set_level(logging.DEBUG)
    answers = iter([good(), Reply({"code": "9", "said": SECRET}), Reply(wire=b"")])
    source = api(
        answer=lambda asked: next(answers),
        put={"  fetch:": '  auth: {key: "${secret:KEY}", query: serviceKey}\n  fetch:'},
        KEY=SECRET,
    )

    outcomes = [fetched(source, deadline) for _ in range(3)]

    assert server.asked[0].query == {"serviceKey": SECRET}
    told = caplog.text + repr(outcomes) + repr(source.connector.health())
    assert SECRET not in told
    assert "s3cr3t" not in told
    warned = [line.getMessage() for line in caplog.records if line.levelno == logging.WARNING]
    assert len(warned) == 2
    assert warned[1].endswith(": fetch: unreachable: RemoteProtocolError")
    assert "Server disconnected" in caplog.text


def test_a_key_with_a_line_feed_behind_it_is_refused_and_not_logged(api, server, deadline, caplog):
    put = {"  fetch:": '  auth: {key: "${secret:KEY}", header: X-Api-Key}\n  fetch:'}
    source = api(answer=lambda asked: good(), put=put, KEY=f"{SECRET}\n")

    assert fetched(source, deadline) == Failed(FailReason.MISCONFIGURED)
    assert (server.asked, SECRET in caplog.text, "s3cr3t" in caplog.text) == ([], False, False)
