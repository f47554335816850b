"""Keys: what a public key must be to be taken, the kid it has, and signing with the private half.

Algorithms are `Ed25519` (RFC 8037, named as in RFC 9864) and `ES256` with the raw signature r‖s of 64 bytes (RFC 7518,
section 3.4). `PS256` verifies only where the caller allows it: it is for signing in to the gateway, never for evidence.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from ipx.encoding import b64url
from ipx.errors import FormatError, SignatureError
from ipx.jwk import P256_BYTES, ed25519_key, p256_key, rsa_key
from ipx.values import value

Algorithm = Literal["Ed25519", "ES256", "PS256"]
Role = Literal["requester", "holder", "seal", "gateway"]

EVIDENCE_ALGORITHMS: Final[frozenset[Algorithm]] = frozenset({"Ed25519", "ES256"})

_SHA256: Final = ec.ECDSA(hashes.SHA256())
_PSS: Final = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)

_Native = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that passed every rule of `public_key`; `kid` is its RFC 7638 thumbprint."""

    alg: Algorithm
    jwk: Mapping[str, str] = field(hash=False)
    kid: str
    native: _Native = field(compare=False, repr=False)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a signature.

        Raises:
            SignatureError: it was not made by this key over this message, or has another length than it must.
        """
        try:
            match self.native:
                case ed25519.Ed25519PublicKey():
                    self.native.verify(signature, message)
                case ec.EllipticCurvePublicKey():
                    self.native.verify(_der(signature), message, _SHA256)
                case rsa.RSAPublicKey():
                    self.native.verify(signature, message, _PSS, hashes.SHA256())
        except InvalidSignature as error:
            raise SignatureError(
                "A signature does not fit: the document was changed, or signed with another key."
            ) from error


class Signer(Protocol):
    """Whatever holds a private key: a file, a PKCS#11 token, a key service."""

    @property
    def kid(self) -> str: ...

    @property
    def alg(self) -> Literal["Ed25519", "ES256"]: ...

    @property
    def public_jwk(self) -> Mapping[str, str]: ...

    def sign(self, message: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class KeySigner:
    """A signer whose private key lies in this process's memory."""

    public: PublicKey
    _private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def kid(self) -> str:
        return self.public.kid

    @property
    def alg(self) -> Literal["Ed25519", "ES256"]:
        return "Ed25519" if isinstance(self._private, ed25519.Ed25519PrivateKey) else "ES256"

    @property
    def public_jwk(self) -> Mapping[str, str]:
        return self.public.jwk

    def sign(self, message: bytes) -> bytes:
        """Sign; 64 bytes for either algorithm."""
        if isinstance(self._private, ed25519.Ed25519PrivateKey):
            return self._private.sign(message)
        r, s = decode_dss_signature(self._private.sign(message, _SHA256))
        return r.to_bytes(P256_BYTES, "big") + s.to_bytes(P256_BYTES, "big")

    def private_pem(self) -> bytes:
        """Write the private key as unencrypted PKCS#8 PEM; the caller keeps it from others' eyes (mode 0600)."""
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


@value
class TrustedKey:
    """A public key, whose it is, for what, and when. `valid_until` and `revoked_at` are exclusive ends."""

    role: Role
    kid: str
    owner: str
    public: PublicKey
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    revoked_at: datetime | None = None
    reason: str | None = None


class KeyFinder(Protocol):
    """Where a verifier looks up keys; nothing inside a document ever supplies one."""

    def key(self, roles: frozenset[Role], kid: str) -> TrustedKey:
        """Find the one key of this name in one of these roles.

        Raises:
            SignatureError: there is none, or more than one.
        """
        ...


class KeyRing:
    """A `KeyFinder` over keys already known."""

    def __init__(self, keys: Iterable[TrustedKey]) -> None:
        self._keys: dict[tuple[Role, str], list[TrustedKey]] = {}
        for key in keys:
            self._keys.setdefault((key.role, key.kid), []).append(key)

    def key(self, roles: frozenset[Role], kid: str) -> TrustedKey:
        found = [key for role in sorted(roles) for key in self._keys.get((role, kid), ())]
        wanted = " or ".join(sorted(roles))
        match found:
            case [key]:
                return key
            case []:
                raise SignatureError(f"Nobody vouches for the key {kid[:64]!r} as a {wanted} key.")
            case _:
                raise SignatureError(f"The key name {kid[:64]!r} stands for more than one {wanted} key.")


def thumbprint(jwk: Mapping[str, object]) -> str:
    """Name a key by its contents (RFC 7638, SHA-256, base64url).

    Raises:
        FormatError: a required member is missing, or the key type is none of EC, OKP, RSA.
    """
    members = _REQUIRED.get(str(jwk.get("kty")))
    if members is None or not all(isinstance(jwk.get(member), str) for member in members):
        raise FormatError("A key has no thumbprint: its type is unknown or a member of it is missing.")
    text = json.dumps({member: jwk[member] for member in members}, separators=(",", ":"), ensure_ascii=False)
    return b64url(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())


def public_key(jwk: Mapping[str, object], *, algorithms: frozenset[Algorithm] = EVIDENCE_ALGORITHMS) -> PublicKey:
    """Take a JWK (RFC 7517) as a public key, if it is a sound one.

    P-256 with coordinates of exactly 32 bytes on the curve; Ed25519 canonical, on the curve and not of small order;
    RSA of 2048 to 4096 bits with e = 65537. Other members than the key's own are allowed only where they agree.

    Raises:
        FormatError: anything else, a private or symmetric key among it.
    """
    if not _PUBLIC_MEMBERS.issuperset(jwk):
        raise FormatError("A public key carries members that have no place in it; a private key must not be sent.")
    if jwk.get("use", "sig") != "sig":
        raise FormatError("A key is marked for another use than signing.")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise FormatError("A key is marked for other operations than verifying.")
    match jwk.get("kty"), jwk.get("crv"):
        case "OKP", "Ed25519":
            alg: Algorithm = "Ed25519"
            native: _Native = ed25519_key(jwk)
        case "EC", "P-256":
            alg, native = "ES256", p256_key(jwk)
        case "RSA", None:
            alg, native = "PS256", rsa_key(jwk)
        case _:
            raise FormatError("A key is of a type that is not taken; Ed25519 and P-256 are.")
    if alg not in algorithms:
        raise FormatError(f"A key for {alg} is not taken here.")
    stated = jwk.get("alg", alg)
    if stated != alg and (stated, alg) != ("EdDSA", "Ed25519"):
        raise FormatError("A key names another algorithm than its type allows.")
    own = {member: str(jwk[member]) for member in _REQUIRED[str(jwk["kty"])]}
    return PublicKey(alg, own, thumbprint(own), native)


def load_signer(pem: bytes) -> KeySigner:
    """Read a private key from unencrypted PKCS#8 PEM.

    Raises:
        FormatError: it is none, is encrypted, or is for neither Ed25519 nor P-256.
    """
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise FormatError("A private key file is not unencrypted PKCS#8 PEM.") from error
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return _signer(private)
    if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1):
        return _signer(private)
    raise FormatError("A private key is for neither Ed25519 nor P-256.")


def generate_signer(alg: Literal["Ed25519", "ES256"] = "Ed25519") -> KeySigner:
    return _signer(
        ed25519.Ed25519PrivateKey.generate() if alg == "Ed25519" else ec.generate_private_key(ec.SECP256R1())
    )


_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "RSA": ("e", "kty", "n"),
}
_PUBLIC_MEMBERS: Final = frozenset({"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops"})


def _signer(private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> KeySigner:
    native = private.public_key()
    if isinstance(native, ed25519.Ed25519PublicKey):
        jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64url(native.public_bytes_raw())}
    else:
        numbers = native.public_numbers()
        jwk = {
            "crv": "P-256",
            "kty": "EC",
            "x": b64url(numbers.x.to_bytes(P256_BYTES, "big")),
            "y": b64url(numbers.y.to_bytes(P256_BYTES, "big")),
        }
    return KeySigner(public_key(jwk), private)


def _der(signature: bytes) -> bytes:
    if len(signature) != 2 * P256_BYTES:
        raise SignatureError("An ES256 signature is not of 64 bytes.")
    return encode_dss_signature(
        int.from_bytes(signature[:P256_BYTES], "big"), int.from_bytes(signature[P256_BYTES:], "big")
    )
