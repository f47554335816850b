"""ASiC-E containers: a bundle's files under the CAdES signature of a seal certificate.

Made with pyHanko, which is installed with the extra `asice`.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import Certificate, load_pem_x509_certificates

from gateway.clock import Clock
from gateway.errors import SettingsError
from gateway.evidence.errors import NoContainerError
from ipx import asice, container

MISSING: Final = "IPX_CONTAINER_KEY is set, but the package is missing: pip install ipx-gateway[asice]"

Stamp = Callable[[bytes], bytes]
"""Has bytes time-stamped: gives the authority's `TimeStampResp` (DER), checked."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The key that signs containers and nothing else, and the certificates that say whose it is."""

    key: PrivateKeyTypes
    certificate: Certificate
    chain: tuple[Certificate, ...]
    """What leads from the certificate towards an authority; carried in each container."""


def read_seal(key: Path, certificate: Path) -> Seal:
    """Read key and certificates from PEM files.

    Raises:
        SettingsError: one cannot be read, they do not belong together, or pyHanko is not installed.
    """
    try:
        import pyhanko.sign  # type: ignore[import-not-found,unused-ignore]  # noqa: F401, PLC0415 - optional
    except ImportError as error:
        raise SettingsError(MISSING) from error
    try:
        private = load_pem_private_key(key.read_bytes(), password=None)
        own, *chain = load_pem_x509_certificates(certificate.read_bytes())
    except OSError as error:
        raise SettingsError(f"{error.filename} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"{key} or {certificate} holds no unencrypted key or no certificate in PEM") from error
    if _spki(private.public_key()) != _spki(own.public_key()):
        raise SettingsError(f"the certificate {certificate} is not for the key {key}")
    return Seal(private, own, tuple(chain))


class Containers:
    """Signs bundles as containers."""

    def __init__(self, seal: Seal | None, clock: Clock, *, stamp: Stamp | None = None) -> None:
        """Take what signs.

        Args:
            seal: None where the operator has none; then no container is made.
            clock: dates signatures.
            stamp: time-stamps signatures (CAdES-T); without it they are CAdES-B and prove no time.
        """
        self._seal = seal
        self._clock = clock
        self._stamp = stamp

    def make(self, members: Mapping[str, bytes]) -> bytes:
        """Make the container of a bundle's files.

        Raises:
            NoContainerError: this gateway has no seal certificate.
            TimestampError: the authority gives no stamp; nothing weaker is made instead.
        """
        if self._seal is None:
            raise NoContainerError("IPX_CONTAINER_KEY and IPX_CONTAINER_CERTIFICATE are not set")
        whole = container.with_manifest(members)
        return asice.pack(whole, self._signature(self._seal, asice.manifest(whole)))

    def _signature(self, seal: Seal, manifest: bytes) -> bytes:
        """Sign detached: CAdES-B, and with a signature time-stamp CAdES-T (ETSI EN 319 122-1)."""
        from asn1crypto import cms, keys, tsp, x509  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415
        from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes, SimpleSigner  # noqa: PLC0415
        from pyhanko_certvalidator.registry import SimpleCertificateStore  # noqa: PLC0415

        def carried(certificate: Certificate) -> Any:
            return x509.Certificate.load(certificate.public_bytes(Encoding.DER))

        store = SimpleCertificateStore()  # type: ignore[no-untyped-call,unused-ignore]
        store.register_multiple(map(carried, seal.chain))
        private = seal.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        signer = SimpleSigner(carried(seal.certificate), keys.PrivateKeyInfo.load(private), store)

        async def sign() -> Any:
            attributes = PdfCMSSignedAttributes(signing_time=self._clock())
            return await signer.async_sign_general_data(
                manifest, "sha256", use_cades=True, signed_attr_settings=attributes
            )

        with ThreadPoolExecutor(1) as apart:  # whoever calls may have an event loop of its own, in which none can run
            signed = apart.submit(lambda: asyncio.run(sign())).result()
        if self._stamp is not None:
            info = signed["content"]["signer_infos"][0]
            reply = tsp.TimeStampResp.load(self._stamp(info["signature"].native))
            attribute = {"type": "signature_time_stamp_token", "values": [reply["time_stamp_token"]]}
            info["unsigned_attrs"] = cms.CMSAttributes([cms.CMSAttribute(attribute)])
        written: bytes = signed.dump()
        return written


def _spki(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded
