"""The client credentials grant (RFC 6749, section 4.4): scope all or nothing, one resource, delegation, purpose."""

import re
from datetime import timedelta
from typing import Any, ClassVar, Final

from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from sqlalchemy import Connection, bindparam, update

from gateway.agencies.key_warnings import warnings_of
from gateway.agencies.models import ClientKey
from gateway.db.base import UtcDateTime
from gateway.db.prepared import Prepared
from gateway.oauth.audit import record
from gateway.oauth.client_assertion import Authenticated
from gateway.oauth.errors import Reason, RefusedError
from gateway.oauth.purpose import parse_details
from gateway.oauth.replay import ReplayedError, SeenKey
from gateway.oauth.tokens import Grant

KEY_ENDS_HEADER: Final = "IPX-Key-Ends"
"""On a token answer: the key that signed the assertion ends within 30 days, and when."""

AUTH_METHODS: Final = ("private_key_jwt", "tls_client_auth")
REPLAYS: Final = {"assertion": Reason.REPLAY, "proof": Reason.PROOF_REPLAY}

_SCOPES = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")
_USED_EVERY: Final = timedelta(seconds=60)
_USED = Prepared(
    update(ClientKey)
    .where(ClientKey.id == bindparam("key_id"))
    .where(ClientKey.last_used_at.is_(None) | (ClientKey.last_used_at < bindparam("before", type_=UtcDateTime)))
    .values(last_used_at=bindparam("at"))
)
"""Written once a minute for a key that is in use all the time."""


class GatewayClientCredentialsGrant(ClientCredentialsGrant):  # type: ignore[misc]  # Authlib is untyped
    """A token request from client authentication on. Nothing is used up before everything else has passed."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = list(AUTH_METHODS)

    def validate_token_request(self) -> None:
        """Check everything; what is found goes into `self.granted` and `self.consume`.

        Raises:
            RefusedError: the first check that fails.
        """
        client = self.authenticate_token_endpoint_client()
        self.request.client = client
        if not client.check_grant_type(self.GRANT_TYPE):
            raise RefusedError(Reason.GRANT_REFUSED)
        authenticated: Authenticated = self.request.authenticated
        thumbprint, certificate, proof_keys = self.server.sender_constraint(self.request)
        self.consume: tuple[SeenKey, ...] = (*authenticated.consume, *proof_keys)
        self.granted = self._grant(authenticated, thumbprint, certificate)

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Sign; then use up, issue and audit in one transaction: a crash loses a token, and permits no replay.

        Raises:
            RefusedError: `REPLAY`, `PROOF_REPLAY`.
        """
        server = self.server
        token, claims = server.tokens.issue(self.granted)
        now = server.clock()
        client_id = self.granted.client_id
        key = self.request.authenticated.key
        detail = {name: claims[name] for name in _AUDITED if name in claims} | self.request.origin_detail

        def issue(connection: Connection) -> None:
            server.replay.consume(connection, self.consume, now)
            if key:
                _USED.run(connection, {"key_id": key.id, "at": now, "before": now - _USED_EVERY})
            record(connection, now, client_id, "token.issued", subject=client_id, detail=detail)

        try:
            server.commits.run(issue)
        except ReplayedError as error:
            raise RefusedError(REPLAYS[error.seen.kind], claim="jti") from error
        body = {
            "access_token": token,
            "token_type": "DPoP" if self.granted.thumbprint else "Bearer",
            "expires_in": claims["exp"] - claims["iat"],
            "scope": claims["scope"],
        }
        if self.granted.authorization_details:
            body["authorization_details"] = claims["authorization_details"]
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache")]
        if key and warnings_of(key.valid_until, now):
            headers.append((KEY_ENDS_HEADER, key.valid_until.strftime("%Y-%m-%dT%H:%M:%SZ")))
        return 200, body, headers

    def _grant(self, authenticated: Authenticated, thumbprint: str | None, certificate: str | None) -> Grant:
        form = self.request.form
        client = authenticated.client
        scopes = parse_scopes(form.get("scope"))
        if not client.scopes.issuperset(scopes):
            raise RefusedError(Reason.SCOPE_NOT_ON_CLIENT, claim="scope")
        consumer = None
        if authenticated.consumer_org is not None:
            consumer = self.server.delegations.require(authenticated.consumer_org, client.agency, scopes)
        elif not client.agency_scopes.issuperset(scopes):
            raise RefusedError(Reason.SCOPE_NOT_GRANTED, claim="scope")
        resource = form.get("resource", self.server.resources[0])
        if resource not in self.server.resources:
            raise RefusedError(Reason.RESOURCE, claim="resource")
        purposes = consumer.purposes if consumer else client.agency_purposes
        details = form.get("authorization_details")
        return Grant(
            client_id=client.id,
            agency=consumer.agency if consumer else client.agency,
            resource=resource,
            scopes=scopes,
            method=authenticated.method,
            thumbprint=thumbprint,
            certificate=certificate,
            supplier=client.agency if consumer else None,
            delegation_id=consumer.delegation_id if consumer else None,
            authorization_details=parse_details(details, purposes) if details is not None else (),
            not_before=client.not_before,
        )


_AUDITED: Final = ("jti", "scope", "aud", "consumer", "supplier", "delegation_id", "authorization_details")


def parse_scopes(text: str | None) -> list[str]:
    """Read the parameter `scope` (RFC 6749, section 3.3): tokens separated by one space, each once.

    Raises:
        RefusedError: `SCOPE_MALFORMED`, also where none is named: nothing is granted that was not asked for.
    """
    if text is None or not _SCOPES.fullmatch(text):
        raise RefusedError(Reason.SCOPE_MALFORMED, claim="scope")
    scopes = text.split(" ")
    if len(set(scopes)) != len(scopes):
        raise RefusedError(Reason.SCOPE_MALFORMED, claim="scope")
    return scopes
