"""The authorization server: Authlib's dispatch of grants and endpoints, our strict requests, checks and answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import OAuth2Payload, OAuth2Request

from gateway.agencies.names import CLIENT_ID
from gateway.clock import Clock
from gateway.db.group_commit import GroupCommit
from gateway.errors import StoreUnavailableError
from gateway.oauth.certificates import CertificateSource, ClientCertificates
from gateway.oauth.client_assertion import ASSERTION_TYPE, AssertionVerifier, Authenticated
from gateway.oauth.clients import ClientRegister, RegisteredClient
from gateway.oauth.delegation import Delegations
from gateway.oauth.dpop import DpopVerifier
from gateway.oauth.endpoints import Introspection, Revocation, TokenDebug
from gateway.oauth.errors import Reason, RefusedError
from gateway.oauth.form import read_form
from gateway.oauth.grant import GatewayClientCredentialsGrant
from gateway.oauth.keys import TokenKeyError
from gateway.oauth.nonce import Nonces
from gateway.oauth.refusals import UNPROVEN, Refusals, Refused
from gateway.oauth.replay import ReplayStore, SeenKey
from gateway.oauth.standing import Standing
from gateway.oauth.throttle import Throttle
from gateway.oauth.token_debugger import TokenDebugger
from gateway.oauth.tokens import AccessTokens
from gateway.oauth.transport import TrustedProxies, call_of


class StrictPayload(OAuth2Payload):  # type: ignore[misc]  # Authlib is untyped
    """Parameters of the body, and of nothing else."""

    def __init__(self, form: dict[str, str]) -> None:
        self._form = form

    @property
    def data(self) -> dict[str, str]:
        return self._form

    @property
    def datalist(self) -> dict[str, list[str]]:
        return {name: [value] for name, value in self._form.items()}


class StrictRequest(OAuth2Request):  # type: ignore[misc]  # Authlib is untyped
    """A request whose body was read strictly; its address is the configured one."""

    authenticated: Authenticated

    def __init__(
        self, request: flask.Request, issuer: str, certificates: CertificateSource, proxies: TrustedProxies
    ) -> None:
        super().__init__(method=request.method, uri=issuer + request.path, headers=request.headers)
        self._form = dict(read_form(request))
        self.payload = StrictPayload(self._form)
        self.call = call_of(request)
        self.certificate = certificates.of(request)
        self.origin_detail = {"ip": proxies.address_of(request)}

    @property
    def form(self) -> dict[str, str]:
        return self._form


@dataclass(frozen=True, slots=True)
class Parts:
    """What the server is made of; `resources` begins with the one that is meant where none is named."""

    issuer: str
    resources: Sequence[str]
    commits: GroupCommit
    refusals: Refusals
    proxies: TrustedProxies
    clock: Clock
    register: ClientRegister
    assertions: AssertionVerifier
    dpop: DpopVerifier
    nonces: Nonces
    replay: ReplayStore
    delegations: Delegations
    tokens: AccessTokens
    standing: Standing
    certificates: CertificateSource
    client_certificates: ClientCertificates
    failures: Throttle
    """Failed authentications, by claimed client and address: nobody can lock a client out from elsewhere."""
    token_debugger: TokenDebugger


class GatewayAuthorizationServer(AuthorizationServer):  # type: ignore[misc]  # Authlib is untyped
    """Token, introspection and revocation endpoint."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(query_client=parts.register.find)
        self.issuer = parts.issuer
        self.resources = tuple(parts.resources)
        self.commits = parts.commits
        self.refusals = parts.refusals
        self.proxies = parts.proxies
        self.clock = parts.clock
        self.replay = parts.replay
        self.delegations = parts.delegations
        self.tokens = parts.tokens
        self.standing = parts.standing
        self.token_debugger = parts.token_debugger
        self._assertions = parts.assertions
        self._dpop = parts.dpop
        self._nonces = parts.nonces
        self._failures = parts.failures
        self._register = parts.register
        self._certificates = parts.certificates
        self.client_certificates = parts.client_certificates
        self.register_client_auth_method("private_key_jwt", self._private_key_jwt)
        self.register_client_auth_method("tls_client_auth", self._tls_client_auth)
        self.register_grant(GatewayClientCredentialsGrant)
        self.register_endpoint(Introspection)
        self.register_endpoint(Revocation)
        self.register_endpoint(TokenDebug)

    def answer(self, endpoint: str) -> flask.Response:
        """Answer the present Flask request at `token` or another endpoint registered here; refusals are answers too."""
        request = None
        try:
            try:
                request = StrictRequest(flask.request, self.issuer, self._certificates, self.proxies)
                response = self._dispatch(endpoint, request)
            except RefusedError as refusal:
                response = self._refuse(request, refusal)
        except (StoreUnavailableError, TokenKeyError):
            response = self.refusal(RefusedError(Reason.STORE_UNAVAILABLE))
        return response

    def _dispatch(self, endpoint: str, request: StrictRequest) -> flask.Response:
        if endpoint == "token":
            response = cast(flask.Response, self.create_token_response(request))
            if response.status_code == HTTPStatus.OK:
                response.headers["DPoP-Nonce"] = self._nonces.current()
            return response
        return cast(flask.Response, self.create_endpoint_response(endpoint, request))

    def create_oauth2_request(self, request: StrictRequest) -> StrictRequest:
        """Pass on what `answer` has read; Authlib would take parameters from the address too."""
        return request

    def get_token_grant(self, request: StrictRequest) -> Any:
        """Find the grant (step 2).

        Raises:
            RefusedError: `GRANT_TYPE_MISSING`, `GRANT_UNKNOWN`.
        """
        grant_type = request.form.get("grant_type")
        if grant_type is None:
            raise RefusedError(Reason.GRANT_TYPE_MISSING)
        if grant_type != GatewayClientCredentialsGrant.GRANT_TYPE:
            raise RefusedError(Reason.GRANT_UNKNOWN, claim="grant_type")
        return super().get_token_grant(request)

    def authenticate_client(
        self, request: StrictRequest, methods: Sequence[str], endpoint: str = "token"
    ) -> RegisteredClient:
        """Let exactly one way of client authentication count (step 3).

        Raises:
            RefusedError: none, several, or the one that was tried failed.
        """
        form = request.form
        ways = [
            "Authorization" in request.headers,
            "client_secret" in form,
            "client_assertion" in form or "client_assertion_type" in form,
        ]
        if sum(ways) > 1:
            raise RefusedError(Reason.TWO_AUTHENTICATIONS)
        if not ways[2] and (ways[0] or ways[1] or request.certificate is None or "client_id" not in form):
            raise RefusedError(Reason.CLIENT_AUTHENTICATION, status=401 if ways[0] else None)
        client: RegisteredClient = super().authenticate_client(request, methods, endpoint)
        return client

    def sender_constraint(self, request: StrictRequest) -> tuple[str | None, str | None, tuple[SeenKey, ...]]:
        """Give what the token will be bound to (step 7): thumbprint of a proven key, or a certificate.

        Raises:
            RefusedError: `PROOF_*`.
        """
        if request.certificate is not None and request.call.proof is None:
            return None, request.certificate.thumbprint, ()
        proof = self._dpop.verify(request.call)
        return proof.thumbprint, None, (proof.consume,)

    def handle_error_response(self, request: StrictRequest | None, error: Any) -> flask.Response:
        """Answer a refusal, after it was audited. Authlib calls this for what it catches."""
        if not isinstance(error, RefusedError):
            raise TypeError(f"a refusal without a reason: {error!r}") from error
        return self._refuse(request, error)

    def handle_response(self, status_code: int, payload: Any, headers: Any) -> flask.Response:
        return flask.Response(flask.json.dumps(payload), status=status_code, headers=headers)

    def _tls_client_auth(self, find: Any, request: StrictRequest) -> RegisteredClient:
        client_id = request.form["client_id"]
        client: RegisteredClient | None = find(client_id)
        certificate = request.certificate
        # Asked for an unknown client too, so that both take as long.
        registered = certificate and self.client_certificates.is_registered(client.id if client else "", certificate)
        if client is None or not registered:
            refusal = RefusedError(Reason.CLIENT_AUTHENTICATION)
            refusal.claimed = client_id
            raise refusal
        self._assertions.require_state(client, None)
        request.authenticated = Authenticated(client, "tls_client_auth", consume=())
        return client

    def _private_key_jwt(self, _find: Any, request: StrictRequest) -> RegisteredClient | None:
        form = request.form
        if "client_assertion" not in form and "client_assertion_type" not in form:
            return None  # Authlib tries the next method
        if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
            raise RefusedError(Reason.ASSERTION_MALFORMED, claim="client_assertion_type")
        assertion = self._assertions.read(form["client_assertion"])
        name = (assertion.client_id, request.origin_detail["ip"])
        if self._failures.is_exhausted(*name):
            raise RefusedError(Reason.THROTTLED)
        try:
            request.authenticated = self._assertions.authenticate(
                assertion, self._register.find_for_key, client_id=form.get("client_id")
            )
        except RefusedError as refusal:
            if refusal.reason is Reason.CLIENT_AUTHENTICATION:
                self._failures.count(*name)
            raise
        return request.authenticated.client

    def _refuse(self, request: StrictRequest | None, refusal: RefusedError) -> flask.Response:
        response = self.refusal(refusal)
        if refusal.reason is Reason.PROOF_NONCE:  # a step of the ordinary conversation
            response.headers["DPoP-Nonce"] = self._nonces.current()
        else:
            self._audit(request, refusal)
        return response

    def refusal(self, refusal: RefusedError) -> flask.Response:
        """Write a refusal as RFC 6749, section 5.2 has it."""
        return self.handle_response(*refusal(f"{self.issuer}/oauth/errors/{refusal.reason.code}"))

    def refuse_key(self, client_id: str, refusal: RefusedError) -> flask.Response:
        """Refuse a key that a client wanted to register, after it was audited."""
        address = self.proxies.address_of(flask.request)
        self.refusals.record(
            Refused("client_key.refused", client_id, client_id, address, refusal.reason, {"claim": refusal.claim})
        )
        return self.refusal(refusal)

    def _audit(self, request: StrictRequest | None, refusal: RefusedError) -> None:
        proven = getattr(request, "authenticated", None) if request is not None else None
        claimed = refusal.claimed if refusal.claimed and CLIENT_ID.fullmatch(refusal.claimed) else ""
        actor, subject = (proven.client.id, proven.client.id) if proven else (UNPROVEN, claimed)
        address = self.proxies.address_of(flask.request)
        detail = {"claim": refusal.claim}
        self.refusals.record(Refused("token.refused", actor, subject, address, refusal.reason, detail))
