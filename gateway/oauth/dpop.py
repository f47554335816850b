"""Proof of possession: one signed statement that this very call was made by the holder of a key (RFC 9449)."""

import hmac
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from gateway.clock import Clock
from gateway.oauth.errors import Reason, RefusedError
from gateway.oauth.jose import KEY_ALGS, MAX_BYTES, Fault, Jws, JwsError, is_jti, is_time, parse, require_header, verify
from gateway.oauth.nonce import Nonces
from gateway.oauth.replay import SeenKey, proof_key
from ipx.errors import FormatError
from ipx.keys import PublicKey, public_key
from ipx.values import value

AGE_SECONDS: Final = 300
AHEAD_SECONDS: Final = 60
LEEWAY_SECONDS: Final = 10
"""How much longer a used `jti` is kept than its proof could pass."""

_MEMBERS: Final = frozenset({"typ", "alg", "jwk"})
_TYPS: Final[frozenset[str | None]] = frozenset({"dpop+jwt"})
_REASONS: Final = {
    Fault.FORM: Reason.PROOF_MALFORMED,
    Fault.MEMBER: Reason.PROOF_MALFORMED,
    Fault.TYPE: Reason.PROOF_MALFORMED,
    Fault.ALGORITHM: Reason.PROOF_ALG,
    Fault.SIGNATURE: Reason.PROOF_SIGNATURE,
}
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


@value
class Call:
    """The call a proof must be for, as it came in.

    Args:
        proof: value of the header `DPoP`, repeated headers joined by a comma as WSGI gives them; None if absent.
        path: the raw path of the request line, undecoded, without query.
        token_hash: SHA-256 of the access token sent along, base64url; None at the token endpoint.
    """

    proof: str | None
    method: str
    path: str
    token_hash: str | None = None


@value
class Proof:
    """A proof that holds, not yet used up."""

    thumbprint: str
    consume: SeenKey


class DpopVerifier:
    """Judges proofs by the configured public address of this gateway, never by `Host` or a forwarded header."""

    def __init__(self, origin: str, nonces: Nonces, clock: Clock) -> None:
        self._origin = _normal(urlsplit(origin))
        self._nonces = nonces
        self._clock = clock

    def verify(self, call: Call, *, bound_to: str | None = None) -> Proof:
        """Check a proof for a call; nothing is used up.

        Args:
            call: the call as it came in.
            bound_to: thumbprint of the key that the call's token is bound to.

        Raises:
            RefusedError: `PROOF_*`, or `TOKEN_BINDING` where another key than the token's signed.
        """
        jws, key = _signed(call)
        for refusal in self._failing(jws.claims, key, call, bound_to):
            raise refusal
        return self._proof(jws.claims, key, call)

    def examine(self, call: Call, *, bound_to: str | None = None) -> Proof | list[RefusedError]:
        """Find everything that is wrong with a proof at once, for the token debugger; else give the proof."""
        try:
            jws, key = _signed(call)
        except RefusedError as refusal:
            return [refusal]
        return list(self._failing(jws.claims, key, call, bound_to)) or self._proof(jws.claims, key, call)

    def _failing(
        self, claims: Mapping[str, Any], key: PublicKey, call: Call, bound_to: str | None
    ) -> Iterator[RefusedError]:
        """Give each check that fails, in the order in which they refuse."""
        if claims.get("htm") != call.method:
            yield _wrong(claims, Reason.PROOF_METHOD, "htm", call.method)
        if not is_address(claims.get("htu"), self._address(call)):
            yield _wrong(claims, Reason.PROOF_ADDRESS, "htu", self._address(call))
        iat: Any = claims.get("iat")
        if not is_time(iat) or not -AGE_SECONDS <= iat - self._clock().timestamp() <= AHEAD_SECONDS:
            yield _wrong(claims, Reason.PROOF_TIME, "iat")
        if not is_jti(claims.get("jti")):
            yield _wrong(claims, Reason.PROOF_JTI, "jti")
        if call.token_hash is not None and not _is_same(claims.get("ath"), call.token_hash):
            yield _wrong(claims, Reason.PROOF_MALFORMED, "ath", "the SHA-256 of the access token, base64url")
        if bound_to is not None and not _is_same(bound_to, key.kid):
            yield _wrong({"jwk": key.kid}, Reason.TOKEN_BINDING, "jwk", bound_to)
        if not self._nonces.accepts(claims.get("nonce")):
            yield _wrong(claims, Reason.PROOF_NONCE, "nonce")

    def _address(self, call: Call) -> str:
        return f"{self._origin}{call.path}"

    def _proof(self, claims: Mapping[str, Any], key: PublicKey, call: Call) -> Proof:
        until = int(claims["iat"]) + AGE_SECONDS + LEEWAY_SECONDS
        return Proof(key.kid, proof_key(self._address(call), key.kid, claims["jti"], until))


def _signed(call: Call) -> tuple[Jws, PublicKey]:
    """Take the one proof of a call, signed by the key in it."""
    text = call.proof
    if not text or "," in text:
        raise RefusedError(Reason.PROOF_MISSING)
    try:
        jws = parse(text, max_bytes=MAX_BYTES)
        require_header(jws, members=_MEMBERS, typs=_TYPS)
        key = _key(jws.header.get("jwk"))
        verify(jws, key)
    except JwsError as error:
        raise RefusedError(_REASONS[error.fault]) from error
    return jws, key


def _wrong(claims: Mapping[str, Any], reason: Reason, claim: str, expected: str | None = None) -> RefusedError:
    return RefusedError(reason, claim=claim, got=claims.get(claim), expected=expected)


def is_address(htu: Any, address: str) -> bool:
    """Whether `htu` names an address, whatever the case of scheme and host, default port, query and fragment."""
    # urlsplit drops tabs, line breaks and leading spaces silently, hence the look at the text itself.
    if not isinstance(htu, str) or not htu.isascii() or not htu.isprintable() or " " in htu:
        return False
    if htu == address and "?" not in htu and "#" not in htu:  # as nearly every client writes it
        return True
    try:
        parts = urlsplit(htu)
        return parts.username is None and _normal(parts) + (parts.path or "/") == address
    except ValueError:
        return False


def _normal(parts: SplitResult) -> str:
    """Write scheme and authority in their one spelling.

    Raises:
        ValueError: the port is none.
    """
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    scheme = parts.scheme.lower()
    port = parts.port
    is_default = port is None or port == _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{host}" if is_default else f"{scheme}://{host}:{port}"


def _is_same(given: Any, expected: str) -> bool:
    # Bytes are compared: hmac.compare_digest raises on text outside ASCII.
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _key(jwk: Any) -> PublicKey:
    if not isinstance(jwk, dict):
        raise RefusedError(Reason.PROOF_KEY, claim="jwk")
    try:
        if not all(isinstance(value, str) for value in jwk.values()):  # `key_ops` is a list
            return public_key(jwk, algorithms=KEY_ALGS)
        # The key of a client comes with every call; taking it in costs as much as a signature check.
        return _import(tuple(sorted(jwk.items())))
    except FormatError as error:
        raise RefusedError(Reason.PROOF_KEY, claim="jwk") from error


@lru_cache(maxsize=4096)
def _import(members: tuple[tuple[str, str], ...]) -> PublicKey:
    return public_key(dict(members), algorithms=KEY_ALGS)
