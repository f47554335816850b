"""What a node keeps its rows in: the database, what stands in front of it, the store of used identifiers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from psycopg import Error as PsycopgError
from psycopg.errors import DuplicatePreparedStatement, InvalidSqlStatementName
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from gateway.beats import SILENT, WorkerBeat
from gateway.clock import SKEW, Clock
from gateway.db import migrate
from gateway.db.engine import Database, parse_url
from gateway.doctor.finding import Finding, Level
from gateway.doctor.surroundings import ENDS_SOON
from gateway.errors import GatewayError, SettingsError, StoreUnavailableError
from gateway.evidence.models import SigningKey
from gateway.settings import Settings
from gateway.wiring import replay_store

ROOM_MB: Final = 8
FILLING: Final = """
    CREATE TEMPORARY TABLE ipx_room ON COMMIT DROP AS SELECT repeat('x', 1000) AS filling FROM generate_series(1, 8000)
"""
LOOKS: Final = 4
"""How often each of two clients is asked who serves it."""


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
    if database.is_sqlite:
        yield Finding("database", Level.OK, "reached and migrated")
        return
    with database.read_connection() as connection:
        size = connection.exec_driver_sql("SELECT pg_size_pretty(pg_database_size(current_database()))").scalar_one()
        yield Finding("database", Level.OK, f"reached and migrated; it takes {size}")
        yield isolation(connection)
        yield skew(connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one(), clock())
    yield room(database)
    yield from pooled(settings)
    with database.read_connection() as connection:
        yield connections(connection, settings, clock())


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


def room(database: Database) -> Finding:
    """Have PostgreSQL write some megabytes into a table of its own and let them go: its disk is not seen from here."""
    try:
        with database.read_connection() as connection:
            connection.exec_driver_sql("SET LOCAL temp_tablespaces = ''")  # where the database itself lies
            connection.exec_driver_sql(FILLING)
            connection.rollback()
    except StoreUnavailableError as error:
        return Finding(
            "room", Level.ERROR, f"{ROOM_MB} MB more cannot be written: {error}",
            "see the disk of the database's server and default_transaction_read_only; docs/operators.md, Capacity",
        )  # fmt: skip
    except ProgrammingError:
        return Finding("room", Level.OK, "not tried: this role may make no temporary tables")
    return Finding("room", Level.OK, f"{ROOM_MB} MB more can be written")


def connections(connection: Connection, settings: Settings, now: datetime) -> Finding:
    """Judge whether the server takes as many connections as all nodes and workers that live may open together."""
    allowed = sum(
        sign * int(connection.exec_driver_sql(f"SHOW {name}").scalar_one())
        for sign, name in ((1, "max_connections"), (-1, "superuser_reserved_connections"))
    )
    lives = select(WorkerBeat.role, func.count()).where(WorkerBeat.at > now - SILENT).group_by(WorkerBeat.role)
    alive: dict[str, int] = dict(connection.execute(lives).all())
    nodes = max(1, alive.get("server", 0))
    processes = nodes * settings.workers + alive.get("worker", 0)
    urls = (parse_url(settings.database_url), parse_url(settings.checkpoint_database_url))
    pools = 3 - len({(url.get_backend_name(), url.host, url.port, url.query.get("host")) for url in urls})
    wanted = processes * pools * (settings.pool.size + settings.pool.overflow)
    if wanted > allowed:
        return Finding(
            "connections", Level.WARNING,
            f"{processes} processes may open {wanted}, the server takes {allowed}",
            "lower IPX_DATABASE_POOL or IPX_DATABASE_OVERFLOW, raise max_connections, or put PgBouncer in between",
        )  # fmt: skip
    return Finding("connections", Level.OK, f"{wanted} of {allowed} for {processes} processes")


def pooled(settings: Settings) -> Iterator[Finding]:
    """Find a pooler, such as PgBouncer, between here and the server, and whether statements survive it."""
    name = "connection pooler"
    database = Database(settings.database_url, pool=settings.pool)
    try:
        with database.writer.connect() as first, database.writer.connect() as second:
            raw: Any = first.connection.dbapi_connection
            if raw.info.backend_pid == _process(raw):
                return
            raw.commit()
            is_shared = _share(raw, second.connection.dbapi_connection)
    except (DuplicatePreparedStatement, InvalidSqlStatementName):
        yield Finding(
            name, Level.ERROR, "statements are prepared on one connection of the server and used on another",
            "set IPX_DATABASE_PREPARED=false: calls fail at random until then",
        )  # fmt: skip
        return
    except (PsycopgError, SQLAlchemyError) as error:
        yield Finding(
            name, Level.ERROR, f"it gives no two connections at once: {type(error).__name__}",
            "raise its default_pool_size: each process of the gateway uses up to IPX_DATABASE_POOL of them",
        )  # fmt: skip
        return
    finally:
        database.dispose()
    if is_shared and settings.pool.is_prepared:
        yield Finding(
            name, Level.WARNING, "it gives each transaction another connection of the server",
            "set IPX_DATABASE_PREPARED=false, unless it carries prepared statements over (max_prepared_statements)",
        )  # fmt: skip
    else:
        yield Finding(name, Level.OK, f"there is one, in {'transaction' if is_shared else 'session'} mode")


def replay(settings: Settings, database: Database) -> Finding:
    """Judge where used identifiers are kept."""
    name = "replay store"
    if settings.redis_url is None:
        return Finding(name, Level.OK, "the database")
    try:
        kept = replay_store(settings, database)
    except SettingsError as error:
        return Finding(name, Level.ERROR, str(error), "repair what is named: no node starts like this")
    except GatewayError as error:
        return Finding(
            name, Level.ERROR, f"Redis does not answer: {error}", "see IPX_REDIS_URL and its server; no call is taken"
        )
    try:
        if not kept.is_durable():
            return Finding(
                name, Level.WARNING, "Redis keeps nothing through a restart",
                "set appendonly yes: what was used before its restart would pass again",
            )  # fmt: skip
    except GatewayError as error:
        return Finding(name, Level.ERROR, f"Redis does not answer: {error}", "see IPX_REDIS_URL and its server")
    finally:
        kept.close()
    return Finding(name, Level.OK, "Redis, which keeps what it is told")


def seals(database: Database, settings: Settings, now: datetime) -> Finding:
    """Find seal keys that end while nobody can publish the next one by itself."""
    name = "seal keys"
    ends = (
        select(SigningKey.owner, func.max(SigningKey.valid_until))
        .where(SigningKey.role == "seal", SigningKey.revoked_at.is_(None))
        .group_by(SigningKey.owner)
    )
    with database.read_connection() as connection:
        soon = sorted(
            owner for owner, until in connection.execute(ends) if until is not None and until < now + ENDS_SOON
        )
    if soon and settings.trust_key is None:
        return Finding(
            name, Level.WARNING, f"less than 30 days are left to those of {', '.join(soon)}",
            "run `ipx-gateway seal-key renew HOLDER --key FILE` for each: verifiers must know it before its use",
        )  # fmt: skip
    return Finding(name, Level.OK, "renewed by the gateway" if settings.trust_key else "more than 30 days are left")


def _share(first: Any, second: Any) -> bool:
    """Tell whether two clients of a pooler are served by the same connections of the server, one after the other.

    Nothing is held meanwhile: a pooler that has but one connection left answers as well.

    Raises:
        DuplicatePreparedStatement, InvalidSqlStatementName: what one prepared is in the way of the other, gone, or was
            taken for the other's.
    """
    seen: dict[str, set[int]] = {"first": set(), "second": set()}
    for look in range(LOOKS):
        for name, connection in (("first", first), ("second", second)):
            for number in (look, max(0, look - 1)):  # a new statement, and one that is prepared somewhere already
                said = f"{name} {number}"
                row = connection.execute(f"SELECT pg_backend_pid(), '{said}'", prepare=True).fetchone()
                connection.commit()  # a rollback would have the driver forget what it prepared
                if row[1] != said:
                    raise InvalidSqlStatementName("another's statement of the same name was run")
                seen[name].add(int(row[0]))
    return bool(seen["first"] & seen["second"]) or any(len(served_by) > 1 for served_by in seen.values())


def _process(connection: Any) -> int:
    """Ask for the number of the server's process; through a pooler it is not the one that the pooler gave at first."""
    return int(connection.execute("SELECT pg_backend_pid()", prepare=False).fetchone()[0])
