"""Answers for programs: JSON without a second meaning, headers that nobody corrects on their way out."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

import pytest
from flask import Flask
from werkzeug.test import Client

from gateway.web import headers
from gateway.web.documents import Document, json_bytes


@dataclass
class Pair:
    one: int


def test_what_is_written_is_compact_utf8_with_members_in_their_order():
    assert json_bytes({"b": 1, "a": ["é", 1.5, None, True]}) == '{"b":1,"a":["é",1.5,null,true]}'.encode()
    assert json_bytes(MappingProxyType({"a": {}})) == b'{"a":{}}'


@pytest.mark.parametrize("value", [datetime(2026, 11, 26, tzinfo=UTC), Pair(1), {1: "a"}, {"a"}, b"bytes", 1 << 64])
def test_what_is_no_json_is_refused_and_not_guessed(value):
    with pytest.raises(TypeError):
        json_bytes(value)


@pytest.fixture
def answers():
    """Answers as the gateway gives them, with its headers, one of them without a body."""
    app = Flask(__name__)
    app.after_request(headers.set_headers)

    @app.get("/")
    def whole():
        response = Document(json_bytes({"a": 1}), content_type="application/json")
        response.headers["Location"] = "/v1/exchanges/1"
        response.headers["Referrer-Policy"] = "origin"
        return response

    @app.get("/conditional")
    def conditional():
        response = Document(json_bytes({"a": 1}), content_type="application/json")
        response.set_etag("same")
        response.status_code = 304
        return response

    return app.test_client()


def test_an_answer_goes_out_with_its_own_headers_and_what_was_missing(answers):
    answer = answers.get("/")
    assert json.loads(answer.data) == {"a": 1}
    assert (answer.headers["Location"], answer.headers["Content-Length"]) == ("/v1/exchanges/1", "7")
    assert answer.headers.getlist("Referrer-Policy") == ["origin"]
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_who_asks_for_the_head_gets_the_headers_alone(answers):
    answer = answers.head("/")
    assert (answer.data, answer.headers["Content-Length"]) == (b"", "7")


def test_who_waits_for_the_end_of_an_answer_is_told():
    ended = []
    response = Document(b"{}", content_type="application/json")
    response.call_on_close(lambda: ended.append("told"))

    with Client(response).get("/") as answer:
        assert (answer.data, ended) == (b"{}", [])
    assert ended == ["told"]


def test_an_answer_without_a_body_says_nothing_of_one(answers):
    answer = answers.get("/conditional")
    assert (answer.status_code, answer.data) == (304, b"")
    assert "Content-Type" not in answer.headers
    assert "Content-Length" not in answer.headers
