"""Every reason for which a token, a call or a key is refused: its number for people, its registered code for machines.

The table is public: `GET /oauth/errors/GW-nnn` shows a row, and `error_uri` points there. Words are ASCII without
quotes and backslashes (RFC 6749, section 5.2). Before a signature verifies, only what the input itself shows may be
named.
"""

from enum import Enum
from typing import Any

from authlib.oauth2 import OAuth2Error

from gateway.errors import GatewayError


class Reason(Enum):
    """Number, registered error code, words, cure."""

    CONTENT_TYPE = (10, "invalid_request", "the body must be application/x-www-form-urlencoded", "Send a form body.")
    REPEATED_PARAMETER = (11, "invalid_request", "a parameter is there twice", "Send each parameter once.")
    QUERY = (12, "invalid_request", "parameters in the address are not taken", "Send all parameters in the body.")
    SIZE = (13, "invalid_request", "the body is larger than 65536 bytes", "Send a smaller body.")
    CHARACTERS = (
        14,
        "invalid_request",
        "a parameter holds characters or escapes that are not taken",
        "Percent-encode UTF-8 text without control characters.",
    )
    PARAMETERS = (
        15,
        "invalid_request",
        "a parameter is missing or there are more than 32",
        "Send the parameters documented.",
    )
    GRANT_TYPE_MISSING = (16, "invalid_request", "grant_type is missing", "Send grant_type=client_credentials.")
    TWO_AUTHENTICATIONS = (
        17,
        "invalid_request",
        "more than one way of client authentication",
        "Send a client assertion, or present a certificate, and nothing else.",
    )
    TOKEN_PLACE = (
        18,
        "invalid_request",
        "an access token may stand in the Authorization header only",
        "Send the token in the header Authorization, with scheme DPoP.",
    )
    GRANT_UNKNOWN = (20, "unsupported_grant_type", "the grant type is not known", "Send grant_type=client_credentials.")
    GRANT_REFUSED = (
        21,
        "unauthorized_client",
        "this client may not use the grant",
        "Ask the operator about the client.",
    )

    CLIENT_AUTHENTICATION = (
        100,
        "invalid_client",
        "client authentication failed",
        "Check client id, kid and that the registered key signed; the token debugger tells more.",
    )
    ASSERTION_MALFORMED = (101, "invalid_client", "the assertion is malformed", "Send a compact JWS of strict JSON.")
    ASSERTION_HEADER = (102, "invalid_client", "a header member is not taken", "Send alg, kid and typ, nothing else.")
    ASSERTION_ALG = (103, "invalid_client", "the algorithm is not taken", "Sign with ES256, PS256 or Ed25519.")
    ASSERTION_TYP = (
        104,
        "invalid_client",
        "typ does not fit",
        "Leave typ out, or send JWT or client-authentication+jwt.",
    )
    AUDIENCE = (110, "invalid_client", "aud must be the issuer as one string", "Set aud to the issuer of the metadata.")
    ISSUER_SUBJECT = (
        111,
        "invalid_client",
        "iss and sub must both be the client id",
        "Set iss and sub to the client id.",
    )
    CLAIM_MISSING = (112, "invalid_client", "a claim is missing or of the wrong type", "Send iss sub aud exp iat jti.")
    LIFETIME = (113, "invalid_client", "expired, or longer valid than 300 seconds", "Set exp at most 300 s after iat.")
    NOT_YET_VALID = (114, "invalid_client", "iat or nbf lies in the future", "Set the clock of the client.")
    JTI = (115, "invalid_client", "jti must be a string of 8 to 256 characters", "Send a random jti, such as a UUID.")
    REPLAY = (116, "invalid_client", "this assertion was used before", "Sign a new assertion for every request.")
    CLAIM_UNKNOWN = (
        117,
        "invalid_client",
        "a claim is not taken",
        "Send iss sub aud exp iat nbf jti consumer_org only.",
    )
    KEY_EXPIRED = (121, "invalid_client", "the key is not valid at this time", "Register a new key.")
    KEY_REVOKED = (122, "invalid_client", "the key is revoked", "Sign with another registered key.")
    CLIENT_SUSPENDED = (123, "invalid_client", "the client is suspended", "Ask the operator of the gateway.")
    AGENCY_SUSPENDED = (124, "invalid_client", "the agency is suspended", "Ask the operator of the gateway.")
    THROTTLED = (
        125,
        "invalid_client",
        "too many failed authentications",
        "Wait as Retry-After says and mend the client; the token debugger shows what fails.",
    )
    KEY_SET_LOST = (
        126,
        "invalid_client",
        "the key set of the client cannot be read",
        "See that the address registered as jwks_uri answers with 200 within 3 seconds; the operator sees the reason.",
    )

    SCOPE_MALFORMED = (
        200,
        "invalid_scope",
        "scope is missing or malformed",
        "Name the scopes, separated by one space.",
    )
    SCOPE_NOT_ON_CLIENT = (
        201,
        "invalid_scope",
        "a scope is not on this client",
        "Ask your agency to attach the scope.",
    )
    SCOPE_NOT_GRANTED = (202, "invalid_scope", "a scope is not granted to the agency", "Ask the owner of the scope.")
    RESOURCE = (
        210,
        "invalid_target",
        "the resource is not known here, or named twice",
        "Send one resource of the metadata.",
    )
    DETAILS_MALFORMED = (
        220,
        "invalid_authorization_details",
        "authorization_details is malformed",
        "Send a JSON array with one object: type, purpose, legal_basis, case_ref, record_types.",
    )
    DETAILS_TYPE = (221, "invalid_authorization_details", "the type is not known", "Set type to ipx_purpose.")
    DETAILS_MEMBER = (
        222,
        "invalid_authorization_details",
        "a member is not known",
        "Send only the documented members.",
    )
    PURPOSE_NOT_REGISTERED = (
        230,
        "invalid_authorization_details",
        "the purpose is not registered for the agency",
        "Use a registered purpose or ask the operator to register it.",
    )
    OUTSIDE_PURPOSE = (
        231,
        "invalid_authorization_details",
        "the request is outside the purpose of the token",
        "Get a token for this purpose.",
    )
    CONSUMER_SCOPE = (250, "invalid_scope", "the consumer has not this scope", "The consumer asks for the scope first.")
    DELEGATION = (251, "invalid_scope", "there is no valid delegation", "Let both agencies confirm a delegation.")

    PROOF_MISSING = (300, "invalid_dpop_proof", "one DPoP header is needed", "Send exactly one DPoP header.")
    PROOF_MALFORMED = (301, "invalid_dpop_proof", "the proof is malformed", "Send a compact JWS of typ dpop+jwt.")
    PROOF_KEY = (
        302,
        "invalid_dpop_proof",
        "the key of the proof is not taken",
        "Use a public P-256, Ed25519 or RSA key of 2048 to 4096 bits.",
    )
    PROOF_ALG = (
        303,
        "invalid_dpop_proof",
        "the algorithm of the proof is not taken",
        "Sign with ES256, PS256 or Ed25519.",
    )
    PROOF_SIGNATURE = (304, "invalid_dpop_proof", "the signature of the proof fails", "Sign with the key in the proof.")
    PROOF_METHOD = (305, "invalid_dpop_proof", "htm is not the method of the request", "Set htm to the HTTP method.")
    PROOF_ADDRESS = (
        306,
        "invalid_dpop_proof",
        "htu is not the address of the request",
        "Set htu to the public address.",
    )
    PROOF_TIME = (307, "invalid_dpop_proof", "iat is too old or in the future", "Make a new proof for every request.")
    PROOF_JTI = (308, "invalid_dpop_proof", "jti must be a string of 8 to 256 characters", "Send a random jti.")
    PROOF_REPLAY = (309, "invalid_dpop_proof", "this proof was used before", "Make a new proof for every request.")
    PROOF_NONCE = (
        310,
        "use_dpop_nonce",
        "a current nonce is needed",
        "Repeat with the nonce of the header DPoP-Nonce.",
    )

    TOKEN_MALFORMED = (400, "invalid_token", "the token is malformed", "Send the token as it was issued.")
    TOKEN_SIGNATURE = (401, "invalid_token", "the token was not signed here", "Get a new token.")
    TOKEN_EXPIRED = (402, "invalid_token", "the token is expired or not yet valid", "Get a new token.")
    TOKEN_AUDIENCE = (403, "invalid_token", "the token is for another resource", "Ask for a token with this resource.")
    TOKEN_REVOKED = (404, "invalid_token", "the token is revoked", "Get a new token.")
    TOKEN_AS_BEARER = (405, "invalid_token", "the token is bound to a key", "Send it with scheme DPoP and a proof.")
    TOKEN_BINDING = (
        406,
        "invalid_token",
        "the token is bound to another key",
        "Prove the key that the token was issued for.",
    )
    SCOPE_INSUFFICIENT = (
        410,
        "insufficient_scope",
        "the scope does not suffice",
        "Ask for a token with the scope named.",
    )
    STORE_UNAVAILABLE = (
        500,
        "temporarily_unavailable",
        "the store cannot be reached",
        "Repeat later; nothing was issued.",
    )

    KEY_FORM = (
        600,
        "invalid_client_metadata",
        "the body must be a JSON object with jwk and proof",
        "Send jwk and proof.",
    )
    KEY_REFUSED = (
        601,
        "invalid_client_metadata",
        "the key is not taken",
        "Use a public P-256, Ed25519 or RSA key of 2048 to 4096 bits with e = 65537.",
    )
    KEY_KNOWN = (602, "invalid_client_metadata", "the key is registered already", "Make a new pair of keys.")
    KEY_MEMBERS = (
        603,
        "invalid_client_metadata",
        "alg, use or kid of the key does not fit",
        "Leave them out, or let them fit.",
    )
    KEY_PROOF = (
        604,
        "invalid_client_metadata",
        "the proof does not show possession of the new key",
        "Sign aud, sub, iat and jti with the new key as key-proof+jwt.",
    )
    KEY_TOO_MANY = (605, "invalid_client_metadata", "five live keys exist", "Revoke a key first.")

    def __init__(self, number: int, error: str, words: str, cure: str) -> None:
        self.number = number
        self.error = error
        self.words = words
        self.cure = cure

    @property
    def code(self) -> str:
        """`GW-110`: what people quote."""
        return f"GW-{self.number:03d}"


