"""The OpenAPI document tells of every route and every problem, and real answers are as it says."""

import json
import os
from urllib.parse import quote

import jsonschema
import pytest
import schemathesis
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, seed, strategies
from hypothesis import settings as hypothesis_settings

from gateway.cli import main
from gateway.openapi.document import path_of, routes
from gateway.openapi.operations import OPERATIONS
from gateway.web.problem_kinds import PROBLEMS
from ipx.channel import Call
from ipx.errors import EvidenceError
from ipx.tokens import Grant, purpose_grant
from tests.exchange.world import CUSTOMS, OFFICE, Gateway


@schemathesis.serializer("application/jose", "application/sd-jwt")
def as_it_is(ctx, value):
    """Signed texts go as they were made up."""
    return str(value).encode()


SCOPES = (
    *("policies:read", "policies:edit", "policies:approve", "approvals:decide", "records:push", "records:recall"),
    "audit:read",
)


@pytest.fixture(scope="module")
def site(one_gateway) -> Gateway:
    agencies = one_gateway.services.agencies
    agencies.grant("ipo-xa", list(SCOPES), actor="operator:test")
    agencies.set_client_scopes(OFFICE, ["exchange:request", *SCOPES], actor="operator:test")
    return one_gateway


@pytest.fixture(scope="module")
def described(site):
    return site.http.get("/v1/openapi.json").json()


def call(site, method, path, scope, body=b"", headers=None, client=OFFICE):
    resource = site.settings.resource
    grant = Grant(scope, resource)
    if scope == "exchange:request" and client == CUSTOMS:
        good = site.payload(client)
        grant = purpose_grant(scope, resource, purpose=good["purpose"], legal_basis=good["legal_basis"])
    return site.client(client)._call(Call(method, site.settings.origin + path, headers or {}, body), grant)


