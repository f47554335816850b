"""Oracle, by python-oracledb without an Oracle client. Written by its manual; not run against a server here."""

import re
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
    SELECT what FROM (
        SELECT 'has the privilege ' || privilege AS what FROM session_privs
            WHERE privilege NOT IN ('CREATE SESSION', 'SELECT ANY TABLE', 'READ ANY TABLE', 'SET CONTAINER')
        UNION ALL SELECT 'may write table ' || table_name FROM all_tab_privs
            WHERE privilege NOT IN ('SELECT', 'READ', 'EXECUTE', 'INHERIT PRIVILEGES')
              AND (grantee = USER OR grantee IN (SELECT role FROM session_roles))
        UNION ALL SELECT 'owns table ' || table_name FROM user_tables
    ) WHERE ROWNUM = 1
    """
)
_MISCONFIGURED = ("ORA-00942", "ORA-00904", "ORA-01017", "ORA-01031", "ORA-12514", "ORA-28000")
_TIMED_OUT = ("DPY-4024", "DPI-1067", "ORA-01013", "ORA-12170")


class Oracle:
    is_remote = True
    reads_directly = False

    def engine(self, url: URL, encoding: str) -> Engine:
        if encoding != "utf-8":
            raise SourceFileError([SourceFault("/read/encoding", "Oracle converts to UTF-8 itself; leave it out")])
        return sa.create_engine(
            url.set(drivername="oracle+oracledb"),
            connect_args={"tcp_connect_timeout": CONNECT_SECONDS},
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=CONNECT_SECONDS,
            pool_pre_ping=True,
            hide_parameters=True,
        )

    def begin(self, driver: Any, execute: Execute, seconds: float) -> None:
        driver.call_timeout = max(1, int(seconds * 1000))
        execute("SET TRANSACTION READ ONLY")

    def write_right(self, connection: Connection) -> str | None:
        found = connection.execute(_WRITE_RIGHTS).scalar()
        return None if found is None else str(found)

    def reason(self, error: DBAPIError) -> FailReason:
        said = str(error.orig)
        if any(code in said for code in _TIMED_OUT):
            return FailReason.TIMEOUT
        return FailReason.MISCONFIGURED if any(code in said for code in _MISCONFIGURED) else FailReason.UNREACHABLE

    def trimmed(self, column: sa.ColumnElement[Any], characters: str) -> sa.ColumnElement[Any]:
        kind = f"[{re.escape(characters)}]+"
        return sa.func.regexp_replace(column, f"^{kind}|{kind}$", "", type_=sa.String())

    def ordered(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.func.nlssort(column, "NLS_SORT=BINARY")

    def exact(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return column
