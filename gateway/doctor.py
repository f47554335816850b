"""Looks a deployment over, part by part, and says of each what was found and what to do. Changes nothing on purpose.

It builds the services as a start does, so what would refuse a start is found here, in the start's own words.
"""

import resource
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Final

from cryptography.x509 import load_pem_x509_certificates
from sqlalchemy import Connection

from gateway.beats import SILENT
from gateway.clock import Clock, utc_now
from gateway.db import migrate
from gateway.db.engine import Database, parse_url
from gateway.errors import GatewayError
from gateway.evidence.state import Confirmation
from gateway.settings import Settings, read_settings
from gateway.wiring import Services, build, own_signers

SKEW: Final = timedelta(seconds=2)
ENDS_SOON: Final = timedelta(days=30)
DISK_LOW, DISK_FULL = 0.10, 0.05
DESCRIPTORS: Final = 4096


class Level(IntEnum):
    """The exit code of `ipx-gateway doctor` is the worst of them."""

    OK = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    level: Level
    found: str
    remedy: str = ""


def examine(clock: Clock = utc_now) -> Iterator[Finding]:
    """Look at everything that can be looked at; what rests on a failing part is left out."""
    try:
        settings = read_settings()
        signers = own_signers(settings)
    except GatewayError as error:
        yield Finding("settings and keys", Level.ERROR, str(error), "set what is named; docs/settings.md says how")
        return
    held = "with the trust key" if signers.trust else "the trust key is kept offline"
    yield Finding("settings and keys", Level.OK, held)
    yield proxy(settings)
    yield from certificates(settings, clock())
    yield descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield apart(settings)
    yield from disks(settings)
    database = Database(settings.database_url, pool_size=1)
    try:
        tables = list(store(database, settings, clock))
    finally:
        database.dispose()
    yield from tables
    if max(found.level for found in tables) is not Level.ERROR:
        yield from _running(settings, clock)


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
        try:
            ends = min(one.not_valid_after_utc for one in load_pem_x509_certificates(path.read_bytes()))
        except (OSError, ValueError):
            yield Finding(name, Level.ERROR, f"{path} cannot be read", "give it a PEM certificate that this user reads")
            continue
        level = Level.ERROR if ends <= now else Level.WARNING if ends <= now + ENDS_SOON else Level.OK
        yield Finding(name, level, f"valid until {ends:%Y-%m-%d}", "" if level is Level.OK else "renew it")


def descriptors(soft: int) -> Finding:
    """Judge how many files and connections a process may have open."""
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        return Finding("open files", Level.WARNING, f"{soft} at most", f"raise the limit to {DESCRIPTORS} or more")
    return Finding("open files", Level.OK, "enough")


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
    """Judge the room left where files of SQLite lie."""
    for url in (settings.database_url, settings.checkpoint_database_url):
        parsed = parse_url(url)
        if parsed.get_backend_name() != "sqlite" or not parsed.database or not Path(parsed.database).parent.is_dir():
            continue
        folder = Path(parsed.database).parent
        total, _, free = usage(folder)
        left = free / total
        level = Level.ERROR if left < DISK_FULL else Level.WARNING if left < DISK_LOW else Level.OK
        remedy = "" if level is Level.OK else "make room: a full disk refuses every exchange"
        yield Finding("disk", level, f"{left:.0%} of {folder} is free", remedy)


def store(database: Database, settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Judge the database: reached, migrated, of the isolation and the time that are counted on."""
    try:
        fit = migrate.fit(database)
    except GatewayError as error:
        yield Finding("database", Level.ERROR, f"it cannot be reached: {error}", "see IPX_DATABASE_URL and its server")
        return
    if fit is migrate.Fit.TOO_OLD:
        yield Finding("database", Level.ERROR, "the tables are of an earlier version", "run `ipx-gateway db upgrade`")
        return
    if fit is migrate.Fit.TOO_NEW:
        yield Finding("database", Level.ERROR, "the tables are of a later version", "run that version")
        return
    yield Finding("database", Level.OK, "reached and migrated")
    if not database.is_sqlite:
        with database.read_connection() as connection:
            yield isolation(connection)
            yield skew(connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one(), clock())
            yield _connections(connection, settings)


def isolation(connection: Connection) -> Finding:
    level = str(connection.exec_driver_sql("SHOW transaction_isolation").scalar_one())
    if level == "read committed":
        return Finding("isolation", Level.OK, level)
    return Finding(
        "isolation", Level.ERROR, level, "ALTER DATABASE … SET default_transaction_isolation = 'read committed'"
    )


def skew(theirs: datetime, ours: datetime) -> Finding:
    """Compare the database's clock with this machine's."""
    apart_by = abs(theirs.astimezone(UTC) - ours)
    if apart_by > SKEW:
        return Finding(
            "clock", Level.ERROR, f"{apart_by.total_seconds():.0f} s from the database's", "run NTP on both machines"
        )
    return Finding("clock", Level.OK, "agrees with the database's")


def _connections(connection: Connection, settings: Settings) -> Finding:
    allowed = int(connection.exec_driver_sql("SHOW max_connections").scalar_one())
    wanted = settings.workers * (settings.pool.size + settings.pool.overflow)
    if wanted > allowed:
        return Finding(
            "connections", Level.WARNING, f"this node alone may open {wanted}, the server takes {allowed}",
            "lower IPX_DATABASE_POOL or IPX_DATABASE_OVERFLOW, or raise max_connections",
        )  # fmt: skip
    return Finding("connections", Level.OK, f"{wanted} of {allowed} for this node")


def _running(settings: Settings, clock: Clock) -> Iterator[Finding]:
    try:
        services = build(settings, clock=clock)
    except GatewayError as error:
        yield Finding(
            "log", Level.ERROR, str(error), "keep everything as it is; docs/operators.md, Back up and restore"
        )
        return
    try:
        yield Finding("log", Level.OK, "continues what was published")
        yield from _looked_at(services, clock)
    except GatewayError as error:
        yield Finding("services", Level.ERROR, str(error), "see the part that is named; GET /health tells more")
    finally:
        services.close()


def _looked_at(services: Services, clock: Clock) -> Iterable[Finding]:
    services.replay.sweep(clock())
    newest = next(iter(services.beats.all()), None)
    if newest is None or newest.at < clock() - SILENT:
        said = f"last heard of at {newest.at:%Y-%m-%d %H:%M}" if newest else "none was ever heard of"
        yield Finding("background work", Level.WARNING, said, "start `ipx-gateway serve` or `ipx-gateway worker`")
    else:
        yield Finding("background work", Level.OK, f"{newest.node} lives")
    standing = services.evidence_state.look()
    good = standing.state is Confirmation.CURRENT
    bad = standing.state in {Confirmation.OVERDUE, Confirmation.CONTRADICTED}
    yield Finding(
        "witnesses and time-stamps",
        Level.OK if good else Level.ERROR if bad else Level.WARNING,
        services.evidence_state.banner() or "current",
        "" if good else "`ipx-gateway log state` says who does what instead; docs/evidence.md",
    )
    failing = [one.source for one in services.intake.following.failing()]
    if failing:
        yield Finding("sources", Level.WARNING, f"failing: {', '.join(failing)}", "see `ipx-gateway source status`")
    else:
        yield Finding("sources", Level.OK, "none fails")
