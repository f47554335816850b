"""Opening a holder's database so that nothing can be written, and refusing an account that could.

Every dialect is spelt out, because none of this is standard SQL: SQLite and PostgreSQL here, MySQL with MariaDB, Oracle
and SQL Server in modules of their own. The last two are written by their manuals and were not run against a server.
"""

import sqlite3
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.engine import make_url as sqlalchemy_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from connectors.errors import SourceFault, SourceFileError
from connectors.kinds.sql_direct import Execute
from connectors.kinds.sql_limits import CONNECT_SECONDS, POOL_SIZE
from connectors.kinds.sql_mysql import MySql
from connectors.kinds.sql_oracle import Oracle
from connectors.kinds.sql_server import SqlServer
from connectors.protocol import FailReason


class Undecodable(bytes):
    """Text of a column that the declared encoding cannot read."""

    __slots__ = ()


class Dialect(Protocol):
    """One kind of database: how it is opened, bounded in time, asked about its account, and how it fails."""

    @property
    def is_remote(self) -> bool:
        """Whether a network lies between, in which a call can hang longer than any time-out of the database."""
        ...

    @property
    def reads_directly(self) -> bool:
        """Whether a record may be read with the driver alone, its statements compiled once.

        Only where the toolkit, for the types that our statements have, neither prepares the driver's cursor nor touches
        values and names on their way, where connections of the pool already only read, and where tests hold the two
        ways against each other. Elsewhere the toolkit executes.
        """
        ...

    def engine(self, url: URL, encoding: str) -> Engine: ...

    def begin(self, driver: Any, execute: Execute, seconds: float) -> None:
        """Open a transaction that only reads, sees one state of the data, and whose statements end in time."""
        ...

    def write_right(self, connection: Connection) -> str | None:
        """Say what the account could write, or None if nothing."""
        ...

    def reason(self, error: DBAPIError) -> FailReason: ...

    def trimmed(self, column: sa.ColumnElement[Any], characters: str) -> sa.ColumnElement[Any]:
        """The column's text without these characters at either end."""
        ...

    def ordered(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """The column's text, compared by code points whatever the language of the database is."""
        ...

    def exact(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """The column's text, equal to nothing but itself: no case folded, no accent, no space at its end."""
        ...


class Sqlite:
    is_remote = False
    reads_directly = True

    def engine(self, url: URL, encoding: str) -> Engine:
        path = Path(url.database or "")
        if not path.is_absolute():
            raise SourceFileError(
                [SourceFault("/reach/url", "must name an SQLite file by its absolute path, so with four slashes")]
            )

        def text(raw: bytes) -> str | Undecodable:
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError:
                return Undecodable(raw)

        def connect() -> sqlite3.Connection:
            # mode=ro: whatever the file's permissions are, this connection cannot write, nor create a missing file.
            connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1, isolation_level=None, check_same_thread=False
            )
            connection.text_factory = text
            return connection

        return sa.create_engine(
            "sqlite://", creator=connect, poolclass=sa.QueuePool, pool_size=POOL_SIZE, hide_parameters=True
        )

    def begin(self, driver: Any, execute: Execute, seconds: float) -> None:
        driver.set_progress_handler(_alarm(seconds), 10_000)
        execute("BEGIN")

    def write_right(self, connection: Connection) -> str | None:
        del connection  # a file has no accounts; `engine` opened it so that writing is impossible
        return None

    def reason(self, error: DBAPIError) -> FailReason:
        said = str(error.orig)
        if said in ("interrupted", "database is locked"):
            return FailReason.TIMEOUT
        if said.startswith(("no such table", "no such column")):
            return FailReason.MISCONFIGURED
        return FailReason.UNREACHABLE

    def trimmed(self, column: sa.ColumnElement[Any], characters: str) -> sa.ColumnElement[Any]:
        return sa.func.trim(column, characters)

    def ordered(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.collate(column, "BINARY")

    def exact(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return column


def _alarm(seconds: float) -> Callable[[], int]:
    end = time.monotonic() + seconds
    return lambda: int(time.monotonic() >= end)


_POSTGRES_WRITE_RIGHTS = sa.text(
    """
    WITH own AS (SELECT oid, rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
                 FROM pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER')),
         kept AS (SELECT oid FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema')
    SELECT what FROM (
        SELECT 1 AS rank, 'is a superuser' AS what FROM own WHERE rolsuper
        UNION ALL SELECT 2, 'may make roles' FROM own WHERE rolcreaterole
        UNION ALL SELECT 3, 'may write table ' || c.relname
            FROM own, pg_class c JOIN kept ON c.relnamespace = kept.oid
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
              AND (has_table_privilege(own.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
                   OR has_any_column_privilege(own.oid, c.oid, 'INSERT, UPDATE'))
        UNION ALL SELECT 4, 'may write sequence ' || c.relname
            FROM own, pg_class c JOIN kept ON c.relnamespace = kept.oid
            WHERE c.relkind = 'S' AND has_sequence_privilege(own.oid, c.oid, 'UPDATE')
        UNION ALL SELECT 5, 'may make tables in schema ' || n.nspname
            FROM own, pg_namespace n JOIN kept ON n.oid = kept.oid
            WHERE has_schema_privilege(own.oid, n.oid, 'CREATE')
        UNION ALL SELECT 6, 'may make schemas'
            FROM own WHERE has_database_privilege(own.oid, current_database(), 'CREATE')
    ) AS found ORDER BY rank, what LIMIT 1
    """
)


class Postgres:
    is_remote = True
    reads_directly = True

    def engine(self, url: URL, encoding: str) -> Engine:
        if encoding != "utf-8":
            raise SourceFileError([SourceFault("/read/encoding", "PostgreSQL converts to UTF-8 itself; leave it out")])
        arguments = {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "ipx-gateway",
            "options": f"{url.query.get('options', '')} -c default_transaction_read_only=on".strip(),
            # A network that swallows packets is noticed within seconds, not after hours.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 2,
            "tcp_user_timeout": 10_000,
        }
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args=arguments,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=CONNECT_SECONDS,
            pool_pre_ping=True,
            hide_parameters=True,
            isolation_level="REPEATABLE READ",
        )

        @sa.event.listens_for(engine, "connect")
        def only_read(driver: Any, record: object) -> None:
            del record
            driver.read_only = True

        return engine

    def begin(self, driver: Any, execute: Execute, seconds: float) -> None:
        del driver
        milliseconds = max(1, int(seconds * 1000))
        execute(f"SET LOCAL statement_timeout = {milliseconds}")

    def write_right(self, connection: Connection) -> str | None:
        found = connection.execute(_POSTGRES_WRITE_RIGHTS).scalar()
        return None if found is None else str(found)

    def reason(self, error: DBAPIError) -> FailReason:
        state = str(getattr(error.orig, "sqlstate", None) or "")
        if state == "57014":  # query_canceled: our statement_timeout
            return FailReason.TIMEOUT
        if state in ("42P01", "42703", "42501", "3F000", "3D000") or state.startswith("28"):
            # undefined table or column, no right to read, no schema, no database, or the login was refused
            return FailReason.MISCONFIGURED
        if state.startswith("22"):  # a value the driver or the conversion cannot carry
            return FailReason.RECORD_UNREADABLE
        return FailReason.UNREACHABLE

    def trimmed(self, column: sa.ColumnElement[Any], characters: str) -> sa.ColumnElement[Any]:
        return sa.func.btrim(sa.cast(column, sa.Text), characters)

    def ordered(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.collate(column, "C")

    def exact(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return column


_DIALECTS: dict[str, Dialect] = {
    "sqlite": Sqlite(),
    "postgresql": Postgres(),
    "mysql": MySql(),
    "mariadb": MySql(),
    "oracle": Oracle(),
    "mssql": SqlServer(),
}
_EXTRAS = {"mysql": ("pymysql", "mysql"), "mariadb": ("pymysql", "mysql")} | {
    "oracle": ("oracledb", "oracle"),
    "mssql": ("pyodbc", "sqlserver"),
}
"""By kind of database: the driver's module, and the extra of this package that brings it."""


_FORMS = (
    "write postgresql://, mysql://, mariadb://, oracle:// or mssql:// user:password@host/database, or sqlite:////file"
)


def dialect_of(address: str) -> tuple[Dialect, URL]:
    """Find the dialect of a database address.

    Raises:
        SourceFileError: no address, or of a kind that is not built. The message does not repeat it.
    """
    try:
        url = sqlalchemy_url(address)
    except (ArgumentError, ValueError) as error:
        raise SourceFileError([SourceFault("/reach/url", f"is no database address; {_FORMS}")]) from error
    dialect = _DIALECTS.get(url.get_backend_name())
    if dialect is None:
        raise SourceFileError([SourceFault("/reach/url", f"no kind of database; {_FORMS}")])
    module, extra = _EXTRAS.get(url.get_backend_name(), (None, None))
    if module is not None and find_spec(module) is None:
        fault = f"needs the driver {module}: pip install 'ipx-gateway[{extra}]'"
        raise SourceFileError([SourceFault("/reach/url", fault)])
    return dialect, url
