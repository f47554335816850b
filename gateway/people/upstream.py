"""Sign-in at an upstream identity provider: OpenID Connect with PKCE, nonce, and the issuer checked everywhere.

Authlib builds the request; what clients leave open is checked here: that the discovery document names the configured
issuer (OpenID Connect Discovery, section 4.3), that the answer comes from it (RFC 9207), and the identity token itself.
"""

import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx
from authlib.oauth2.client import OAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.web import problem

RETURN_PATH: Final = "/sign-in/upstream/return"
ALGORITHMS: Final = ["ES256", "PS256", "RS256", "EdDSA", "Ed25519"]
ABANDONED_SECONDS: Final = 600
KEPT_SECONDS: Final = 3600
SECONDS: Final = 5.0
CLOCK_SKEW_SECONDS: Final = 60
CONFIRM_MAX_AGE_SECONDS: Final = 300
MULTI_FACTOR: Final = frozenset({"mfa", "hwk", "swk"})
"""Authentication methods (RFC 8176) that count as a second factor: several factors, or a key that a person holds."""


class UpstreamError(GatewayError):
    """The provider cannot be asked, or its answer cannot be believed; `reason` is for the audit entry."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the upstream identity provider: {reason}")
        self.reason = reason


problem.register(UpstreamError, "upstream-failed")


@dataclass(frozen=True, slots=True)
class Provider:
    """Who is asked, as configured."""

    issuer: str
    client_id: str
    client_secret: str
    name: str
    acr: str | None = None
    """The authentication context that counts as a second factor; None: `amr` is read instead."""


@dataclass(frozen=True, slots=True)
class Departure:
    """What waits in the session while a person is at the provider."""

    url: str
    state: str
    nonce: str
    verifier: str
    at: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who came back."""

    subject: str
    is_multi_factor: bool


