"""Every address is documented, and none answers a stranger unless it is meant for everybody."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"

PUBLIC = {
    "/",
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/v1",
    "/about/accessibility",
    "/about/licences",
    "/account/static/<path:filename>",
    "/favicon.ico",
    "/health",
    "/livez",
    "/readyz",
    "/sign-in",
    "/sign-in/passkey",
    "/static/<digest>/<name>",
    "/v1/openapi.json",
    "/v1/record-types",
    "/v1/record-types/<name>",
    "/log/checkpoint",
    "/log/consistency",
    "/log/proof",
    "/log/tile/<path:path>",
    "/log/trust.jwk",
    "/log/trust.jws",
    "/oauth/errors",
    "/oauth/errors/<code>",
    "/oauth/jwks",
    "/problems/<slug>",
}


@pytest.fixture
def settings(settings):
    return replace(settings, has_consoles=True)


@pytest.fixture
def routes(gateway):
    return sorted(gateway.app.url_map.iter_rules(), key=lambda route: route.rule)


def test_every_address_is_documented(routes):
    text = (DOCS / "api.md").read_text("utf-8")
    families = tuple(re.findall(r"`(/[^`…]+)…`", text))  # `/admin/agencies…`: an address and all below

    assert [
        route.rule for route in routes if f"`{route.rule}`" not in text and not route.rule.startswith(families)
    ] == []


def test_no_address_answers_a_stranger_unless_it_is_public(gateway, routes):
    for route in routes:
        path = re.sub(r"<[^>]+>", "x", route.rule)
        for method in sorted(route.methods - {"HEAD", "OPTIONS"}):
            answer = gateway.http.request(method, path)
            status = answer.status_code
            if answer.headers.get("Location", "").partition("?")[0] == "/sign-in":
                continue
            if route.rule in PUBLIC:
                assert status in {200, 400, 404}, route.rule
            else:
                assert 400 <= status < 500, f"{method} {route.rule} gave a stranger {status}"


def test_an_address_that_does_not_exist_is_a_problem_document(gateway):
    reply = gateway.http.get("/v1/nothing")

    assert reply.status_code == 404
    assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("host", "status"), [("other.example", 401), ("[::1]:8080", 401), ("no host at all", 401), ("two..dots", 400)]
)
def test_an_address_is_matched_whatever_host_is_named_if_it_is_one(gateway, host, status):
    answer = gateway.http.post("/v1/exchanges", headers={"Host": host})

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_wrong_method_names_the_right_ones(gateway):
    reply = gateway.http.delete("/v1/exchanges")

    assert reply.status_code == 405
    assert "POST" in reply.headers["Allow"]
