"""The numbers of a JWK (RFC 7517) as a public key of the library, if they are those of a sound one.

Libraries let pass what must not: points of small order, a second spelling of the same number.
"""

from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ipx.encoding import b64url_bytes
from ipx.errors import FormatError

ED25519_BYTES: Final = 32
P256_BYTES: Final = 32
_RSA_BITS: Final = range(2048, 4097)
_RSA_EXPONENT: Final = 65537

_FIELD: Final = 2**255 - 19
_CURVE_D: Final = -121665 * pow(121666, -1, _FIELD) % _FIELD
# y coordinates of the points of order 1, 2, 4 and 8: under such a key anybody can sign (RFC 8032 lets them pass).
_SMALL_ORDER: Final = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    }
)


def _bytes_of(jwk: Mapping[str, object], member: str) -> bytes:
    value = jwk.get(member)
    if not isinstance(value, str):
        raise FormatError(f"A key lacks its member {member!r}.")
    return b64url_bytes(value)


def ed25519_key(jwk: Mapping[str, object]) -> ed25519.Ed25519PublicKey:
    """Take the member `x` as an Ed25519 key (RFC 8037): canonical, on the curve, not of small order.

    Raises:
        FormatError: it is none.
    """
    raw = _bytes_of(jwk, "x")
    if len(raw) != ED25519_BYTES:
        raise FormatError("An Ed25519 key is not of 32 bytes.")
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _FIELD or y in _SMALL_ORDER or not _is_on_curve(y):
        raise FormatError("An Ed25519 key is no point of the curve, or one for which anybody can sign.")
    return ed25519.Ed25519PublicKey.from_public_bytes(raw)


def _is_on_curve(y: int) -> bool:
    """Tell whether an x exists with y² - x² = 1 + d·x²·y² (Euler's criterion)."""
    square = (y * y - 1) * pow(_CURVE_D * y * y + 1, -1, _FIELD) % _FIELD
    return pow(square, (_FIELD - 1) // 2, _FIELD) <= 1


def p256_key(jwk: Mapping[str, object]) -> ec.EllipticCurvePublicKey:
    """Take the members `x` and `y` as a P-256 key (RFC 7518, section 6.2): 32 bytes each, on the curve.

    Raises:
        FormatError: they are none.
    """
    x, y = _bytes_of(jwk, "x"), _bytes_of(jwk, "y")
    if len(x) != P256_BYTES or len(y) != P256_BYTES:
        raise FormatError("A P-256 key has coordinates that are not of 32 bytes.")
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
    try:
        return numbers.public_key()
    except ValueError as error:
        raise FormatError("A P-256 key is no point of the curve.") from error


def rsa_key(jwk: Mapping[str, object]) -> rsa.RSAPublicKey:
    """Take the members `n` and `e` as an RSA key (RFC 7518, section 6.3) of 2048 to 4096 bits with e = 65537.

    Raises:
        FormatError: they are none.
    """
    octets = [_bytes_of(jwk, member) for member in ("n", "e")]
    if any(number.startswith(b"\x00") for number in octets):  # RFC 7518, section 2: one spelling, so one thumbprint
        raise FormatError("An RSA key is written with octets to spare.")
    n, e = (int.from_bytes(number, "big") for number in octets)
    if e != _RSA_EXPONENT or n.bit_length() not in _RSA_BITS or n % 2 == 0:
        raise FormatError("An RSA key is not an odd number of 2048 to 4096 bits with the exponent 65537.")
    try:
        return rsa.RSAPublicNumbers(e, n).public_key()
    except ValueError as error:
        raise FormatError("An RSA key is not a sound one.") from error
