"""The trust file an agency or auditor keeps: who signs what with which key, fetched once, its signing key pinned.

The gateway's word is taken once, at the first fetch; from then on only the pinned key may change the list, and its
version never falls. Compare the fingerprint over another channel (telephone, letter) before relying on it.

    {"pinned": {"kty": "OKP", …}, "trust": "eyJ…"}     as `ipx trust fetch` writes it
    {"iss": …, "version": …, "keys": […], …}           as an auditor may write it himself, unsigned
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ipx import trust as trust_list
from ipx.channel import Channel
from ipx.errors import EvidenceError, FormatError
from ipx.jws import dump_json, parse_object, text
from ipx.keys import PublicKey, public_key
from ipx.problems import ClientError
from ipx.trust import Trust


class TrustFileError(ClientError):
    """A trust file or list cannot be relied on."""

    next_step = "Fetch it again with `ipx trust fetch`, or ask the gateway's operator for the key's fingerprint."


@dataclass(frozen=True, slots=True)
class TrustFile:
    """A trust list that was taken, and what it rests on."""

    raw: bytes
    trust: Trust
    pinned: PublicKey | None
    """The key whose signature the list needs; None for a list that somebody wrote by hand."""

    @property
    def fingerprint(self) -> str | None:
        """The pinned key's RFC 7638 thumbprint, to be compared by telephone."""
        return self.pinned.kid if self.pinned is not None else None


def read(path: Path) -> TrustFile:
    """Read a trust file in either form.

    Raises:
        TrustFileError: it cannot be read, its signature does not hold, it contradicts itself.
    """
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise TrustFileError(f"the trust file {path} cannot be read: {error.strerror}") from error
    except EvidenceError as error:
        raise TrustFileError(f"the trust file {path} cannot be relied on: {error}") from error


def parse(raw: bytes) -> TrustFile:
    """Take the bytes of a trust file.

    Raises:
        EvidenceError: they are no trust list that can be relied on.
    """
    document = parse_object(raw)
    if document.keys() != {"pinned", "trust"}:
        return TrustFile(raw, trust_list.load(raw, pinned=None, at_least=0), None)
    jwk = document["pinned"]
    if not isinstance(jwk, dict):
        raise FormatError("The pinned key of a trust file is not a JWK.")
    pinned = public_key(jwk)
    return TrustFile(raw, trust_list.load(text(document, "trust").encode(), pinned=pinned, at_least=0), pinned)


def fetch(channel: Channel, *, known: TrustFile | None = None, fingerprint: str | None = None) -> TrustFile:
    """Fetch the gateway's trust list and check it against what is known.

    `known` is the file kept so far: its key stays pinned, its version is the least that is taken. `fingerprint` is what
    the key's thumbprint must be, where somebody told it over another channel.

    Raises:
        TrustFileError: another key, a version that fell, a signature that does not hold.
        ClientError: the gateway cannot be reached.
    """
    deadline = channel.deadline()
    if known is not None and known.pinned is not None:
        pinned = known.pinned
    else:
        pinned = _public_key(channel.get(f"{channel.origin}/log/trust.jwk", deadline).body)
    if fingerprint is not None and fingerprint != pinned.kid:
        raise TrustFileError(
            f"the trust key is {pinned.kid}, not {fingerprint}",
            next_step="Do not rely on this gateway until its operator has explained the difference.",
        )
    signed = channel.get(f"{channel.origin}/log/trust.jws", deadline).body.strip()
    try:
        text_of_list = signed.decode("ascii")
        at_least = known.trust.version if known is not None else 0
        trust = trust_list.load(signed, pinned=pinned, at_least=at_least)
    except (UnicodeDecodeError, EvidenceError) as error:
        raise TrustFileError(
            f"the trust list of {channel.origin} is refused: {error}",
            next_step="Keep the trust file you have, and ask the gateway's operator why the list changed.",
        ) from error
    return TrustFile(dump_json({"pinned": {**pinned.jwk}, "trust": text_of_list}) + b"\n", trust, pinned)


def write(path: Path, file: TrustFile) -> None:
    """Replace the trust file in one step; a crash leaves the old one or the new one.

    Raises:
        TrustFileError: it cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as temporary:
            temporary.write(file.raw)
        Path(name).replace(path)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise TrustFileError(message, next_step="Choose another --out.") from error


def _public_key(body: bytes) -> PublicKey:
    try:
        return public_key(parse_object(body))
    except EvidenceError as error:
        raise TrustFileError(f"the gateway's trust key cannot be read: {error}") from error
