"""What a node stands on: how callers reach it, certificates, disks, limits of the system, times that fit together."""

import resource
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography.x509 import Certificate, load_der_x509_certificate, load_pem_x509_certificates

from gateway.db.engine import parse_url
from gateway.doctor.finding import Finding, Level
from gateway.settings import Settings

ENDS_SOON: Final = timedelta(days=30)
DISK_LOW, DISK_FULL = 0.10, 0.05
DESCRIPTORS: Final = 4096
PROBE_SECONDS: Final = 3.0
PROXY_SECONDS: Final = 60
"""How long deploy/nginx waits for an answer, and how long a container engine waits for a node to end there."""


def proxy(settings: Settings) -> Finding:
    """Judge how callers reach this gateway."""
    if settings.client_certificate_header and not settings.trusted_proxies:
        return Finding(
            "origin and proxy", Level.ERROR, "a certificate header is named and no proxy is trusted",
            "set IPX_TRUSTED_PROXIES to the proxy's address",
        )  # fmt: skip
    wide = [network for network in settings.trusted_proxies if network.endswith("/0")]
    if wide:
        return Finding(
            "origin and proxy", Level.ERROR, f"{', '.join(wide)} trusts everybody",
            "name the proxy's own address in IPX_TRUSTED_PROXIES: anybody could pass for any client",
        )  # fmt: skip
    if settings.origin.startswith("https:") and not settings.tls_certificate and not settings.trusted_proxies:
        return Finding(
            "origin and proxy", Level.WARNING, "nobody is known to end TLS",
            "set IPX_TLS_CERTIFICATE, or IPX_TRUSTED_PROXIES where a proxy does",
        )  # fmt: skip
    return Finding("origin and proxy", Level.OK, settings.origin)


def certificates(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Judge when each certificate file ends."""
    for name, path in (
        ("IPX_TLS_CERTIFICATE", settings.tls_certificate),
        ("IPX_TLS_CLIENT_CA", settings.tls_client_ca),
        ("IPX_CONTAINER_CERTIFICATE", settings.container_certificate),
    ):
        if path is None:
            continue
        found = _read(path)
        yield _judged(name, min(one.not_valid_after_utc for one in found), now) if found else _unreadable(name, path)
    if settings.tsa_roots is not None:  # earlier roots stay in the file for old stamps: the last to end counts
        found = _read(settings.tsa_roots)
        name = "IPX_TSA_ROOTS"
        yield (
            _judged(name, max(one.not_valid_after_utc for one in found), now)
            if found
            else _unreadable(name, settings.tsa_roots)
        )


def presented(origin: str, now: datetime, context: ssl.SSLContext | None = None) -> Iterator[Finding]:
    """Look at the certificate that callers see at the public address, whoever ends TLS there.

    Args:
        origin: as `IPX_ORIGIN`; nothing is found of one without TLS.
        now: the present instant.
        context: whose authorities are believed; by default those of the system.
    """
    parts = urlsplit(origin)
    if parts.scheme != "https" or parts.hostname is None:
        return
    name, address = "public certificate", (parts.hostname, parts.port or 443)
    try:
        with (
            socket.create_connection(address, PROBE_SECONDS) as plain,
            (context or ssl.create_default_context()).wrap_socket(plain, server_hostname=parts.hostname) as secure,
        ):
            shown = secure.getpeercert(binary_form=True)
    except ssl.SSLCertVerificationError as error:
        yield Finding(
            name, Level.ERROR, f"callers refuse it: {error.verify_message}",
            "renew it where TLS ends, with its whole chain; private authorities must be known to this machine",
        )  # fmt: skip
    except (OSError, ValueError) as error:
        yield Finding(
            name, Level.WARNING, f"{origin} cannot be reached from here ({type(error).__name__})",
            "look from outside: openssl s_client -connect HOST:443 -servername HOST",
        )  # fmt: skip
    else:
        if shown is not None:
            yield _judged(name, load_der_x509_certificate(shown).not_valid_after_utc, now)


def descriptors(soft: int) -> Finding:
    """Judge how many files and connections a process may have open."""
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        return Finding("open files", Level.WARNING, f"{soft} at most", f"raise the limit to {DESCRIPTORS} or more")
    return Finding("open files", Level.OK, "enough")


def times(settings: Settings) -> Finding:
    """Judge whether those who wait for each other wait in the right order."""
    name, whole = "time limits", settings.exchange_seconds
    if settings.holder_seconds >= whole:
        return Finding(
            name, Level.WARNING, f"a holder may take {settings.holder_seconds:g} s, a whole exchange {whole:g} s",
            "set IPX_EXCHANGE_SECONDS well above IPX_HOLDER_SECONDS, or exchanges are given up while a holder answers",
        )  # fmt: skip
    if whole + settings.drain_seconds + 5 > PROXY_SECONDS:
        return Finding(
            name, Level.WARNING, f"a node that ends may take {whole + settings.drain_seconds + 5:g} s",
            "give it as long before it is killed (stop_grace_period, terminationGracePeriodSeconds, systemd) and "
            "the proxy as long for an answer (proxy_read_timeout); deploy/ says 60 s",
        )  # fmt: skip
    return Finding(name, Level.OK, f"holder {settings.holder_seconds:g} s, exchange {whole:g} s")


def apart(settings: Settings) -> Finding:
    """Judge whether what notices an old backup could itself be in that backup."""
    first, second = parse_url(settings.database_url), parse_url(settings.checkpoint_database_url)
    if (first.host, first.port, first.database) == (second.host, second.port, second.database):
        return Finding(
            "checkpoint store", Level.ERROR, "it is the gateway's own database",
            "give IPX_CHECKPOINT_DATABASE_URL another one, on another volume",
        )  # fmt: skip
    if (first.host or first.database, first.port) == (second.host or second.database, second.port):
        return Finding(
            "checkpoint store", Level.WARNING, "it is on the same database server",
            "move it to another server or volume: one backup must never hold both",
        )  # fmt: skip
    return Finding("checkpoint store", Level.OK, "separate")


def disks(settings: Settings, usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage) -> Iterator[Finding]:
    """Judge the room left where files of SQLite lie, and copies of sources."""
    urls = [parse_url(url) for url in (settings.database_url, settings.checkpoint_database_url)]
    folders = [Path(url.database).parent for url in urls if url.get_backend_name() == "sqlite" and url.database]
    for folder in dict.fromkeys([*folders, *([settings.source_state] if settings.source_state else [])]):
        if not folder.is_dir():
            continue
        total, _, free = usage(folder)
        left = free / total
        level = Level.ERROR if left < DISK_FULL else Level.WARNING if left < DISK_LOW else Level.OK
        remedy = "" if level is Level.OK else "make room: a full disk refuses every exchange"
        yield Finding("disk", level, f"{left:.0%} of {folder} is free", remedy)


def _read(path: Path) -> list[Certificate]:
    try:
        return load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return []


def _unreadable(name: str, path: Path) -> Finding:
    return Finding(name, Level.ERROR, f"{path} cannot be read", "give it a PEM certificate that this user reads")


def _judged(name: str, ends: datetime, now: datetime) -> Finding:
    level = Level.ERROR if ends <= now else Level.WARNING if ends <= now + ENDS_SOON else Level.OK
    remedy = "" if level is Level.OK else "renew it; docs/operators.md, Rotate keys"
    return Finding(name, level, f"valid until {ends.astimezone(UTC):%Y-%m-%d}", remedy)
