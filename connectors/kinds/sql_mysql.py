"""MySQL and MariaDB: read-only snapshots, statements that end in time, comparisons that tell `d-1` from `D-1`."""

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from connectors.errors import SourceFault, SourceFileError
from connectors.kinds.sql_direct import Execute
from connectors.kinds.sql_limits import CONNECT_SECONDS, POOL_SIZE
from connectors.protocol import FailReason

READING = frozenset({"USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES"})
"""Privileges with which nothing can be written."""

_GRANT = re.compile(r"GRANT (?P<what>.+?) ON .+? TO ")
_ROLE = re.compile(r"GRANT (?P<role>[`'\w@%.-]+) TO ")

_TIMED_OUT = frozenset({1317, 1969, 3024})
_MISCONFIGURED = frozenset({1044, 1045, 1049, 1054, 1142, 1143, 1146})
_UNREADABLE = frozenset({1300, 1366, 3854})


class _InUtf8(FunctionElement[str]):
    """`CONVERT(x USING utf8mb4)`: the server's own way from the column's character set to that of the connection."""

    type = sa.String()
    inherit_cache = True


@compiles(_InUtf8)
def _compile_in_utf8(element: _InUtf8, compiler: Any, **options: Any) -> str:
    return f"CONVERT({compiler.process(element.clauses, **options)} USING utf8mb4)"


class MySql:
    is_remote = True
    reads_directly = True

    def engine(self, url: URL, encoding: str) -> Engine:
        if encoding != "utf-8":
            fault = "MySQL and MariaDB convert to UTF-8 themselves; leave it out"
            raise SourceFileError([SourceFault("/read/encoding", fault)])
        return sa.create_engine(
            url.set(drivername="mysql+pymysql").update_query_dict({"charset": "utf8mb4"}),
            connect_args={"connect_timeout": CONNECT_SECONDS, "read_timeout": 60, "write_timeout": 10},
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=CONNECT_SECONDS,
            pool_pre_ping=True,
            pool_recycle=600,
            hide_parameters=True,
            isolation_level="REPEATABLE READ",
        )

    def begin(self, driver: Any, execute: Execute, seconds: float) -> None:
        if "MariaDB" in driver.get_server_info():
            execute(f"SET SESSION max_statement_time = {max(0.001, seconds):.3f}")
        else:
            execute(f"SET SESSION max_execution_time = {max(1, int(seconds * 1000))}")
        execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def write_right(self, connection: Connection) -> str | None:
        return _found(connection, "SHOW GRANTS")

    def reason(self, error: DBAPIError) -> FailReason:
        code = next(iter(getattr(error.orig, "args", ())), None)
        if code in _TIMED_OUT or "timed out" in str(error.orig):
            return FailReason.TIMEOUT
        if code in _MISCONFIGURED:
            return FailReason.MISCONFIGURED
        return FailReason.RECORD_UNREADABLE if code in _UNREADABLE else FailReason.UNREACHABLE

    def trimmed(self, column: sa.ColumnElement[Any], characters: str) -> sa.ColumnElement[Any]:
        kind = f"[{re.escape(characters)}]+"
        return sa.func.regexp_replace(_InUtf8(column), f"^{kind}|{kind}$", "", type_=sa.String())

    def ordered(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return self.exact(column)

    def exact(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        # As bytes: collations call `d-1` and `D-1` the same, and most of them `D-1` and `D-1 ` too.
        return sa.type_coerce(sa.cast(_InUtf8(column), sa.BINARY), sa.String())


def _found(connection: Connection, statement: str) -> str | None:
    for (line,) in connection.exec_driver_sql(statement).all():
        text = str(line)
        granted = _GRANT.match(text)
        if granted:
            rights = {part.strip() for part in re.sub(r"\([^)]*\)", "", granted["what"]).split(",")}
            beyond = sorted(rights - READING) or (["GRANT OPTION"] if "WITH GRANT OPTION" in text else [])
            if beyond:
                return f"has the privilege {beyond[0]}"
            continue
        role = _ROLE.match(text)
        if role is None:
            continue
        try:
            inherited = _found(connection, f"SHOW GRANTS FOR {role['role']}")
        except SQLAlchemyError:
            return "may take on a role whose privileges it cannot see"
        if inherited:
            return inherited
    return None
