"""Keys and compact signatures of the tests' own, right or wrong: nothing of what is tested has a hand in them."""

import base64
import hashlib
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

RSA_KEYS = {}


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def new_key(alg, bits=2048):
    if alg == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if alg == "PS256":
        # Making an RSA key takes long; which one it is matters to no test.
        if bits not in RSA_KEYS:
            RSA_KEYS[bits] = rsa.generate_private_key(65537, bits)
        return RSA_KEYS[bits]
    return ed25519.Ed25519PrivateKey.generate()


def jwk_of(key):
    public = key.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        numbers = public.public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    return {"kty": "OKP", "crv": "Ed25519", "x": b64url(public.public_bytes_raw())}


def thumbprint(jwk):
    members = {name: jwk[name] for name in sorted(jwk) if name in {"kty", "crv", "x", "y", "n", "e"}}
    return b64url(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def raw_signature(key, data):
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return key.sign(data)


def segment(value):
    return b64url(value if isinstance(value, bytes) else json.dumps(value).encode())


def signed(header, claims, key):
    """A compact JWS; header and claims may be bytes, to be signed as they are, right or wrong."""
    text = f"{segment(header)}.{segment(claims)}"
    return f"{text}.{b64url(raw_signature(key, text.encode()))}"


ABSENT = object()
"""In place of a member that is to be left out."""


def changed(members, changes):
    merged = {**members, **changes}
    return {name: value for name, value in merged.items() if value is not ABSENT}
