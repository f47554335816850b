"""Statements that are compiled once and then handed to the driver as they are.

On the way of an exchange the toolkit's own execution of a statement (contexts, events, result objects) costs several
times what the database takes. Types are converted as elsewhere, and errors are the toolkit's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Delete, Insert, Select, TextClause, Update
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

ROWS_AT_ONCE: Final = 256
"""SQLite takes 32,766 parameters in a statement."""

Statement = Select[*tuple[Any, ...]] | Insert | Update | Delete | TextClause
Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    constants: Mapping[str, Any]
    """Values that the statement itself gives."""
    take: Callable[[Mapping[str, Any]], Sequence[Any]] | None
    """Takes the values in the order of the parameters; None where the driver takes them by name."""
    given: Sequence[tuple[Any, Convert]]
    """How a value is converted on its way to the database, by position or name, where it is."""
    got: Sequence[Convert | None]
    """How the value of each column is converted on its way back."""

    def values(self, values: Mapping[str, Any]) -> Any:
        if self.constants:
            values = {**self.constants, **values}
        taken: Any = dict(values) if self.take is None else list(self.take(values))
        for place, convert in self.given:
            taken[place] = convert(taken[place])
        return taken

    def row(self, row: Sequence[Any]) -> tuple[Any, ...]:
        if not self.got:
            return tuple(row)
        return tuple(value if convert is None else convert(value) for convert, value in zip(self.got, row, strict=True))


class Prepared:
    """One statement, whatever the database. Lists of values (`IN`) are not for it: their number changes its text."""

    def __init__(self, statement: Statement | Mapping[str, Statement]) -> None:
        """Take a statement, or one for each dialect by its name."""
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}
        self._wide: dict[int, str] = {}
        """Texts for more rows than one, where parameters are given by position."""

    def run(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Run it; gives how many rows it touched.

        Raises:
            sqlalchemy.exc.DBAPIError: of the kind that `Connection.execute` raises.
        """
        return self.queue(connection, values)()

    def queue(self, connection: Connection, values: Mapping[str, Any]) -> Callable[[], int]:
        """Do so; how many rows it touched can be asked for once the block of `in_one_go` is over."""
        compiled = self._for(connection.dialect)
        cursor = _execute(connection, compiled.text, compiled.values(values))
        return lambda: int(cursor.rowcount)

    def run_at_once(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run it for each of some rows of values; it has one `VALUES (…)`, with all of its parameters.

        SQLite's driver lets other threads go on while it steps through a statement, and whoever holds the database's
        lock then waits to be let in again. So there it is one statement for many rows. Drivers that take parameters by
        name (PostgreSQL's) send the rows one after the other in one go.

        Returns:
            how many rows it touched.
        """
        return self.queue_at_once(connection, rows)()

    def queue_at_once(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Callable[[], int]:
        """Do so; how many rows it touched can be asked for once the block of `in_one_go` is over."""
        if not rows:
            return lambda: 0
        compiled = self._for(connection.dialect)
        values = [compiled.values(row) for row in rows]
        if compiled.take is None:
            if len(values) == 1:
                return self.queue(connection, rows[0])
            many = _execute(connection, compiled.text, values, many=True)
            return lambda: int(many.rowcount)
        cursors = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            chunk = values[start : start + ROWS_AT_ONCE]
            text = self._wide.get(len(chunk))
            if text is None:
                text = self._wide[len(chunk)] = _repeat_values(compiled.text, len(chunk))
            cursors.append(_execute(connection, text, [value for row in chunk for value in row]))
        return lambda: sum(cursor.rowcount for cursor in cursors)

    def first(self, connection: Connection, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Run it; gives the first row that comes, as a plain tuple."""
        compiled = self._for(connection.dialect)
        row = _execute(connection, compiled.text, compiled.values(values)).fetchone()
        return None if row is None else compiled.row(row)

    def all(self, connection: Connection, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self.queue_all(connection, values)()

    def queue_all(self, connection: Connection, values: Mapping[str, Any]) -> Callable[[], list[tuple[Any, ...]]]:
        """Do so; the rows can be asked for, once, when the block of `in_one_go` is over."""
        compiled = self._for(connection.dialect)
        cursor = _execute(connection, compiled.text, compiled.values(values))
        return lambda: [compiled.row(row) for row in cursor.fetchall()]

    def _for(self, dialect: Dialect) -> _Compiled:
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            statement = self._statement
            compiled = _compile(statement[dialect.name] if isinstance(statement, Mapping) else statement, dialect)
            self._compiled[dialect.name] = compiled
        return compiled


@contextmanager
def in_one_go(connection: Connection) -> Iterator[None]:
    """Send PostgreSQL what is queued in the block in one go, and wait for its answers once, at the end.

    What a statement did is not known before, so none of them may depend on what another one found. On SQLite, where
    nobody is waited for, each is run at once.

    Raises:
        sqlalchemy.exc.DBAPIError: the first that failed did so; none after it was run.
    """
    if connection.dialect.name == "sqlite":
        yield
        return
    raw: Any = connection.connection.dbapi_connection
    with told_by_toolkit(connection, "", raw), raw.pipeline():
        yield


def driver_execute(connection: Connection, text: str) -> None:
    """Run a statement without values, in the driver's own words."""
    _execute(connection, text, ())


def _compile(statement: Statement, dialect: Dialect) -> _Compiled:
    compiled: Any = statement.compile(dialect=dialect)
    order: Sequence[str] | None = compiled.positiontup
    converts = {
        name: bind.type.dialect_impl(dialect).bind_processor(dialect) for bind, name in compiled.bind_names.items()
    }
    columns: Iterable[Any] = getattr(statement, "exported_columns", ())
    got = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    return _Compiled(
        text=str(compiled),
        constants={name: bind.value for bind, name in compiled.bind_names.items() if not bind.required},
        take=None if order is None else _taking(order),
        given=[
            (place, convert)
            for place, name in (enumerate(order) if order is not None else zip(converts, converts, strict=True))
            if (convert := converts[name]) is not None
        ],
        got=got if any(got) else (),
    )


def _taking(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """Take the values of these names, in their order."""
    match names:
        case []:
            return lambda _: ()
        case [name]:
            return lambda values: (values[name],)
        case _:
            return itemgetter(*names)


def _repeat_values(text: str, times: int) -> str:
    """Write the parenthesis behind `VALUES` as often as there are rows."""
    start = text.index("(", text.index("VALUES"))
    depth, end = 0, start
    for end in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if depth == 0:
            break
    if "?" in text[:start] + text[end + 1 :]:
        raise ValueError(f"a parameter outside VALUES: {text}")
    return text[:start] + ", ".join([text[start : end + 1]] * times) + text[end + 1 :]


def _execute(connection: Connection, text: str, values: Any, *, many: bool = False) -> Any:
    raw: Any = connection.connection.dbapi_connection
    try:
        cursor = raw.cursor()
        return (cursor.executemany if many else cursor.execute)(text, values) or cursor
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, text, error, raw) from error


@contextmanager
def told_by_toolkit(connection: Connection, text: str, raw: Any) -> Iterator[None]:
    """Tell what the driver raises in the block as the toolkit would, which is told of a broken connection too.

    Args:
        connection: the toolkit's.
        text: what is run.
        raw: the driver's connection.
    """
    try:
        yield
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, text, error, raw) from error


def _told(connection: Connection, text: str, error: Any, raw: Any) -> BaseException:
    if connection.dialect.is_disconnect(error, raw, None):
        connection.invalidate(error)
    return toolkits_error(connection, text, error)


def toolkits_error(connection: Connection, text: str, error: Exception) -> BaseException:
    """Give an error of the driver as the toolkit would raise it."""
    dialect = connection.dialect
    return DBAPIError.instance(text, None, error, dialect.loaded_dbapi.Error, dialect=dialect)
