"""What anybody may know about this authorization server (RFC 8414) and its protected resource (RFC 9728)."""

from collections.abc import Sequence
from typing import Any

from gateway.oauth.grant import AUTH_METHODS
from gateway.oauth.jose import SIGNATURE_ALGS
from gateway.oauth.purpose import TYPE

SCOPES = (
    "exchange:request",
    "approvals:decide",
    "records:push",
    "records:recall",
    "client.keys",
    "introspect",
    "audit:read",
    "audit:national",
    "policies:read",
    "policies:edit",
    "policies:approve",
)


class Metadata:
    """The two documents; every address in them comes from the configured issuer."""

    def __init__(
        self, issuer: str, resources: Sequence[str], scopes: Sequence[str] = SCOPES, *, has_mutual_tls: bool = False
    ) -> None:
        self._issuer = issuer
        self.resources = tuple(resources)
        self._scopes = list(scopes)
        self._methods = list(AUTH_METHODS if has_mutual_tls else AUTH_METHODS[:1])
        self._has_mutual_tls = has_mutual_tls

    def server(self) -> dict[str, Any]:
        algs = list(SIGNATURE_ALGS)
        endpoints: dict[str, Any] = {}
        for endpoint in ("token", "introspection", "revocation"):
            endpoints[f"{endpoint}_endpoint_auth_methods_supported"] = self._methods
            endpoints[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = algs
        return {
            "issuer": self._issuer,
            "token_endpoint": f"{self._issuer}/oauth/token",
            "jwks_uri": f"{self._issuer}/oauth/jwks",
            "introspection_endpoint": f"{self._issuer}/oauth/introspect",
            "revocation_endpoint": f"{self._issuer}/oauth/revoke",
            "ipx_assertion_debug_endpoint": f"{self._issuer}/oauth/debug/assertion",
            "ipx_token_debug_endpoint": f"{self._issuer}/oauth/debug/token",
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials"],
            "scopes_supported": self._scopes,
            **endpoints,
            "dpop_signing_alg_values_supported": algs,
            "authorization_details_types_supported": [TYPE],
            "tls_client_certificate_bound_access_tokens": self._has_mutual_tls,
            "protected_resources": list(self.resources),
            "service_documentation": f"{self._issuer}/oauth/errors",
        }

    def resource(self, resource: str) -> dict[str, Any]:
        return {
            "resource": resource,
            "authorization_servers": [self._issuer],
            "jwks_uri": f"{self._issuer}/oauth/jwks",
            "scopes_supported": self._scopes,
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": list(SIGNATURE_ALGS),
            "dpop_bound_access_tokens_required": True,
            "authorization_details_types_supported": [TYPE],
            "tls_client_certificate_bound_access_tokens": self._has_mutual_tls,
        }
