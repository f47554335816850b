"""Signing with keys that never leave their token (PKCS#11): smart cards, HSMs, SoftHSM. Needs the extra `hsm`."""

import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeVar

from gateway.evidence.errors import KeyFileError, SignerUnavailableError
from gateway.keyplace import TokenKey
from ipx.encoding import b64url
from ipx.errors import EvidenceError
from ipx.keys import PublicKey, public_key

READY_SECONDS: Final = 5.0
"""How long a key that was found counts as there."""

_ED25519_POINT, _P256_POINT = 32, 65
_PROBE: Final = b"ipx-gateway key probe/v1\n"
Result = TypeVar("Result")


class TokenSigner:
    """A signer whose private key stays in a token; one session for each token and process, used in turns."""

    def __init__(self, key: TokenKey) -> None:
        """Find the key, and make sure that its public half belongs to it.

        Raises:
            KeyFileError: there is no such token or key, or it is for neither Ed25519 nor P-256.
            SignerUnavailableError: the token does not answer.
        """
        self._key = key
        self._handle: tuple[int, Any] | None = None
        self._found_at = float("-inf")
        self.public = self._use(self._read_public)
        try:
            self.public.verify(self.sign(_PROBE), _PROBE)
        except EvidenceError as error:
            raise KeyFileError(f"the public key at {key} does not belong to its private key") from error

    @property
    def kid(self) -> str:
        return self.public.kid

    @property
    def alg(self) -> Literal["Ed25519", "ES256"]:
        return "Ed25519" if self.public.alg == "Ed25519" else "ES256"

    @property
    def public_jwk(self) -> Mapping[str, str]:
        return self.public.jwk

    def sign(self, message: bytes) -> bytes:
        """Sign; 64 bytes for either algorithm.

        Raises:
            SignerUnavailableError: the token or the key is gone.
        """
        mechanisms = _pkcs11().Mechanism

        def run(session: Any, generation: int) -> bytes:
            private = self._private(session, generation)
            if self.alg == "Ed25519":
                return bytes(private.sign(message, mechanism=mechanisms.EDDSA))
            return bytes(private.sign(hashlib.sha256(message).digest(), mechanism=mechanisms.ECDSA))

        return self._use(run)

    def ready(self) -> None:
        """Make sure that the key is still in its token; looked up every few seconds at most.

        Raises:
            SignerUnavailableError: it is not.
        """
        if time.monotonic() - self._found_at < READY_SECONDS:
            return

        def run(session: Any, generation: int) -> None:
            self._handle = None
            self._private(session, generation)

        self._use(run)
        self._found_at = time.monotonic()

    def _use(self, run: Callable[[Any, int], Result]) -> Result:
        return _session(self._key).use(self._key, run)

    def _private(self, session: Any, generation: int) -> Any:
        if self._handle is None or self._handle[0] != generation:
            self._handle = generation, self._find(session, _pkcs11().ObjectClass.PRIVATE_KEY)
        return self._handle[1]

    def _find(self, session: Any, object_class: Any) -> Any:
        pkcs11 = _pkcs11()
        try:
            return session.get_key(object_class=object_class, label=self._key.label, id=self._key.id)
        except (pkcs11.NoSuchKey, pkcs11.MultipleObjectsReturned) as error:
            raise SignerUnavailableError(f"{self._key} names no key, or more than one: {error!r}") from error

    def _read_public(self, session: Any, _generation: int) -> PublicKey:
        pkcs11 = _pkcs11()
        key = self._find(session, pkcs11.ObjectClass.PUBLIC_KEY)
        try:
            point = bytes(key[pkcs11.Attribute.EC_POINT])
        except pkcs11.AttributeTypeInvalid as error:
            raise KeyFileError(f"the key at {self._key} is for neither Ed25519 nor P-256") from error
        raw = point[2:] if point[:1] == b"\x04" and point[1:2] == bytes([len(point) - 2]) else point
        try:
            return public_key(_jwk(raw))
        except EvidenceError as error:
            raise KeyFileError(f"the key at {self._key} is for neither Ed25519 nor P-256: {error}") from error


def _jwk(point: bytes) -> dict[str, str]:
    """Spell a curve point as a JWK: 32 bytes are Ed25519's, 65 an uncompressed one of P-256."""
    if len(point) == _ED25519_POINT:
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url(point)}
    if len(point) == _P256_POINT and point[:1] == b"\x04":
        return {"kty": "EC", "crv": "P-256", "x": b64url(point[1:33]), "y": b64url(point[33:])}
    return {}


class _Session:
    """A login at one token, opened anew once where it broke (a token that was restarted or put back)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._generation = 0
        self._session: Any = None

    def use(self, key: TokenKey, run: Callable[[Any, int], Result]) -> Result:
        """Run something with the session; once more with a new one where it fails."""
        pkcs11 = _pkcs11()
        with self._lock:
            for is_last in (False, True):
                try:
                    if self._session is None:
                        self._session = self._open(key, anew=is_last)
                        self._generation += 1
                    return run(self._session, self._generation)
                except pkcs11.PKCS11Error as error:
                    self._session = None
                    if is_last:
                        raise SignerUnavailableError(f"{key} cannot be used now: {error!r}") from error
        raise AssertionError("the loop returns or raises")

    def _open(self, key: TokenKey, *, anew: bool) -> Any:
        pkcs11 = _pkcs11()
        module, pid = str(key.module), os.getpid()
        library = pkcs11.lib(module)
        if anew or _started.setdefault(module, pid) != pid:
            library.reinitialize()  # after a fork a library must be started anew (PKCS#11 2.40, section 2.5)
            _started[module] = pid
        token = library.get_token(token_label=key.token, token_serial=_bytes(key.serial))
        try:
            return token.open(user_pin=_pin(key))
        except pkcs11.UserAlreadyLoggedIn:
            return token.open()  # the login is the whole process's


_started: dict[str, int] = {}
"""Which process has started each library."""
_sessions: dict[tuple[int, str, str | None, str | None], _Session] = {}
_opening = threading.Lock()


def _session(key: TokenKey) -> _Session:
    name = (os.getpid(), str(key.module), key.token, key.serial)
    with _opening:
        return _sessions.setdefault(name, _Session())


def _pin(key: TokenKey) -> str:
    try:
        mode = key.pin_file.stat().st_mode
        pin = key.pin_file.read_text("utf-8").strip()
    except OSError as error:
        raise KeyFileError(f"the PIN file {key.pin_file} cannot be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(f"the PIN file {key.pin_file} has mode {stat.S_IMODE(mode):04o}: run chmod 600 on it")
    return pin


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _pkcs11() -> Any:
    try:
        import pkcs11  # noqa: PLC0415  (only where keys are in a token)
    except ImportError as error:
        raise KeyFileError("keys in tokens need `pip install ipx-gateway[hsm]`") from error
    return pkcs11
