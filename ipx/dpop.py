"""Proof of possession for one call (RFC 9449), as a client makes it."""

import hashlib
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

from ipx.compact import serialize
from ipx.encoding import b64url
from ipx.ids import uuid7
from ipx.jws import Json
from ipx.keyfile import SignInKey

TYP = "dpop+jwt"


def prove(
    key: SignInKey, method: str, url: str, *, now: datetime, nonce: str | None = None, token: str | None = None
) -> str:
    """Make the value of one `DPoP` header; it serves once.

    `key` is the one that tokens are bound to: its public half travels in the header, so it needs no registration.
    Query and fragment of `url` are left out of `htu` (section 4.2). `nonce` is the last one the same server gave.
    `token` is the access token sent along, bound by its hash; there is none at the token endpoint.
    """
    parts = urlsplit(url)
    claims: dict[str, Json] = {
        "jti": uuid7(),
        "htm": method,
        "htu": urlunsplit((parts.scheme, parts.netloc, parts.path or "/", "", "")),
        "iat": int(now.timestamp()),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if token is not None:
        claims["ath"] = b64url(hashlib.sha256(token.encode("ascii")).digest())
    return serialize({"alg": key.alg, "typ": TYP, "jwk": {**key.public_jwk}}, claims, key)
