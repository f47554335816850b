"""Reading on in a table from where a watermark says, and in the table of its deletions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connectors.kinds.sql_key import KeyColumn
from connectors.kinds.sql_tables import Graveyard, Mark, Table
from connectors.kinds.sql_watermark import Progress, Thread
from connectors.protocol import RecordKey

BATCH_ROWS = 500
DELETED_ROWS = 10_000

Rows = Sequence[sa.Row[Any]]


@dataclass(frozen=True, slots=True)
class Step:
    rows: Rows
    deleted: tuple[RecordKey, ...]
    progress: Progress
    is_last: bool


class ChangeReader:
    def __init__(self, table: Table, mark: Mark, graveyard: Graveyard | None, key: KeyColumn) -> None:
        self._table = table
        self._mark = mark
        self._graveyard = graveyard
        self._key = key
        self.moment = mark.column.name
        self.unmarked = 0
        """Rows without a moment, as counted when changes were last read from the beginning."""

    def step(self, connection: Connection, progress: Progress) -> Step:
        """Read one batch of records, and one of deletions."""
        if progress.records.at is None:
            self.unmarked = self._count_unmarked(connection)
        rows, records = self._next(connection, self._table, self._of_records, progress.records)
        deleted, deletions = self._deleted(connection, progress.deletions)
        is_last = not (records.is_open or deletions.is_open)
        return Step(rows, deleted, Progress(records, deletions), is_last)

    def _count_unmarked(self, connection: Connection) -> int:
        moment = self._table.clause.c[self._mark.column.name]
        query = sa.select(sa.func.count()).select_from(self._table.clause).where(moment.is_(None))
        return int(connection.execute(query).scalar_one())

    @property
    def _of_records(self) -> tuple[str, str, int]:
        return self._mark.column.name, self._key.column.name, BATCH_ROWS

    def _deleted(self, connection: Connection, thread: Thread) -> tuple[tuple[RecordKey, ...], Thread]:
        """The keys that are noted as deleted, but for those that were entered anew since."""
        grave = self._graveyard
        if grave is None:
            return (), thread
        rows, thread = self._next(connection, grave.table, (grave.at.name, grave.key.name, DELETED_ROWS), thread)
        told = [row._mapping[grave.key.name] for row in rows]  # noqa: SLF001  (SQLAlchemy's documented name)
        keys = dict.fromkeys(key for value in told if (key := self._key.from_source(value)) is not None)
        back = self._key.present(connection, keys)
        return tuple(key for key in keys if key not in back), thread

    def _next(
        self, connection: Connection, table: Table, names: tuple[str, str, int], thread: Thread
    ) -> tuple[Rows, Thread]:
        """Follow a table by its columns of moment and key, at most so many rows."""
        moment_name, key_name, rows_max = names
        moment, key = table.clause.c[moment_name], table.clause.c[key_name]
        query = sa.select(table.clause).where(thread.after(moment, key, self._mark.overlap))
        rows = connection.execute(query.order_by(moment, key).limit(rows_max + 1)).all()
        is_open, rows = len(rows) > rows_max, rows[:rows_max]
        if rows:
            last = rows[-1]._mapping  # noqa: SLF001  (SQLAlchemy's documented name)
            thread = thread.moved(last[moment_name], last[key_name])
        return rows, replace(thread, is_open=is_open)
