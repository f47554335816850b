"""A client's own key in a file: a private JWK (RFC 7517) that only its owner may read."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, get_args

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from ipx.encoding import b64url, b64url_bytes
from ipx.errors import FormatError
from ipx.jws import Json, dump_json, parse_object, text
from ipx.keys import Algorithm, KeySigner, PublicKey, generate_signer, load_signer, public_key
from ipx.problems import KeyFileError

ALGORITHMS: Final[tuple[Algorithm, ...]] = get_args(Algorithm)
RSA_BITS: Final = 3072
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi"})
_PSS: Final = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)

_Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class SignInKey(Protocol):
    """A key that signs a client in. Every `ipx.keys.Signer` is one; RSA serves here and nowhere else."""

    @property
    def kid(self) -> str: ...

    @property
    def alg(self) -> Algorithm: ...

    @property
    def public_jwk(self) -> Mapping[str, str]: ...

    def sign(self, message: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class RsaKey:
    """An RSA key that signs with PS256 (RFC 7518, section 3.5)."""

    public: PublicKey
    _private: rsa.RSAPrivateKey = field(repr=False)

    @property
    def kid(self) -> str:
        return self.public.kid

    @property
    def alg(self) -> Algorithm:
        return "PS256"

    @property
    def public_jwk(self) -> Mapping[str, str]:
        return self.public.jwk

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message, _PSS, hashes.SHA256())

    def private_pem(self) -> bytes:
        return _pem(self._private)


ClientKey = KeySigner | RsaKey


def generate(alg: Algorithm) -> ClientKey:
    """Make a key pair from the system's randomness."""
    if alg != "PS256":
        return generate_signer(alg)
    return _rsa_key(rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS))


def public_jwk(key: SignInKey) -> dict[str, Json]:
    """Give the public half as it is registered with the gateway."""
    return {**key.public_jwk, "alg": key.alg, "kid": key.kid, "use": "sig"}


def private_jwk(key: ClientKey) -> dict[str, Json]:
    """Give the whole key; what this returns is a secret."""
    private = serialization.load_pem_private_key(key.private_pem(), password=None)
    match private:
        case ed25519.Ed25519PrivateKey():
            secret = {"d": b64url(private.private_bytes_raw())}
        case ec.EllipticCurvePrivateKey():
            secret = {"d": b64url(private.private_numbers().private_value.to_bytes(32, "big"))}
        case rsa.RSAPrivateKey():
            numbers = private.private_numbers()
            secret = {
                "d": _text(numbers.d),
                "p": _text(numbers.p),
                "q": _text(numbers.q),
                "dp": _text(numbers.dmp1),
                "dq": _text(numbers.dmq1),
                "qi": _text(numbers.iqmp),
            }
        case _:
            raise AssertionError("a client key is of one of three kinds")
    return {**public_jwk(key), **secret}


def write_key(path: Path, key: ClientKey) -> None:
    """Write a private JWK with mode 0600; an existing file is never overwritten.

    Raises:
        KeyFileError: the file exists or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise KeyFileError(f"{path} exists; a key is never overwritten", next_step="Choose another --out.") from error
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}", next_step="Choose another --out.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(dump_json(private_jwk(key)) + b"\n")


def read_key(path: Path) -> ClientKey:
    """Read a private JWK, or an unencrypted PKCS#8 PEM file.

    Raises:
        KeyFileError: it cannot be read, others may read it, or it is no key of a kind that is taken.
    """
    try:
        data = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be read: {error.strerror}") from error
    if os.name == "posix" and mode & 0o077:
        raise KeyFileError(f"others than its owner may read the key file {path}", next_step=f"Run: chmod 600 {path}")
    try:
        return parse_key(data)
    except FormatError as error:
        raise KeyFileError(f"{path} holds no usable private key: {error}") from error


def parse_key(data: bytes) -> ClientKey:
    """Take the bytes of a key file.

    Raises:
        FormatError: neither a private JWK nor PEM, an unsound key, halves that do not belong together.
    """
    if data.lstrip().startswith(b"-----BEGIN"):
        private = _load_pem(data)
        return _rsa_key(private) if isinstance(private, rsa.RSAPrivateKey) else load_signer(data)
    jwk = parse_object(data)
    public = public_key(
        {name: value for name, value in jwk.items() if name not in _PRIVATE_MEMBERS}, algorithms=frozenset(ALGORITHMS)
    )
    if jwk.get("kid", public.kid) != public.kid:
        raise FormatError("The key names itself by something else than its RFC 7638 thumbprint.")
    try:
        private = _PRIVATE[public.alg](jwk)
    except ValueError as error:
        raise FormatError("The private half of the key is not a sound one.") from error
    key = _rsa_key(private) if isinstance(private, rsa.RSAPrivateKey) else load_signer(_pem(private))
    if key.kid != public.kid:
        raise FormatError("The private half of the key does not belong to its public half.")
    return key


def _ed25519(jwk: Mapping[str, Json]) -> _Private:
    return ed25519.Ed25519PrivateKey.from_private_bytes(b64url_bytes(text(jwk, "d")))


def _p256(jwk: Mapping[str, Json]) -> _Private:
    return ec.derive_private_key(_number(jwk, "d"), ec.SECP256R1())


def _rsa(jwk: Mapping[str, Json]) -> _Private:
    p, q, d, dp, dq, qi, n, e = (_number(jwk, name) for name in ("p", "q", "d", "dp", "dq", "qi", "n", "e"))
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, rsa.RSAPublicNumbers(e, n)).private_key()


_PRIVATE: Final[Mapping[Algorithm, Callable[[Mapping[str, Json]], _Private]]] = {
    "Ed25519": _ed25519,
    "ES256": _p256,
    "PS256": _rsa,
}


def _number(jwk: Mapping[str, Json], name: str) -> int:
    return int.from_bytes(b64url_bytes(text(jwk, name)), "big")


def _rsa_key(private: rsa.RSAPrivateKey) -> RsaKey:
    numbers = private.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": _text(numbers.n), "e": _text(numbers.e)}
    return RsaKey(public_key(jwk, algorithms=frozenset({"PS256"})), private)


def _text(number: int) -> str:
    """Write an unsigned integer as RFC 7518 section 2 has it (Base64urlUInt)."""
    return b64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _load_pem(data: bytes) -> object:
    try:
        return serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise FormatError("A private key file is not unencrypted PKCS#8 PEM.") from error


def _pem(private: _Private) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