class Upstream:
    """One provider. Its discovery document and keys are kept for an hour."""

    def __init__(self, provider: Provider, origin: str, clock: Clock, http: httpx.BaseTransport | None = None) -> None:
        self.provider = provider
        self._return_to = origin + RETURN_PATH
        self._clock = clock
        self._transport = http
        self._lock = threading.Lock()
        self._kept: tuple[float, Mapping[str, Any], KeySet] | None = None

    def depart(self, *, again: bool = False) -> Departure:
        """Say where to send a person.

        Args:
            again: the provider must look at the person anew, whatever session it has: to confirm.

        Raises:
            UpstreamError: the provider cannot be asked.
        """
        metadata, _ = self._known()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        extra = {"prompt": "login", "max_age": "0"} if again else {}
        if self.provider.acr:
            extra["acr_values"] = self.provider.acr
        client = OAuth2Client(
            None,
            self.provider.client_id,
            scope="openid",
            redirect_uri=self._return_to,
            code_challenge_method="S256",
        )
        url, _ = client.create_authorization_url(
            metadata["authorization_endpoint"], state=state, code_verifier=verifier, nonce=nonce, **extra
        )
        return Departure(url, state, nonce, verifier, int(self._clock().timestamp()))

    def arrive(self, departure: Departure, answer: Mapping[str, str], *, again: bool = False) -> Arrival:
        """Judge what a person came back with.

        Args:
            departure: what waited in the session; it must be taken out of there before, so that it counts once.
            answer: the query of the return address.
            again: whether the provider was told to look anew.

        Raises:
            UpstreamError: anything does not hold.
        """
        now = int(self._clock().timestamp())
        if not 0 <= now - departure.at < ABANDONED_SECONDS:
            raise UpstreamError("abandoned")
        if not hmac.compare_digest(answer.get("state", "").encode(), departure.state.encode()):
            raise UpstreamError("wrong state")
        metadata, keys = self._known()
        named = answer.get("iss")
        if named is None and metadata.get("authorization_response_iss_parameter_supported"):
            raise UpstreamError("issuer missing")
        if named is not None and named != self.provider.issuer:
            raise UpstreamError("another issuer answered")
        if "error" in answer or not answer.get("code"):
            raise UpstreamError("refused there")
        token = self._exchange(metadata, answer["code"], departure.verifier)
        return self._arrival(token, keys, metadata, departure.nonce, again=again)

    def _exchange(self, metadata: Mapping[str, Any], code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._return_to,
            "code_verifier": verifier,
        }
        # Both halves are form-encoded before they are joined (RFC 6749, section 2.3.1).
        secret = httpx.BasicAuth(quote(self.provider.client_id, safe=""), quote(self.provider.client_secret, safe=""))
        try:
            with self._http() as http:
                granted = _object(http.post(metadata["token_endpoint"], data=form, auth=secret))
        except (httpx.HTTPError, ValueError) as error:
            raise UpstreamError("code not taken") from error
        token = granted.get("id_token")
        if not isinstance(token, str):
            raise UpstreamError("no identity token")
        return token

    def _arrival(self, token: str, keys: KeySet, metadata: Mapping[str, Any], nonce: str, *, again: bool) -> Arrival:
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        try:
            claims = jwt.decode(token, keys, algorithms=[name for name in ALGORITHMS if name in offered]).claims
            jwt.JWTClaimsRegistry(
                now=int(self._clock().timestamp()),
                leeway=CLOCK_SKEW_SECONDS,
                iss={"essential": True, "value": self.provider.issuer},
                aud={"essential": True, "value": self.provider.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError) as error:
            raise UpstreamError(f"identity token: {type(error).__name__}") from error
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise UpstreamError("wrong nonce")
        if isinstance(claims["aud"], list) and (
            len(claims["aud"]) != 1 and claims.get("azp") != self.provider.client_id
        ):
            raise UpstreamError("meant for another")
        if again and not self._is_recent(claims.get("auth_time")):
            raise UpstreamError("not looked at anew")
        return Arrival(str(claims["sub"]), self._is_multi_factor(claims))

    def _is_recent(self, auth_time: Any) -> bool:
        age = self._clock().timestamp() - auth_time if isinstance(auth_time, int) else CONFIRM_MAX_AGE_SECONDS
        return -CLOCK_SKEW_SECONDS <= age < CONFIRM_MAX_AGE_SECONDS

    def _is_multi_factor(self, claims: Mapping[str, Any]) -> bool:
        if self.provider.acr is not None:
            return claims.get("acr") == self.provider.acr
        methods = claims.get("amr")
        return isinstance(methods, list) and any(method in MULTI_FACTOR for method in methods)

    def _known(self) -> tuple[Mapping[str, Any], KeySet]:
        with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] > KEPT_SECONDS:
                metadata, keys = self._discover()
                self._kept = (time.monotonic(), metadata, keys)
            return self._kept[1], self._kept[2]

    def _discover(self) -> tuple[Mapping[str, Any], KeySet]:
        with self._http() as http:
            try:
                metadata = _object(http.get(f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration"))
                if metadata.get("issuer") != self.provider.issuer:
                    raise UpstreamError("the discovery document is of another issuer")
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    _require_safe(metadata.get(name))
                keys = KeySet.import_key_set(_object(http.get(metadata["jwks_uri"])))  # type: ignore[arg-type]
            except (httpx.HTTPError, JoseError, ValueError, KeyError) as error:
                raise UpstreamError(f"not to be reached ({type(error).__name__})") from error
        return metadata, keys

    def _http(self) -> httpx.Client:
        return httpx.Client(timeout=SECONDS, transport=self._transport)


def _object(answer: httpx.Response) -> dict[str, Any]:
    answer.raise_for_status()
    document = answer.json()
    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004  (a fault of the document, like any other)
    return document


def _require_safe(url: Any) -> None:
    parsed = httpx.URL(str(url))
    if parsed.scheme != "https" and parsed.host not in {"127.0.0.1", "localhost", "::1"}:
        raise UpstreamError("an endpoint without TLS")
