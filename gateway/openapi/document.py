"""Builds the document: routes say what there is, operations what it takes, the problem table what fails."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, Final

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from marshmallow import Schema
from werkzeug.routing import Rule

from gateway.openapi.operations import GUARDED, OPERATIONS, Operation
from gateway.openapi.shapes import SHAPES
from gateway.policy_api.callers import KEYED
from gateway.web.deprecation import DEPRECATED
from gateway.web.problem_kinds import PROBLEMS

ABOUT: Final = (
    "Records of intellectual property, released by their holders' policies and signed by their holders, with evidence "
    "that anybody can check. Refusals are problem documents (RFC 9457)."
)
UNKNOWN: Final = Operation("", {200: "Anything"})
"""For a route that nobody has described yet; a test fails for it, the document does not."""
_ARGUMENT: Final = re.compile(r"<(?:(?P<converter>[^:<>]+):)?(?P<name>\w+)>")
_LIMIT: Final = {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
_SCOPES: Final = {
    "exchange:request": "ask for records, see one's own side of exchanges",
    "approvals:decide": "grant or refuse what waits for release officers",
    "records:recall": "call back records that were given out",
    "records:push": "hand over records that the holder signed itself",
    "audit:read": "search exchanges and acts of one's own agency",
    "policies:read": "read policies of one's own agency",
    "policies:edit": "write policies of one's own agency",
    "policies:approve": "review policies of one's own agency",
}


def document(app: Flask, origin: str) -> dict[str, Any]:
    """Describe every route of `/v1` that an application serves."""
    spec = APISpec(
        title="IPX Gateway",
        version=version("ipx-gateway"),
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=_name)],
        info={"description": ABOUT},
        servers=[{"url": origin}],
    )
    for name, shape in SHAPES.items():
        spec.components.schema(name, dict(shape))
    spec.components.security_scheme(
        "dpop",
        {
            "type": "oauth2",
            "description": "client_credentials with private_key_jwt; the token is bound to a key (DPoP, RFC 9449), "
            "each call carries a proof in the header DPoP with the nonce of the answer before.",
            "flows": {"clientCredentials": {"tokenUrl": f"{origin}/oauth/token", "scopes": _SCOPES}},
        },
    )
    spec.components.security_scheme(
        "mtls", {"type": "mutualTLS", "description": "The token is bound to the client's certificate (RFC 8705)."}
    )
    for status in sorted({kind.status for kind in PROBLEMS.values()}):
        slugs = [slug for slug, kind in PROBLEMS.items() if kind.status == status]
        spec.components.response(f"Problem{status}", _problem_response(slugs, status, origin))
    for path, methods in sorted(_routes(app)):
        spec.path(path, operations=methods)
    return spec.to_dict()


def routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Give each route of `/v1` with each of its methods."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/v1/"):
            yield from ((rule, method) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))


def path_of(rule: Rule) -> str:
    """Write a route's address as OpenAPI does: `/v1/exchanges/{exchange_id}`."""
    return _ARGUMENT.sub(r"{\g<name>}", rule.rule)


def _routes(app: Flask) -> Iterable[tuple[str, dict[str, Any]]]:
    found: dict[str, dict[str, Any]] = {}
    for rule, method in routes(app):
        operation = OPERATIONS.get(rule.endpoint, UNKNOWN)
        view = app.view_functions[rule.endpoint]
        found.setdefault(path_of(rule), {})[method.lower()] = _operation(rule, method, view, operation)
    return found.items()