def schema_of(described, path, method, status):
    answer = described["paths"][path][method]["responses"][str(status)]
    if "$ref" in answer:
        answer = described["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    (content,) = answer["content"].values()
    return {**content["schema"], "components": described["components"]}


def require_valid(described, path, method, status, document):
    schema = schema_of(described, path, method, status)
    jsonschema.Draft202012Validator(schema).validate(document)


def test_every_route_and_every_method_is_described(site, described):
    wanted = {(path_of(rule), method.lower()) for rule, method in routes(site.app)}

    assert {rule.endpoint for rule, _ in routes(site.app)} - OPERATIONS.keys() == set()
    assert {(path, method) for path, methods in described["paths"].items() for method in methods} == wanted
    assert described["openapi"] == "3.1.0"
    for methods in described["paths"].values():
        for operation in methods.values():
            assert operation["summary"].endswith(".")


def test_every_problem_is_described_with_an_example(described):
    told = {
        slug
        for response in described["components"]["responses"].values()
        for slug in response["content"]["application/problem+json"]["examples"]
    }

    assert told == PROBLEMS.keys()


def test_whoever_has_the_document_is_told_that_it_is_the_same(site):
    first = site.http.get("/v1/openapi.json")

    again = site.http.get("/v1/openapi.json", headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304


def test_real_answers_are_as_described(site, described):
    released = site.post(site.sign().encode())
    refused = site.post(b"no request")
    number = released.json()["id"]

    assert (released.status, refused.status) == (200, 400)
    require_valid(described, "/v1/exchanges", "post", 200, released.json())
    require_valid(described, "/v1/exchanges", "post", 400, refused.json())
    for path, template, scope, client in (
        (f"/v1/exchanges/{number}", "/v1/exchanges/{exchange_id}", "exchange:request", CUSTOMS),
        ("/v1/exchanges?role=requester", "/v1/exchanges", "exchange:request", CUSTOMS),
        ("/v1/approvals", "/v1/approvals", "approvals:decide", OFFICE),
        ("/v1/recalls?role=addressee", "/v1/recalls", "exchange:request", CUSTOMS),
        (
            f"/v1/records/{quote(site.urn(), safe='')}/releases",
            "/v1/records/{urn}/releases",
            "exchange:request",
            OFFICE,
        ),
        ("/v1/policies", "/v1/policies", "policies:read", OFFICE),
        ("/v1/policies/changes", "/v1/policies/changes", "policies:read", OFFICE),
        ("/v1/audit/exchanges", "/v1/audit/exchanges", "audit:read", OFFICE),
        ("/v1/audit/acts", "/v1/audit/acts", "audit:read", OFFICE),
        ("/v1/whoami", "/v1/whoami", "exchange:request", CUSTOMS),
        ("/v1/record-types", "/v1/record-types", "exchange:request", CUSTOMS),
        ("/v1/record-types/trademark", "/v1/record-types/{name}", "exchange:request", CUSTOMS),
    ):
        reply = call(site, "GET", path, scope, client=client)
        assert reply.status == 200, (path, reply.body)
        require_valid(described, template, "get", 200, json.loads(reply.body))
    draft = json.dumps({"tier": "holder", "owner": "ipo-xa", "title": "x"}).encode()
    opened = call(site, "POST", "/v1/policies/changes", "policies:edit", draft)
    assert opened.status == 201
    require_valid(described, "/v1/policies/changes", "post", 201, json.loads(opened.body))


EXAMPLES = int(os.environ.get("IPX_FUZZ_EXAMPLES", "2"))
SEED = int(os.environ.get("IPX_FUZZ_SEED", "1"))
MADE_UP = hypothesis_settings(
    max_examples=EXAMPLES,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
MEMBERS = (
    "iss",
    "aud",
    "jti",
    "iat",
    "exp",
    "holder",
    "record",
    "query",
    "groups",
    "purpose",
    "legal_basis",
    "case_ref",
)
SIMPLE = (
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.text()
    | strategies.sampled_from(
        ["urn:ipx:ipo-xa:trademark:2024", "trademark", {"ge": "x"}, {"contains": "\x00"}, "\ud800"]
    )
)
JSON = strategies.recursive(
    SIMPLE, lambda inner: strategies.lists(inner) | strategies.dictionaries(strategies.text(), inner), max_leaves=8
)


def test_no_signed_request_with_made_up_members_breaks_the_gateway(site):
    broken = []

    @seed(SEED)
    @hypothesis_settings(MADE_UP, max_examples=EXAMPLES * 10)
    @given(changes=strategies.dictionaries(strategies.sampled_from(MEMBERS), JSON, min_size=1, max_size=2))
    def run(changes):
        if "query" in changes:
            changes["record"] = None
        try:
            body = site.sign(**changes).encode()
        except (ValueError, EvidenceError):  # such as a lone surrogate, which no JSON can carry
            return
        reply = site.post(body)
        if reply.status == 500:
            broken.append((changes, reply.body[:300]))

    run()
    assert not broken, "\n".join(map(repr, broken))


def test_no_made_up_call_breaks_the_gateway(site, described):

    broken = [
        call
        for found in schemathesis.openapi.from_dict(described).get_all_operations()
        for call in broken_by(site, found.ok())
    ]

    assert not broken, "\n".join(map(repr, broken))


def broken_by(site, operation):
    """Call an operation with made-up calls that carry a good token and proof; give those that end in 500."""
    security = operation.definition.raw["security"]
    scope = (security[0]["dpop"] or ["exchange:request"])[0] if security else "exchange:request"
    broken = []

    @seed(SEED)
    @MADE_UP
    @given(case=operation.as_strategy())
    def run(case):
        made = case.as_transport_kwargs(base_url=site.settings.origin)
        content = {"json": made["json"]} if "json" in made else {"content": made.get("data") or b""}
        request = site.http.build_request(
            made["method"], made["url"], params=made.get("params"), headers=made.get("headers"), **content
        )
        headers = {name: value for name, value in request.headers.items() if name not in {"host", "connection"}}
        path = str(request.url).removeprefix(site.settings.origin)
        client = CUSTOMS if scope == "exchange:request" else OFFICE
        reply = call(site, request.method, path, scope, request.content, headers, client)
        if reply.status == 500:
            broken.append((request.method, path, request.content[:300], reply.body[:300]))

    run()
    return broken


def test_the_command_writes_the_document_that_the_gateway_serves(site, tmp_path):
    printed = CliRunner().invoke(main, ["openapi"], obj=site.services)
    written = CliRunner().invoke(main, ["openapi", "--out", str(tmp_path / "api.json")], obj=site.services)

    assert (printed.exit_code, written.exit_code) == (0, 0)
    assert printed.output == (tmp_path / "api.json").read_text("utf-8") == site.http.get("/v1/openapi.json").text
