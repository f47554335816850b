"""Requests that a web framework would repair: refused before anything else is looked at."""

import pytest


@pytest.fixture
def world(shared_world):
    return shared_world


@pytest.fixture
def intake(shared_world):
    return shared_world.intake


@pytest.fixture
def post(world, intake):
    def send(body, content_type="application/x-www-form-urlencoded", path="/oauth/token", **more):
        return world.http.post(path, data=body, content_type=content_type, headers={"DPoP": intake.proof()}, **more)

    return send


PATHS = ["/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/debug/token"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
        "application/x-www-form-urlencoded; charset=utf-16",
    ],
)
def test_only_a_form_is_taken(post, refused, path, content_type):
    refused(post(b"grant_type=client_credentials", content_type, path), "invalid_request", "GW-010")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ["scope", "grant_type", "client_assertion", "colour", "token"])
def test_a_parameter_twice_is_refused(post, refused, path, name):
    refused(post(f"{name}=a&{name}=a".encode(), path=path), "invalid_request", "GW-011")


def test_a_parameter_twice_is_refused_also_when_one_is_empty_or_escaped(post, refused):
    refused(post(b"scope=a&scope="), "invalid_request", "GW-011")
    refused(post(b"scope=a&s%63ope=b"), "invalid_request", "GW-011")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("query", ["scope=exchange:request", "a", "client_assertion=x"])
def test_parameters_in_the_address_are_refused(intake, post, refused, path, query):
    refused(post(b"grant_type=client_credentials", path=f"{path}?{query}"), "invalid_request", "GW-012")


def test_a_whole_request_in_the_address_is_refused(world, intake, refused):
    answer = world.http.post("/oauth/token", query_string=intake.form(), headers={"DPoP": intake.proof()})

    refused(answer, "invalid_request", "GW-012")


@pytest.mark.parametrize("path", PATHS)
def test_a_body_of_200_kb_is_refused(post, refused, path):
    refused(post(b"a=" + b"x" * 200_000, path=path), "invalid_request", "GW-013", 413)


@pytest.mark.parametrize(
    "piece",
    [
        b"a=%",
        b"a=%4",
        b"a=%zz",
        b"a=%ff",
        b"a=%c0%80",
        b"a=%00",
        b"a=%0a",
        b"a=%7f",
        b"a=%c2%85",
        b"a=\xff",
        b"a=b c",
        b"a=%ef%bf%bd",
        b"a=%ed%a0%80",
        b"a=\x00",
        b"%0a=b",
    ],
)
def test_characters_that_would_be_repaired_are_refused(post, refused, piece):
    refused(post(b"grant_type=client_credentials&" + piece), "invalid_request", "GW-014")


def test_more_than_32_parameters_are_refused(post, refused):
    refused(post("&".join(f"p{n}=1" for n in range(33)).encode()), "invalid_request", "GW-015")
    refused(post("&".join(f"p{n}=1" for n in range(5000)).encode()), "invalid_request", "GW-015")


@pytest.mark.parametrize("body", [b"", b"&&&", b"scope=a", b"grant_type=", b"=client_credentials"])
def test_a_request_without_grant_type_says_so(post, refused, body):
    refused(post(body), "invalid_request", "GW-016")


@pytest.mark.parametrize(
    "grant",
    [
        "authorization_code",
        "refresh_token",
        "password",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "Client_credentials",
    ],
)
def test_another_grant_is_refused(intake, refused, grant):
    refused(intake.ask(grant_type=grant), "unsupported_grant_type", "GW-020")


@pytest.mark.parametrize(
    "scope", [..., "", " ", "a  b", " a", "a ", 'a"b', "a\\b", "é", "a a", "exchange:request exchange:request"]
)
def test_a_malformed_scope_is_refused(world, intake, refused, scope):
    refused(intake.ask(scope=world.ABSENT if scope is ... else scope), "invalid_scope", "GW-200")


@pytest.mark.parametrize(
    "scope", ["nobody:has", "exchange:request nobody:has", "exchange:Request", "exchange:request,x"]
)
def test_a_scope_is_never_narrowed(intake, refused, scope):
    refused(intake.ask(scope=scope), "invalid_scope", "GW-201")


def test_a_scope_on_the_client_that_its_agency_has_not_is_refused(world, refused):
    system = world.system("customs-xa.eager", scopes=("exchange:request", "other:thing"))

    refused(system.ask(scope="exchange:request other:thing"), "invalid_scope", "GW-202")


@pytest.mark.parametrize(
    "resource",
    [
        "https://gw.example",
        "https://gw.example/v1/",
        "https://GW.example/v1",
        "https://gw.example/v3",
        "https://evil.example/v1",
        "x",
        "https://gw.example/v1#a",
    ],
)
def test_a_resource_is_one_of_ours_letter_by_letter(intake, refused, resource):
    refused(intake.ask(resource=resource), "invalid_target", "GW-210")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_refused(world, path, method):
    answer = world.http.open(path, method=method)

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/oauth/introspect", "/oauth/revoke", "/oauth/debug/token"])
def test_a_request_about_no_token_is_refused(intake, refused, path):
    refused(intake.post(path), "invalid_request", "GW-015")
    refused(intake.post(path, token=""), "invalid_request", "GW-015")


def test_a_nonce_comes_with_success_and_challenge_and_no_other_answer(world, intake, post):
    for answer in (intake.ask(), intake.ask(intake.proof(claims={"nonce": "old"}))):
        assert answer.headers["DPoP-Nonce"] == world.nonce()
    for answer in (intake.ask(scope="x"), post(b"")):
        assert "DPoP-Nonce" not in answer.headers
