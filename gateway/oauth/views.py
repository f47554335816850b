"""The addresses of this room. A view asks one service; refusals of any API call become their answer here."""

from http import HTTPStatus

import flask
import svcs.flask
from flask import Blueprint, Response
from markupsafe import escape

from gateway.errors import UnknownError
from gateway.keywrap import KeyWrapError
from gateway.oauth.debugger import AssertionDebugger
from gateway.oauth.errors import AccessRefusedError, Reason, RefusedError
from gateway.oauth.form import read_form, read_json_body
from gateway.oauth.guard import Guard
from gateway.oauth.jose import SIGNATURE_ALGS, JwsError
from gateway.oauth.key_service import KeySelfService
from gateway.oauth.keys import TokenKeyError, TokenKeys
from gateway.oauth.metadata import Metadata
from gateway.oauth.replay import ReplayedError
from gateway.oauth.server import GatewayAuthorizationServer
from gateway.web import problem
from gateway.web.current import current_g
from gateway.web.problem_kinds import PROBLEMS

KEY_SET_SECONDS = 300
KEYS_PATH = "/oauth/clients/<client_id>/keys"
KEYS_SCOPE = "client.keys"

for _error, _slug in (
    (AccessRefusedError, "unauthenticated"),
    (ReplayedError, "unauthenticated"),
    (JwsError, "invalid-request"),
    (TokenKeyError, "internal"),
    (KeyWrapError, "internal"),
):
    problem.register(_error, _slug)


def blueprint() -> Blueprint:
    """All routes of the authorization server, and the handler that answers refused API calls of every blueprint."""
    oauth = Blueprint("oauth", __name__)
    oauth.add_url_rule("/.well-known/oauth-authorization-server", view_func=server_metadata)
    for path in ("", "/v1"):
        oauth.add_url_rule(f"/.well-known/oauth-protected-resource{path}", view_func=resource_metadata)
    oauth.add_url_rule("/oauth/jwks", view_func=jwks)
    for path, endpoint in (
        ("token", "token"),
        ("introspect", "introspection"),
        ("revoke", "revocation"),
        ("debug/token", "token_debug"),
    ):
        oauth.add_url_rule(f"/oauth/{path}", endpoint, answer, methods=["POST"], defaults={"endpoint": endpoint})
    oauth.add_url_rule(f"{KEYS_PATH}", view_func=client_keys)
    oauth.add_url_rule(f"{KEYS_PATH}", view_func=add_client_key, methods=["POST"])
    oauth.add_url_rule(f"{KEYS_PATH}/<kid>", view_func=end_client_key, methods=["DELETE"])
    oauth.add_url_rule("/oauth/debug/assertion", view_func=debug_assertion, methods=["POST"])
    oauth.add_url_rule("/oauth/errors", view_func=errors)
    oauth.add_url_rule("/oauth/errors/<code>", view_func=error)
    oauth.app_errorhandler(AccessRefusedError)(refused)
    oauth.after_app_request(nonce)
    return oauth


def server_metadata() -> Response:
    return _public(svcs.flask.get(Metadata).server())


def resource_metadata() -> Response:
    metadata = svcs.flask.get(Metadata)
    return _public(metadata.resource(metadata.resources[0]))


def jwks() -> Response:
    return _public(svcs.flask.get(TokenKeys).jwks())


def answer(endpoint: str) -> Response:
    return svcs.flask.get(GatewayAuthorizationServer).answer(endpoint)


def debug_assertion() -> Response:
    try:
        form = read_form(flask.request)
        address = svcs.flask.get(GatewayAuthorizationServer).proxies.address_of(flask.request)
        steps = svcs.flask.get(AssertionDebugger).examine(form, address)
    except RefusedError as refusal:
        return svcs.flask.get(GatewayAuthorizationServer).refusal(refusal)
    return _private({"steps": steps})


def client_keys(client_id: str) -> Response:
    _require_own(client_id)
    return _private({"keys": svcs.flask.get(KeySelfService).listed(client_id)})