STATUS = {Reason.SIZE: 413, Reason.STORE_UNAVAILABLE: 503, Reason.THROTTLED: 429}
"""Statuses at the endpoints of the authorization server other than 400."""


class RefusedError(OAuth2Error):  # type: ignore[misc]  # Authlib is untyped
    """A request to the authorization server is refused.

    Args:
        claim: the parameter or claim that failed, where there is one.
        status: 401 where the client tried the Authorization header (RFC 6749, section 5.2).
        got: its value, for the token debugger alone: neither answered otherwise nor audited nor logged.
        expected: what it should have been.
    """

    def __init__(
        self,
        reason: Reason,
        *,
        claim: str | None = None,
        status: int | None = None,
        got: Any = None,
        expected: str | None = None,
    ) -> None:
        super().__init__(
            description=f"{reason.code}: {reason.words}",
            error=reason.error,
            status_code=status or STATUS.get(reason, 400),
        )
        self.reason = reason
        self.claim = claim
        self.got = got
        self.expected = expected
        self.claimed: str | None = None
        """The client id that an assertion claims, proven or not; for the audit alone."""

    def get_headers(self) -> list[tuple[str, str]]:
        """Give the headers of the answer; the nonce, where there is one, is added for every answer alike."""
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache")]
        if self.status_code == 401:  # noqa: PLR2004
            headers.append(("WWW-Authenticate", f'Basic error="{self.error}"'))
        if self.status_code in {429, 503}:
            headers.append(("Retry-After", "2"))
        return headers


class AccessRefusedError(GatewayError):
    """A call of the API is refused before anything was done for it.

    Args:
        reason: absent where no credentials were sent: such a challenge carries no error code (RFC 6750, section 3.1).
        scope: the scopes that would suffice.
    """

    def __init__(self, reason: Reason | None, *, scope: str | None = None) -> None:
        super().__init__(f"{reason.code}: {reason.words}" if reason else "no credentials")
        self.reason = reason
        self.scope = scope
