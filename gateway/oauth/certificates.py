"""Mutual TLS as the second way to prove oneself and to bind a token (RFC 8705): certificates of calls and clients."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import flask
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from gateway.agencies.models import Client
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError, UnknownError
from gateway.oauth.audit import Acts
from gateway.oauth.models import ClientCertificate
from gateway.oauth.transport import TrustedProxies

_PEM_BEGIN = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class Certificate:
    """The certificate that the other end of a TLS connection has proven to hold. DER."""

    der: bytes

    @cached_property
    def thumbprint(self) -> str:
        """`x5t#S256`: base64url SHA-256 of the DER, as in a token's `cnf` (RFC 8705, section 3.1)."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.der).digest()).rstrip(b"=").decode("ascii")

    @cached_property
    def names(self) -> tuple[str, str] | None:
        """Issuer and subject as RFC 4514 writes them; None where the bytes are no certificate."""
        try:
            parsed = x509.load_der_x509_certificate(self.der)
        except ValueError:
            return None
        return parsed.issuer.rfc4514_string(), parsed.subject.rfc4514_string()


class CertificateSource:
    """Finds the certificate of a call: on the web server's own socket, or in the one header that a trusted proxy sets.

    The header counts only when the connection comes from a configured address; anybody else who sends it sends nothing.
    """

    def __init__(self, header: str | None = None, proxies: TrustedProxies | None = None) -> None:
        """Take the configuration.

        Args:
            header: name of the proxy's header, holding base64 DER between colons (RFC 9440) or percent-encoded PEM.
            proxies: whose header is believed.
        """
        self._header = header
        self._proxies = proxies or TrustedProxies()

    def of(self, request: flask.Request) -> Certificate | None:
        """Give the certificate of a call; None where it has none."""
        socket: Any = request.environ.get("gunicorn.socket")
        if hasattr(socket, "getpeercert"):
            der = socket.getpeercert(binary_form=True)
            return Certificate(der) if der else None
        if self._header is None or not self._proxies.sent(request):
            return None
        der = _der(request.headers.get(self._header, ""))
        return Certificate(der) if der else None


class ClientCertificates:
    """The certificates by which clients may authenticate (`tls_client_auth`)."""

    def __init__(self, database: Database, clock: Clock, *, acts: Acts) -> None:
        self._database = database
        self._clock = clock
        self._acts = acts

    def add(self, client_id: str, certificate: Certificate, *, by_names: bool, actor: str) -> None:
        """Register a certificate: exactly this one, or any of this issuer for this subject, so that it may be renewed.

        Raises:
            UnknownError: there is no such client.
            InvalidInputError: the bytes are no certificate.
        """
        names = certificate.names
        if names is None:
            raise InvalidInputError([Fault("/certificate", "bad_certificate", "an X.509 certificate is needed")])
        with self._database.write() as session:
            if session.get(Client, client_id) is None:
                raise UnknownError(f"there is no client {client_id}")
            session.add(
                ClientCertificate(
                    client_id=client_id,
                    thumbprint=None if by_names else certificate.thumbprint,
                    issuer=names[0],
                    subject=names[1],
                    created_at=self._clock(),
                )
            )
            session.flush()
            detail = {"x5t#S256": certificate.thumbprint, "by": "names" if by_names else "thumbprint"}
            self._acts.record(session, actor, "client_certificate.added", client_id, detail)

    def revoke(self, client_id: str, *, actor: str) -> int:
        """End all certificates of a client, and the tokens it has, at once. Returns how many ended."""
        now = self._clock()
        live = select(ClientCertificate).where(
            ClientCertificate.client_id == client_id, ClientCertificate.revoked_at.is_(None)
        )
        with self._database.write() as session:
            rows = list(session.scalars(live))
            for row in rows:
                row.revoked_at = now
            if rows:
                session.get_one(Client, client_id).not_before = now
                session.flush()
                self._acts.record(session, actor, "client_certificate.revoked", client_id, {"count": len(rows)})
        return len(rows)

    def is_registered(self, client_id: str, certificate: Certificate) -> bool:
        """Whether a client may authenticate with a certificate."""
        live = select(ClientCertificate.thumbprint, ClientCertificate.issuer, ClientCertificate.subject).where(
            ClientCertificate.client_id == client_id, ClientCertificate.revoked_at.is_(None)
        )
        with self._database.read_connection() as connection:
            rows = connection.execute(live).all()
        return any(
            row.thumbprint == certificate.thumbprint
            if row.thumbprint is not None
            else (row.issuer, row.subject) == certificate.names
            for row in rows
        )


def read_pem(text: str) -> Certificate:
    """Read one PEM certificate.

    Raises:
        InvalidInputError: it is none.
    """
    try:
        parsed = x509.load_pem_x509_certificate(text.encode("utf-8"))
    except ValueError as error:
        raise InvalidInputError([Fault("/certificate", "bad_certificate", "a PEM certificate is needed")]) from error
    return Certificate(parsed.public_bytes(Encoding.DER))


def _der(value: str) -> bytes | None:
    """Read a proxy's header, in either form; None where it is neither."""
    if value.startswith(":") and value.endswith(":"):
        text = value[1:-1]
    elif unquote(value).strip().startswith(_PEM_BEGIN):
        text = "".join(line for line in unquote(value).splitlines() if not line.startswith("-----"))
    else:
        return None
    try:
        return base64.b64decode(text.strip(), validate=True) or None
    except (binascii.Error, ValueError):
        return None
