"""Microsoft SQL Server, by ODBC. Written by its manual; not run against a server here."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError

from connectors.errors import SourceFault, SourceFileError
from connectors.kinds.sql_direct import Execute
from connectors.kinds.sql_limits import CONNECT_SECONDS, POOL_SIZE
from connectors.protocol import FailReason

_WRITE_RIGHTS = sa.text(
    """
    SELECT TOP 1 what FROM (
        SELECT 'has the permission ' + permission_name AS what FROM fn_my_permissions(NULL, 'DATABASE')
            WHERE permission_name NOT IN ('CONNECT', 'SELECT', 'VIEW DEFINITION', 'VIEW DATABASE STATE',
                'VIEW ANY COLUMN ENCRYPTION KEY DEFINITION', 'VIEW ANY COLUMN MASTER KEY DEFINITION',
                'VIEW DATABASE PERFORMANCE STATE', 'VIEW DATABASE SECURITY STATE', 'VIEW SECURITY DEFINITION',
                'VIEW PERFORMANCE DEFINITION', 'SHOWPLAN')
        UNION ALL SELECT 'may write ' + t.name FROM sys.objects t
            CROSS APPLY fn_my_permissions(QUOTENAME(SCHEMA_NAME(t.schema_id)) + '.' + QUOTENAME(t.name), 'OBJECT') p
            WHERE t.type IN ('U', 'V') AND p.permission_name NOT IN ('SELECT', 'VIEW DEFINITION', 'REFERENCES')
    ) found
    """
)
_MISCONFIGURED = ("42S02", "42S22", "28000", "42000")
_TIMED_OUT = ("HYT00", "HYT01")


class SqlServer:
    is_remote = True
    reads_directly = False

    def engine(self, url: URL, encoding: str) -> Engine:
        if encoding != "utf-8":
            raise SourceFileError([SourceFault("/read/encoding", "SQL Server gives Unicode itself; leave it out")])
        return sa.create_engine(
            url.set(drivername="mssql+pyodbc").update_query_dict({"ApplicationIntent": "ReadOnly"}),
            connect_args={"timeout": CONNECT_SECONDS},
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=CONNECT_SECONDS,
            pool_pre_ping=True,
            hide_parameters=True,
            isolation_level="SNAPSHOT",  # one state of the data; the database must allow it
        )

    def begin(self, driver: Any, execute: Execute, seconds: float) -> None:
        del execute
        driver.timeout = max(1, int(seconds))

    def write_right(self, connection: Connection) -> str | None:
        found = connection.execute(_WRITE_RIGHTS).scalar()
        return None if found is None else str(found)

    def reason(self, error: DBAPIError) -> FailReason:
        state = str(next(iter(getattr(error.orig, "args", ())), ""))
        if state in _TIMED_OUT:
            return FailReason.TIMEOUT
        return FailReason.MISCONFIGURED if state in _MISCONFIGURED else FailReason.UNREACHABLE

    def trimmed(self, column: sa.ColumnElement[Any], characters: str) -> sa.ColumnElement[Any]:
        text: sa.ColumnElement[Any] = sa.cast(column, sa.Unicode(None))
        # The server's TRIM takes a set of characters at both ends since version 2017.
        return sa.func.trim(sa.literal(characters).op("FROM")(text), type_=sa.Unicode())

    def ordered(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.collate(column, "Latin1_General_100_BIN2")

    def exact(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.collate(column, "Latin1_General_100_BIN2")
