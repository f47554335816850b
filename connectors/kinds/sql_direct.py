"""Reading with the driver alone: statements made once for the connector, no objects of the toolkit around them.

For one record and its child rows the toolkit's own execution costs more than the database takes. What may differ
between the two ways is named at `Dialect.reads_directly`; where it might, the toolkit executes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from connectors.deadline import Deadline

Members = dict[str, Any]
"""A row by the names of its columns."""

Query = sa.Select[*tuple[Any, ...]]

Read = Callable[[Query, Mapping[str, Any]], list[Members]]
"""Run a query with its values in the transaction that is open, and give all of its rows."""

Execute = Callable[[str], Any]
"""Run a statement without values in the driver's own words."""

T = TypeVar("T")


def members_of(rows: Iterable[sa.Row[*tuple[Any, ...]]]) -> list[Members]:
    """Rows of the toolkit as plain ones."""
    return [dict(row._mapping) for row in rows]  # noqa: SLF001  (SQLAlchemy's documented name)


def by_toolkit(connection: Connection) -> Read:
    """Read as SQLAlchemy executes, whatever the dialect and its types."""
    return lambda query, values: members_of(connection.execute(query, values))


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    constants: Mapping[str, Any]
    """Values that the statement itself gives."""
    order: tuple[str, ...] | None
    """Names of the parameters by position; None where the driver takes them by name."""
    names: tuple[str, ...]

    def values(self, given: Mapping[str, Any]) -> Any:
        merged = {**self.constants, **given}
        return merged if self.order is None else tuple([merged[name] for name in self.order])


class DirectReading:
    """Transactions on connections of the engine's pool that were opened, and are bounded, as the dialect says.

    Errors are those that `Connection.execute` raises. Queries must be the same objects each time: each is kept.
    """

    def __init__(self, engine: Engine, begin: Callable[[Any, Execute, float], None]) -> None:
        self._engine = engine
        self._begin = begin
        self._errors = engine.dialect.loaded_dbapi.Error
        self._compiled: dict[Query, _Compiled] = {}

    def run(self, deadline: Deadline, work: Callable[[Read], T]) -> T:
        """Do this work in one transaction, which sees one state of the data and is rolled back at its end.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: no connection was to be had, or the database refused.
        """
        try:
            pooled = self._engine.raw_connection()
        except self._errors as error:
            self._refuse(error)
        driver: Any = pooled.driver_connection
        text: str | None = None

        def read(query: Query, values: Mapping[str, Any]) -> list[Members]:
            nonlocal text
            compiled = self._compiled.get(query) or self._compile(query)
            text = compiled.text
            cursor = driver.cursor()
            cursor.execute(text, compiled.values(values))
            names = compiled.names
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            cursor.close()
            return rows

        try:
            self._begin(driver, driver.cursor().execute, max(0.001, deadline.remaining_seconds))
            return work(read)
        except self._errors as error:
            if self._engine.dialect.is_disconnect(error, driver, None):
                pooled.invalidate(error)
            self._refuse(error, text)
        except BaseException as error:
            if not isinstance(error, Exception):  # whoever ends us may do so in the middle of an answer
                pooled.invalidate(error)
            raise
        finally:
            pooled.close()

    def _compile(self, query: Query) -> _Compiled:
        dialect = self._engine.dialect
        compiled: Any = query.compile(dialect=dialect)
        kinds = [bind.type for bind in compiled.bind_names]
        conversions = [kind.dialect_impl(dialect).bind_processor(dialect) for kind in kinds]
        conversions += [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in query.exported_columns
        ]
        if any(conversions) or compiled.post_compile_params or compiled.literal_execute_params:
            raise AssertionError(f"not a statement to be read directly: {compiled}")
        made = _Compiled(
            text=str(compiled),
            constants={name: bind.value for bind, name in compiled.bind_names.items() if not bind.required},
            order=None if compiled.positiontup is None else tuple(compiled.positiontup),
            names=tuple(column.name for column in query.exported_columns),
        )
        self._compiled[query] = made
        return made

    def _refuse(self, error: Exception, text: str | None = None) -> NoReturn:
        raise DBAPIError.instance(
            text, None, error, self._errors, hide_parameters=True, dialect=self._engine.dialect
        ) from error
