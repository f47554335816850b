"""The holder's own signature in an XML document (XML-DSig), and whom this source trusts to make one.

A signature counts only if it covers the whole document: what is mapped is what was signed. The certificate in it must
be issued by one of the source's anchors, be valid on the day the record is fetched, and stand on no revocation list.
The lists are files that the operator keeps current; nothing is fetched.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from connectors.errors import SourceFault, SourceFileError
from connectors.quarantine import Reason, Rejection

_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_REFERENCES_MAX = 4


@dataclass(frozen=True, slots=True)
class XmlTrust:
    """Whom a source trusts: `reach.trust`, read once when the source is opened."""

    anchors: Sequence[x509.Certificate]
    crls: Sequence[x509.CertificateRevocationList] = ()
    revoked: Mapping[str, str] = field(default_factory=dict)
    """Keys of records that the register has taken back, with the moment it did."""
    uses_stale: bool = False
    """Whether a certificate revocation list whose next issue is overdue still says what it said."""

    def rejections(self, root: etree._Element, key: str | None, at: datetime) -> Iterator[Rejection]:
        """What is wrong with the signature of a document that holds the record of a key; nothing if it holds."""
        certificate = _certificate(root)
        if certificate is None or not _covers(root, certificate):
            yield _rejected(Reason.SIGNATURE_INVALID, "the signature does not hold over the whole document")
            return
        yield from self._chain(certificate, at)
        if key is not None and key in self.revoked:
            yield _rejected(Reason.SIGNER_REVOKED, f"taken back by the register on {self.revoked[key]}")

    def _chain(self, certificate: x509.Certificate, at: datetime) -> Iterator[Rejection]:
        issuer = next((anchor for anchor in self.anchors if _issued(anchor, certificate)), None)
        if issuer is None:
            yield _rejected(Reason.SIGNATURE_INVALID, "the certificate is of no issuer that this source trusts")
            return
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            yield _rejected(Reason.SIGNATURE_INVALID, "the certificate is not valid on this day")
        current = [crl for crl in self.crls if self._is_current(crl, issuer, at)]
        if self.crls and not current:
            yield _rejected(Reason.SIGNATURE_INVALID, "no current revocation list of the certificate's issuer")
        for crl in current:
            entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if entry is not None:
                day = entry.revocation_date_utc.date().isoformat()
                yield _rejected(Reason.SIGNER_REVOKED, f"the certificate was revoked on {day}")

    def _is_current(self, crl: x509.CertificateRevocationList, issuer: x509.Certificate, at: datetime) -> bool:
        if crl.issuer != issuer.subject or not crl.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
            return False
        return self.uses_stale or crl.next_update_utc is None or at <= crl.next_update_utc


def read_trust(said: Mapping[str, Any], resolve: Callable[[str, str], str]) -> XmlTrust:
    """Read `reach.trust` and the files it names.

    Args:
        said: the part of the source file.
        resolve: gives a text of the source file, standing at a pointer, with its references resolved.

    Raises:
        SourceFileError: a file is missing or is not what it should be.
    """
    faults: list[SourceFault] = []

    def read(pointer: str, path: str) -> bytes:
        try:
            return Path(resolve(path, f"/reach/trust/{pointer}")).read_bytes()
        except OSError as error:
            faults.append(SourceFault(f"/reach/trust/{pointer}", f"cannot be read: {type(error).__name__}"))
            return _NOTHING

    anchors: list[x509.Certificate] = []
    crls: list[x509.CertificateRevocationList] = []
    revoked: dict[str, str] = {}
    for index, path in enumerate(said["anchors"]):
        try:
            anchors += x509.load_pem_x509_certificates(read(f"anchors/{index}", path))
        except ValueError:
            faults.append(SourceFault(f"/reach/trust/anchors/{index}", "holds no certificate"))
    for index, path in enumerate(said.get("crls", ())):
        try:
            crls.append(_crl(read(f"crls/{index}", path)))
        except ValueError:
            faults.append(SourceFault(f"/reach/trust/crls/{index}", "holds no certificate revocation list"))
    for index, path in enumerate(said.get("revoked", ())):
        revoked |= _revoked(read(f"revoked/{index}", path))
    if faults:
        raise SourceFileError(faults)
    return XmlTrust(anchors, crls, revoked, uses_stale=said.get("stale", "refuse") == "use")


_NOTHING = b"-"


def _crl(raw: bytes) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl(raw) if raw.startswith(b"-----BEGIN") else x509.load_der_x509_crl(raw)


def _revoked(raw: bytes) -> dict[str, str]:
    """A list of what was taken back (RFC 9361, section 6.2): lines of key and moment behind a header."""
    rows = csv.reader(io.StringIO(raw.decode("utf-8", errors="replace")))
    return {row[0]: row[1] for row in rows if len(row) == 2 and "-" in row[0] and row[0][0].isdigit()}  # noqa: PLR2004


def _certificate(root: etree._Element) -> x509.Certificate | None:
    """The one certificate in the document's one signature."""
    signatures = root.findall(f".//{_DS}Signature")
    texts = [element.text for element in root.iter(f"{_DS}X509Certificate")]
    if len(signatures) != 1 or len(texts) != 1 or not texts[0]:
        return None
    pem = f"-----BEGIN CERTIFICATE-----\n{''.join(texts[0].split())}\n-----END CERTIFICATE-----\n"
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None


def _covers(root: etree._Element, certificate: x509.Certificate) -> bool:
    references = len(root.findall(f".//{_DS}Signature/{_DS}SignedInfo/{_DS}Reference"))
    if not 1 <= references <= _REFERENCES_MAX:
        return False
    try:
        verified = XMLVerifier().verify(
            deepcopy(root),
            x509_cert=certificate.public_bytes(Encoding.PEM).decode(),
            expect_config=SignatureConfiguration(
                require_x509=True,
                expect_references=references,
                verification_time=certificate.not_valid_before_utc,  # the day of the fetch is judged by itself
            ),
        )
    except (SignXMLException, ValueError, TypeError, LookupError, UnsupportedAlgorithm, etree.LxmlError):
        return False
    signed = verified if isinstance(verified, list) else [verified]
    whole = _without_signature(root)
    return any(result.signed_data == whole for result in signed)


def _without_signature(root: etree._Element) -> bytes:
    copy = deepcopy(root)
    for signature in copy.findall(f".//{_DS}Signature"):
        above = signature.getparent()
        if above is not None:
            above.remove(signature)
    return etree.tostring(copy, method="c14n", exclusive=True, with_comments=False)


def _issued(anchor: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(anchor)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _rejected(reason: Reason, detail: str) -> Rejection:
    return Rejection("", reason, "", detail)