def _operation(rule: Rule, method: str, view: Any, operation: Operation) -> dict[str, Any]:
    told = inspect.cleandoc(view.__doc__ or rule.endpoint)
    problems = {*operation.problems, *(GUARDED if operation.scope is not None else ("internal",))}
    slugs: dict[int, list[str]] = {}
    for slug in sorted(problems):
        slugs.setdefault(PROBLEMS[slug].status, []).append(slug)
    parameters = [*_of_path(rule), *_of_query(operation)]
    if operation.seen:
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": False,
                "description": "the ETag that was seen, else 428",
                "schema": {"type": "string", "pattern": '^"([1-9][0-9]{0,8}|[0-9a-f]{32})"$'},
            }
        )
    if rule.endpoint in KEYED:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "a repeat under the same key gets the same answer for a day, and does nothing",
                "schema": {"type": "string", "pattern": r'^("[!#-~]{1,255}"|[!#-~]{1,255})$'},
            }
        )
    answers = {str(status): _success(shape) for status, shape in operation.answers.items()}
    if method == "GET" and "200" in answers and not _is_streamed(operation):
        answers["200"]["headers"] = {"ETag": {"schema": {"type": "string"}}}
        answers["304"] = {"description": "as it was under the ETag in If-None-Match"}
    made: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "tags": [rule.endpoint.partition(".")[0]],
        "summary": told.partition("\n")[0],
        "parameters": parameters,
        "responses": {
            **answers,
            **{
                str(status): {"$ref": f"#/components/responses/Problem{status}"} | {"description": ", ".join(names)}
                for status, names in slugs.items()
            },
        },
        "security": [] if operation.scope is None else _security(operation.scope),
    }
    if rule.endpoint in DEPRECATED:
        made["deprecated"] = True
    if operation.takes is not None:
        made["requestBody"] = _body(operation)
    return made


def _security(scope: str) -> list[dict[str, list[str]]]:
    scopes = [scope] if scope else []
    return [{"dpop": scopes}, {"mtls": scopes}]


def _of_path(rule: Rule) -> Iterator[dict[str, Any]]:
    for match in _ARGUMENT.finditer(rule.rule):
        schema: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 127, "pattern": "^[A-Za-z0-9._-]+$"}
        converter = match["converter"] or ""
        if converter.startswith("int"):
            schema = {"type": "integer", "minimum": 1}
        elif converter.startswith("any("):
            schema = {"type": "string", "enum": [word.strip() for word in converter[4:-1].split(",")]}
        yield {"name": match["name"], "in": "path", "required": True, "schema": schema}


def _of_query(operation: Operation) -> Iterator[dict[str, Any]]:
    query = operation.query or {}
    named = query if isinstance(query, Mapping) else {name: {"type": "string"} for name in query().fields}
    paging: dict[str, Any] = {}
    if operation.is_paged:
        paging = {"limit": _LIMIT} | ({} if "after" in named or not query else {"cursor": {"type": "string"}})
    for name, schema in {**named, **paging}.items():
        yield {"name": name, "in": "query", "required": name == "role", "schema": dict(schema)}


def _body(operation: Operation) -> dict[str, Any]:
    takes = operation.takes
    content: dict[str, Any]
    if isinstance(takes, str):
        content = {takes: {"schema": {"type": "string", "description": "a signed text (JWS, SD-JWT)"}}}
    else:
        content = {"application/json": {"schema": takes}}
    if operation.example is not None:
        next(iter(content.values()))["example"] = operation.example
    return {"required": True, "content": content}


def _is_streamed(operation: Operation) -> bool:
    return "application/x-ndjson" in operation.answers.get(200, ())


def _success(shape: str | tuple[str, ...]) -> dict[str, Any]:
    if isinstance(shape, str):
        content: dict[str, Any] = {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape}"}}}
        return {"description": shape, "content": content}
    content = {media_type: {} for media_type in shape}
    return {"description": "the file", "content": content} if content else {"description": "done"}


def _problem_response(slugs: list[str], status: int, origin: str) -> dict[str, Any]:
    return {
        "description": "; ".join(f"{slug}: {PROBLEMS[slug].title}" for slug in slugs),
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {
                    slug: {
                        "value": {
                            "type": f"{origin}/problems/{slug}",
                            "title": PROBLEMS[slug].title,
                            "status": status,
                            "detail": PROBLEMS[slug].cure,
                            "trace_id": "0192f8c0a0007000800000000000000a",
                        }
                    }
                    for slug in slugs
                },
            }
        },
    }


def _name(schema: Any) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    assert issubclass(kind, Schema)  # noqa: S101  (for mypy: apispec gives nothing else)
    return kind.__name__.removesuffix("Schema") + "Wanted"
