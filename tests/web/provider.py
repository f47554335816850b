"""A little OpenID provider made with Authlib, served on loopback; it can be told to lie."""

import threading
import time
from dataclasses import dataclass, field

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode, UserInfo
from flask import Flask, jsonify, redirect, request
from joserfc.jwk import ECKey, KeySet
from werkzeug.serving import make_server

CLIENT, SECRET = "ipx gateway", "s3cret:with/odd characters"


class Client(ClientMixin):
    """The gateway, as it is registered there."""

    def __init__(self, return_to):
        self._return_to = return_to

    def get_client_id(self):
        return CLIENT

    def get_default_redirect_uri(self):
        return self._return_to

    def get_allowed_scope(self, scope):
        return scope

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri == self._return_to

    def check_client_secret(self, client_secret):
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "client_secret_basic"

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type == "authorization_code"


@dataclass
class Code(AuthorizationCodeMixin):
    code: str
    redirect_uri: str
    scope: str
    nonce: str
    auth_time: int
    code_challenge: str
    code_challenge_method: str
    amr: list

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope

    def get_nonce(self):
        return self.nonce

    def get_auth_time(self):
        return self.auth_time

    def get_acr(self):
        return None

    def get_amr(self):
        return self.amr


@dataclass
class Lies:
    """What this provider says instead of the truth."""

    discovery: dict = field(default_factory=dict)
    claims: dict = field(default_factory=dict)
    answer: dict = field(default_factory=dict)
    """Parameters of the return address."""
    key: ECKey | None = None


class Provider:
    def __init__(self) -> None:
        self.app = Flask("provider")
        self._server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self.key = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"})
        self.subject, self.amr, self.authenticated_ago = "subject-1", ["pwd", "mfa"], 0
        self.lies = Lies()
        self.asked = []
        self.codes = {}
        self.return_to = None
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self):
        self._install()
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def _install(self):
        self._server_of_tokens = AuthorizationServer(
            self.app, query_client=lambda _: Client(self.return_to), save_token=lambda token, request: None
        )
        self._server_of_tokens.register_grant(
            code_grant(self), [identity(self)(require_nonce=True), CodeChallenge(required=True)]
        )
        self.app.add_url_rule("/.well-known/openid-configuration", view_func=self.discovery)
        self.app.add_url_rule("/jwks", view_func=self.jwks)
        self.app.add_url_rule("/authorize", view_func=self.authorize)
        self.app.add_url_rule("/token", view_func=self.token, methods=["POST"])

    def discovery(self):
        truth = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["ES256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return jsonify(truth | self.lies.discovery)

    def jwks(self):
        return jsonify(KeySet([self.key]).as_dict(private=False))

    def authorize(self):
        self.asked.append(request.args.to_dict())
        grant = self._server_of_tokens.get_consent_grant(end_user=self.subject)
        answer = self._server_of_tokens.create_authorization_response(grant_user=self.subject, grant=grant)
        target = answer.headers["Location"]
        for name, value in {"iss": self.issuer, **self.lies.answer}.items():
            if value is not None:
                target += f"&{name}={value}"
        return redirect(target)

    def token(self):
        return self._server_of_tokens.create_token_response()


def code_grant(provider):
    class CodeGrant(grants.AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

        def save_authorization_code(self, code, request):
            asked = request.payload.data
            provider.codes[code] = Code(
                code=code,
                redirect_uri=request.payload.redirect_uri,
                scope=request.payload.scope,
                nonce=asked.get("nonce"),
                auth_time=int(time.time()) - provider.authenticated_ago,
                code_challenge=asked["code_challenge"],
                code_challenge_method=asked["code_challenge_method"],
                amr=provider.amr,
            )

        def query_authorization_code(self, code, client):
            return provider.codes.get(code)

        def delete_authorization_code(self, authorization_code):
            del provider.codes[authorization_code.code]

        def authenticate_user(self, authorization_code):
            return provider.subject

    return CodeGrant


def identity(provider):
    class Identity(OpenIDCode):
        def exists_nonce(self, nonce, request):
            return any(code.nonce == nonce for code in provider.codes.values())

        def resolve_client_private_key(self, client):
            return provider.lies.key or provider.key

        def get_client_algorithm(self, client):
            return "ES256"

        def get_encode_header(self, client):
            return {"alg": "ES256", "kid": "one"}

        def get_client_claims(self, client):
            return {"iss": provider.issuer, "aud": [CLIENT]}

        def generate_user_info(self, user, scope):
            return UserInfo({"sub": user} | provider.lies.claims)

    return Identity
