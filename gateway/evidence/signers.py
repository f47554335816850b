"""Private keys of this gateway: in files or in tokens, one for each purpose."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from gateway.evidence.errors import KeyFileError
from gateway.evidence.token_signer import TokenSigner
from gateway.keyplace import KeyPlace, TokenKey
from ipx.errors import FormatError
from ipx.keys import KeySigner, Signer, load_signer


def read_signer(place: KeyPlace, alg: Literal["Ed25519", "ES256"] | None = None) -> Signer:
    """Take a private key from where it is kept: an unencrypted PKCS#8 PEM file of mode 0600, or a token.

    Raises:
        KeyFileError: it is missing, open to group or others, no such key, or for another algorithm than `alg`.
        SignerUnavailableError: its token does not answer.
    """
    signer = TokenSigner(place) if isinstance(place, TokenKey) else _read_file(place)
    if alg is not None and signer.alg != alg:
        raise KeyFileError(f"the key at {place} is for {signer.alg}, {alg} is needed")
    return signer


def require_ready(signer: Signer) -> None:
    """Make sure that a key can be used, before anything depends on it.

    Raises:
        SignerUnavailableError: it cannot.
    """
    if isinstance(signer, TokenSigner):
        signer.ready()


def _read_file(path: Path) -> KeySigner:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            pem = file.read()
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(f"the key file {path} has mode {stat.S_IMODE(mode):04o}: run chmod 600 on it")
    try:
        return load_signer(pem)
    except FormatError as error:
        raise KeyFileError(f"the key file {path} cannot be used: {error}") from error


def write_signer(path: Path, signer: KeySigner) -> None:
    """Write a private key to a new file of mode 0600.

    Raises:
        KeyFileError: the file exists already, or cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(signer.private_pem())
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be written: {error.strerror}") from error


def require_apart(signers: Mapping[str, Signer | None]) -> None:
    """Make sure that no key signs two kinds of bytes: what is signed for one purpose could be shown for another.

    Args:
        signers: by the setting that names each; None where there is none.

    Raises:
        KeyFileError: two settings name one key.
    """
    used: dict[str, str] = {}
    for setting, signer in signers.items():
        if signer is None:
            continue
        other = used.setdefault(signer.kid, setting)
        if other != setting:
            raise KeyFileError(
                f"{other} and {setting} name one key; each purpose needs its own: "
                "make another with `ipx-gateway keys make FILE`"
            )
