"""From text to (header, claims), strictly, before any library sees it; then one signature under one key.

Used for client assertions, DPoP proofs, our own access tokens and key proofs. What JOSE libraries forgive (spare base64
bits, members twice, UTF-16, NaN) lets two readers see two documents; the strict readers are those of evidence, in
`ipx`. Here stand the freer headers that OAuth needs: `kid` and `typ` may be absent, a proof carries its key.
"""

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from gateway.errors import GatewayError
from ipx.encoding import b64url_bytes
from ipx.errors import EvidenceError
from ipx.jws import parse_object
from ipx.keys import Algorithm, PublicKey
from ipx.values import value

Claims = Mapping[str, Any]
"""Members of a parsed JSON object: where types end."""

MAX_BYTES: Final = 8192
SIGNATURE_ALGS: Final = ("ES256", "PS256", "Ed25519", "EdDSA")
"""What clients may sign with. `EdDSA` (RFC 8037) is the older name of `Ed25519` (RFC 9864)."""
KEY_ALGS: Final[frozenset[Algorithm]] = frozenset({"ES256", "PS256", "Ed25519"})

_LAST_INSTANT: Final = 2**53
_SMALL: Final = 1024
_JTI_LENGTH: Final = range(8, 257)


class Fault(Enum):
    """Which part of a token failed; each place that takes tokens has its own codes for these."""

    FORM = "form"
    MEMBER = "member"
    ALGORITHM = "algorithm"
    TYPE = "type"
    SIGNATURE = "signature"


class JwsError(GatewayError):
    """A token cannot be taken."""

    def __init__(self, fault: Fault, words: str) -> None:
        super().__init__(words)
        self.fault = fault


@value
class Jws:
    """A token taken apart. Its signature has not been looked at."""

    header: Claims
    claims: Claims
    signing_input: bytes
    signature: bytes

    @property
    def alg(self) -> str:
        """The algorithm under the name that a registered key has."""
        alg = self.header["alg"]
        return "Ed25519" if alg == "EdDSA" else str(alg)


def parse(text: str, *, max_bytes: int = MAX_BYTES) -> Jws:
    """Take a compact JWS (RFC 7515, section 7.1) of two JSON objects apart.

    Raises:
        JwsError: `FORM`: too long, not three segments, not canonical base64url, not a JSON object, a member twice, a
            number that is none, nested too deep, a lone surrogate.
    """
    if len(text) > max_bytes:
        raise JwsError(Fault.FORM, f"longer than {max_bytes} bytes")
    segments = text.split(".")
    if len(segments) != 3:  # noqa: PLR2004  (header, payload, signature)
        raise JwsError(Fault.FORM, "not three segments")
    try:
        # A client's header is the same each time; a remembered one must be small.
        header = (_remembered if len(segments[0]) <= _SMALL else _object)(segments[0])
        claims = _object(segments[1])
        signature = b64url_bytes(segments[2])
    except EvidenceError as error:
        raise JwsError(Fault.FORM, str(error)) from error
    return Jws(header, claims, f"{segments[0]}.{segments[1]}".encode("ascii"), signature)


def _object(segment: str) -> dict[str, Any]:
    return parse_object(b64url_bytes(segment))


@lru_cache(maxsize=4096)
def _remembered(segment: str) -> Claims:
    return MappingProxyType(_object(segment))


def require_header(jws: Jws, *, members: frozenset[str], typs: frozenset[str | None]) -> None:
    """Judge a header by an allow-list.

    Args:
        jws: a token taken apart.
        members: those that may be there; `alg` always must.
        typs: values that `typ` may have; None means that it may be absent.

    Raises:
        JwsError: `MEMBER`, `ALGORITHM` or `TYPE`.
    """
    if not jws.header.keys() <= members:
        raise JwsError(Fault.MEMBER, "a header member is not taken")
    if jws.header.get("alg") not in SIGNATURE_ALGS:
        raise JwsError(Fault.ALGORITHM, "the algorithm is not taken")
    typ = jws.header.get("typ", _ABSENT)
    if (typ is _ABSENT and None not in typs) or (typ is not _ABSENT and not (isinstance(typ, str) and typ in typs)):
        raise JwsError(Fault.TYPE, "typ does not fit")


def verify(jws: Jws, key: PublicKey) -> None:
    """Check the signature under exactly this key, whose own algorithm the header may only repeat.

    Raises:
        JwsError: `SIGNATURE`.
    """
    if jws.alg != key.alg:
        raise JwsError(Fault.SIGNATURE, "the algorithm is not the key's")
    try:
        key.verify(jws.signature, jws.signing_input)
    except EvidenceError as error:
        raise JwsError(Fault.SIGNATURE, "the signature fails") from error


def is_time(value: Any) -> bool:
    """Whether a claim is a NumericDate (RFC 7519, section 2): a number in range; `true` is not 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LAST_INSTANT


def is_jti(value: Any) -> bool:
    """Whether a claim can name a token: long enough not to collide, short enough to keep."""
    return isinstance(value, str) and len(value) in _JTI_LENGTH


_ABSENT: Final = object()
