"""Introspection (RFC 7662) and revocation (RFC 7009) on Authlib's bases; both use the assertion up."""

from typing import Any, ClassVar, Final

from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from sqlalchemy import Connection

from gateway.oauth.audit import record
from gateway.oauth.clients import RegisteredClient
from gateway.oauth.errors import Reason, RefusedError
from gateway.oauth.grant import AUTH_METHODS, REPLAYS
from gateway.oauth.replay import ReplayedError
from gateway.oauth.standing import deny
from gateway.oauth.token_debugger import TokenQuestion
from gateway.oauth.tokens import AccessToken

INTROSPECT_ANY: Final = "introspect"
"""The right to look at tokens of other clients."""

_HEADERS: Final = (("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache"))


class _TokenOfCaller:
    """What both endpoints share: the token named in the request, if it is one of ours; hints are ignored."""

    CLIENT_AUTH_METHODS: ClassVar = list(AUTH_METHODS)
    server: Any

    def named_token(self, request: Any) -> AccessToken | None:
        text = request.form.get("token")
        if text is None:
            raise RefusedError(Reason.PARAMETERS, claim="token")
        try:
            token: AccessToken = self.server.tokens.read(text)
        except RefusedError:
            return None
        return token

    def use_up(self, request: Any, connection: Connection) -> None:
        try:
            self.server.replay.consume(connection, request.authenticated.consume, self.server.clock())
        except ReplayedError as error:
            raise RefusedError(REPLAYS[error.seen.kind], claim="jti") from error


class Introspection(_TokenOfCaller, IntrospectionEndpoint):  # type: ignore[misc]  # Authlib is untyped
    """Tells a client about its own tokens; one with the right `introspect` about any."""

    def create_endpoint_response(self, request: Any) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        client = self.authenticate_endpoint_client(request)
        token = self.named_token(request)
        self.server.commits.run(lambda connection: self.use_up(request, connection))
        return 200, self._about(token, client), list(_HEADERS)

    def _about(self, token: AccessToken | None, client: RegisteredClient) -> dict[str, Any]:
        if token is None or (token.client_id != client.id and not client.may(INTROSPECT_ANY)):
            return {"active": False}
        if self.server.standing.of(token) is not None:
            return {"active": False}
        return {"active": True, "token_type": "DPoP" if token.thumbprint else "Bearer", **token.claims}


class TokenDebug(_TokenOfCaller, IntrospectionEndpoint):  # type: ignore[misc]  # Authlib is untyped
    """Tells a client, step by step, what is wrong with a token and the call it was sent with."""

    ENDPOINT_NAME = "token_debug"

    def create_endpoint_response(self, request: Any) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        client = self.authenticate_endpoint_client(request)
        question = TokenQuestion.read(request.form)
        self.server.commits.run(lambda connection: self.use_up(request, connection))
        steps = self.server.token_debugger.examine(
            question, lambda token: token.client_id == client.id or client.may(INTROSPECT_ANY)
        )
        return 200, {"steps": steps}, list(_HEADERS)


class Revocation(_TokenOfCaller, RevocationEndpoint):  # type: ignore[misc]  # Authlib is untyped
    """Ends a client's own token at once; anything else is answered alike and changes nothing."""

    def create_endpoint_response(self, request: Any) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        client = self.authenticate_endpoint_client(request)
        token = self.named_token(request)
        now = self.server.clock()

        def revoke(connection: Connection) -> None:
            self.use_up(request, connection)
            if token is not None and token.client_id == client.id and deny(connection, token, now):
                detail = {"jti": token.jti} | request.origin_detail
                record(connection, now, client.id, "token.revoked", subject=client.id, detail=detail)

        self.server.commits.run(revoke)
        return 200, {}, list(_HEADERS)
