"""Lists have pages and say where they go on; what is unchanged is 304; what will go says so."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

import flask
import pytest

from gateway.openapi.document import path_of, routes
from gateway.web.deprecation import Deprecated, install
from tests.exchange.world import CUSTOMS, OFFICE
from tests.observing.test_openapi import SCOPES, call

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(one_gateway):
    agencies = one_gateway.services.agencies
    agencies.grant("ipo-xa", list(SCOPES), actor="operator:test")
    agencies.set_client_scopes(OFFICE, ["exchange:request", *SCOPES], actor="operator:test")
    for number in range(3):
        draft = json.dumps({"tier": "holder", "owner": "ipo-xa", "title": f"draft {number}"}).encode()
        assert call(one_gateway, "POST", "/v1/policies/changes", "policies:edit", draft).status == 201
    return one_gateway


def read(site, path, **headers):
    return call(site, "GET", path, "policies:read", headers={name.replace("_", "-"): v for name, v in headers.items()})


def test_a_list_is_read_to_its_end_by_its_links(site):
    path, seen = "/v1/policies/changes?limit=2&tier=holder", []
    while path:
        reply = read(site, path)
        seen += [one["title"] for one in reply.json()["items"]]
        assert ("Link" in reply.headers) is not reply.json()["complete"]
        path = reply.headers.get("Link", "").partition(">")[0].removeprefix("<")

    assert seen == ["draft 2", "draft 1", "draft 0"]


@pytest.mark.parametrize("path", ["/v1/policies/emergencies", "/v1/policies/holder/ipo-xa/activations"])
def test_every_list_that_grows_has_pages(site, path):
    first = read(site, f"{path}?limit=1").json()

    assert first.keys() == {"items", "next", "complete"}
    assert len(first["items"]) <= 1
    assert read(site, f"{path}?after=1").json()["items"] == []
    assert read(site, f"{path}?limit=0").status == 400


WHOLE = {
    "/v1/record-types": "as many as are declared",
    "/v1/audit/searches": "two hundred of each owner at most",
    "/v1/policies/{tier}/{owner}/tests": "as many as stand beside the policies",
}
"""Lists that come whole, as docs/versioning.md says, because their number is bounded."""
SIGNED_ANEW = {"/v1/recalls/signed"}
ASKING = {"policies.linted", "policies.explain_question", "records.names", "audit.subject"}
"""What is asked by POST because it is long or personal, and does nothing."""


@pytest.fixture(scope="module")
def answers(site):
    """How each address is read in this world; whether it has pages, and whether its answers are compared."""
    exchange = site.post(site.sign().encode()).json()["id"]
    named = {
        "tier": "holder",
        "owner": "ipo-xa",
        "change_id": "1",
        "name": "trademark",
        "exchange_id": exchange,
        "urn": quote(site.urn(), safe=""),
        "policy_id": read(site, "/v1/policies").json()["items"][-1]["policy"],
    }
    found = {}
    for template, methods in site.http.get("/v1/openapi.json").json()["paths"].items():
        if "get" not in methods or set(re.findall(r"{(\w+)}", template)) - named.keys():
            continue
        parameters = [one["name"] for one in methods["get"]["parameters"] if one["in"] == "query"]
        client, scope = (CUSTOMS, "exchange:request") if template.startswith("/v1/exchanges") else (OFFICE, None)
        security = methods["get"]["security"]
        scope = scope or ((security[0]["dpop"] or ["policies:read"])[0] if security else "policies:read")
        query = {"role": "holder" if "recalls" in template else "requester"} if "role" in parameters else {}
        query |= {"since": "2026-01-01", "until": "2026-02-01"} if template.endswith("/reports") else {}
        path = f"{template.format(**named)}?{urlencode(query)}"

        def get(more="", *, path=path, scope=scope, client=client, **headers):
            return call(site, "GET", path + more, scope, headers=headers, client=client)

        found[template] = (get, "limit" in parameters, "304" in methods["get"]["responses"])
    return found


def test_every_list_has_pages_or_is_among_those_that_come_whole(answers):
    page = (ROOT / "docs" / "versioning.md").read_text("utf-8")
    whole = set()
    for template, (get, is_paged, _) in answers.items():
        reply = get()
        document = json.loads(reply.body) if reply.headers["Content-Type"] == "application/json" else {}
        if not isinstance(document, dict) or "items" not in document:
            assert not is_paged or reply.status != 200, template
        elif is_paged:
            assert {"items", "next", "complete"} <= document.keys(), template
            small = json.loads(get("&limit=1").body)
            assert len(small["items"]) <= 1
            assert (small["next"] is None) == small["complete"]
            assert get("&limit=0").status == get("&limit=201").status == 400
            assert get(f"&{'after' if 'after' in template else 'cursor'}=%00").status in {200, 400}
        else:
            whole.add(template)

    assert whole <= WHOLE.keys()
    assert all(f"`{template}`" in page for template in WHOLE)


def test_what_is_unchanged_is_not_sent_again(answers):
    compared = 0
    for template, (get, _, is_tagged) in answers.items():
        first = get()
        if first.status != 200:
            continue
        assert ("ETag" in first.headers) is is_tagged, template
        if is_tagged:
            again = get(**{"If-None-Match": first.headers["ETag"]})
            # Looks of auditors are acts, so that some of their lists have grown meanwhile.
            is_same = again.headers["ETag"] == first.headers["ETag"]
            assert (again.status, again.body == b"") == ((304, True) if is_same else (200, False)), template
            assert is_same or template.startswith("/v1/audit/") or template in SIGNED_ANEW, template
            compared += again.status == 304

    assert compared >= 15


def test_every_call_that_does_something_can_be_repeated_safely(site):
    described = site.http.get("/v1/openapi.json").json()
    endpoints = {(path_of(rule), method.lower()): rule.endpoint for rule, method in routes(site.app)}
    for template, methods in described["paths"].items():
        for method in methods.keys() & {"post", "put", "patch"}:
            operation, endpoint = methods[method], endpoints[template, method]
            headers = {one["name"] for one in operation["parameters"] if one["in"] == "header"}
            is_signed = "application/json" not in operation.get("requestBody", {"content": {"": {}}})["content"]
            assert is_signed or headers & {"If-Match", "Idempotency-Key"} or endpoint in ASKING, endpoint


def test_a_search_is_kept_once_however_often_the_call_is_sent(site):
    body = json.dumps({"name": "mine", "kind": "acts", "query": {}}).encode()

    first, again = (
        call(site, "POST", "/v1/audit/searches", "audit:read", body, {"Idempotency-Key": "s-1"}) for _ in range(2)
    )

    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert call(site, "POST", "/v1/audit/searches", "audit:read", body).status == 409


def test_a_list_of_policies_is_read_to_its_end_by_its_links(site):
    path, seen = "/v1/policies?limit=2", []
    while path:
        reply = read(site, path)
        seen += [(one["tier"], one["owner"], one["policy"]) for one in reply.json()["items"]]
        path = reply.headers.get("Link", "").partition(">")[0].removeprefix("<")

    whole = read(site, "/v1/policies?limit=200").json()
    assert len(seen) > 2
    assert seen == [(one["tier"], one["owner"], one["policy"]) for one in whole["items"]] == sorted(set(seen))


def test_an_address_that_will_go_says_when_and_what_follows():
    app = flask.Flask("small")
    app.add_url_rule("/old", "old", lambda: "x")
    app.add_url_rule("/new", "new", lambda: "x")
    gone = Deprecated(datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC), "https://gw.example/new")
    install(app, {"old": gone})

    old, new = app.test_client().get("/old"), app.test_client().get("/new")

    assert old.headers["Deprecation"] == "@1798761600"
    assert old.headers["Sunset"] == "Sat, 01 Jan 2028 00:00:00 GMT"
    assert old.headers["Link"] == '<https://gw.example/new>; rel="deprecation"; type="text/html"'
    assert "Deprecation" not in new.headers


def test_who_has_a_quota_is_told_what_is_left_of_it(one_gateway):
    quotas = one_gateway.services.quotas
    free = one_gateway.post(one_gateway.sign().encode())
    quotas.set("customs-xa", per_minute=None, per_day=2, query_records=None, actor="operator:test")
    try:
        answers = [one_gateway.post(one_gateway.sign().encode()) for _ in range(3)]
    finally:
        quotas.set("customs-xa", per_minute=None, per_day=None, query_records=None, actor="operator:test")

    assert "RateLimit" not in free.headers
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"agency-day";q=2;w=86400'}
    left = [re.fullmatch(r'"agency-day";r=(\d);t=\d+', answer.headers["RateLimit"])[1] for answer in answers]
    assert left == ["1", "0", "0"]
    assert int(answers[2].headers["Retry-After"]) > 0


def test_a_call_with_a_key_of_its_own_creates_one_thing_however_often_it_is_sent(site):
    draft = json.dumps({"tier": "holder", "owner": "ipo-xa", "title": "once"}).encode()
    other = json.dumps({"tier": "holder", "owner": "ipo-xa", "title": "twice"}).encode()
    wrong = json.dumps({"tier": "nobody"}).encode()

    def post(body, key):
        return call(site, "POST", "/v1/policies/changes", "policies:edit", body, {"Idempotency-Key": key})

    first, again, reused = post(draft, '"k-1"'), post(draft, '"k-1"'), post(other, '"k-1"')
    refused, mended = post(wrong, "k-2"), post(other, "k-2")

    assert (first.status, again.status, reused.status) == (201, 201, 422)
    assert again.body == first.body
    assert (again.headers["ETag"], again.headers["Idempotency-Replayed"]) == (first.headers["ETag"], "true")
    assert (refused.status, mended.status) == (422, 201)
    assert post(draft, "x" * 256).status == 400


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_value_that_no_column_can_hold_is_the_callers_fault(gateway):
    gateway.services.agencies.grant("ipo-xa", list(SCOPES), actor="operator:test")
    gateway.services.agencies.set_client_scopes(OFFICE, list(SCOPES), actor="operator:test")

    for path, scope in (
        ("/v1/audit/flags?assignee=%00", "audit:read"),
        ("/v1/audit/exchanges/%00", "audit:read"),
        ("/v1/approvals/%00", "approvals:decide"),
        ("/v1/policies/changes?owner=%00", "policies:read"),
    ):
        assert call(gateway, "GET", path, scope).status in {200, 400, 404}, path
    draft = json.dumps({"tier": "holder", "owner": "ipo-xa", "title": "a\x00b"}).encode()
    assert call(gateway, "POST", "/v1/policies/changes", "policies:edit", draft).status in {400, 422}