def add_client_key(client_id: str) -> Response:
    _require_own(client_id)
    try:
        body = read_json_body(flask.request)
        return _private(svcs.flask.get(KeySelfService).add(client_id, body), HTTPStatus.CREATED)
    except RefusedError as refusal:
        return svcs.flask.get(GatewayAuthorizationServer).refuse_key(client_id, refusal)


def end_client_key(client_id: str, kid: str) -> Response:
    _require_own(client_id)
    svcs.flask.get(KeySelfService).end(client_id, kid)
    return Response(status=HTTPStatus.NO_CONTENT)


def _require_own(client_id: str) -> None:
    """Let a client see its own keys only; of another's it does not even learn whether they exist."""
    caller = svcs.flask.get(Guard).authenticate(flask.request, KEYS_SCOPE)
    if caller.client_id != client_id or caller.supplier is not None:
        raise UnknownError(f"client {caller.client_id} asked for the keys of another client")


def errors() -> Response:
    rows = "".join(_row(reason) for reason in Reason)
    return _page("Errors", f"<table><tr><th>Code<th>Error<th>Meaning<th>What to do</tr>{rows}</table>")


def error(code: str) -> Response:
    for reason in Reason:
        if reason.code == code:
            words = f"<p><code>{reason.error}</code>: {escape(reason.words)}.</p><p>{escape(reason.cure)}</p>"
            return _page(code, words)
    return problem.answer("not-found")


def refused(error: AccessRefusedError) -> Response:
    """Answer by RFC 6750 section 3 and RFC 9449 section 7.1 in the header, by RFC 9457 in the body."""
    reason = error.reason
    parameters = [f'algs="{" ".join(SIGNATURE_ALGS)}"']
    if reason is None:
        return _challenge("unauthenticated", parameters, None)
    parameters += [f'error="{reason.error}"', f'error_description="{reason.code}: {reason.words}"']
    if error.scope is not None:
        parameters.append(f'scope="{error.scope}"')
    if reason.error == "invalid_request":
        return problem.answer("invalid-request", detail=f"{reason.code}: {reason.words}", code=reason.code)
    slug = "insufficient-scope" if reason is Reason.SCOPE_INSUFFICIENT else "unauthenticated"
    if reason is Reason.OUTSIDE_PURPOSE:
        slug = "purpose-outside-token"
    return _challenge(slug, parameters, reason)


def nonce(response: Response) -> Response:
    """Give the next nonce with every challenge and every success; elsewhere clients take it for a challenge."""
    current: str | None = current_g().get("dpop_nonce")
    if current is not None:
        response.headers["DPoP-Nonce"] = current
    return response


def _private(body: dict[str, object], status: int = HTTPStatus.OK) -> Response:
    response = flask.jsonify(body)
    response.status_code = status
    response.cache_control.no_store = True
    return response


def _public(body: dict[str, object]) -> Response:
    response = flask.jsonify(body)
    response.cache_control.public = True
    response.cache_control.max_age = KEY_SET_SECONDS
    response.add_etag()
    response.make_conditional(flask.request)
    return response


def _challenge(slug: str, parameters: list[str], reason: Reason | None) -> Response:
    """Build the answer; under /oauth its body is that of RFC 6749, as for every other refusal there."""
    detail = f"{reason.code}: {reason.words}. {reason.cure}" if reason else None
    headers = {"WWW-Authenticate": f"DPoP {', '.join(parameters)}"}
    if flask.request.path.startswith("/oauth/"):
        response = _private({"error": reason.error, "error_description": detail} if reason else {})
        response.status_code = PROBLEMS[slug].status
        response.headers.update(headers)
        return response
    return problem.answer(slug, detail=detail, code=reason.code if reason else None, headers=headers)


def _row(reason: Reason) -> str:
    return (
        f'<tr id="{reason.code}"><td>{reason.code}<td><code>{reason.error}</code>'
        f"<td>{escape(reason.words)}<td>{escape(reason.cure)}</tr>"
    )


def _page(title: str, body: str) -> Response:
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
    html = f"{head}<main><h1>{escape(title)}</h1>{body}</main></html>"
    return Response(html, content_type="text/html; charset=utf-8")
