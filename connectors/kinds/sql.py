"""Kind `sql`: tables or views of a holder's database, read with an account that cannot write."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from connectors.breaker import BreakerState
from connectors.deadline import Deadline
from connectors.errors import SourceFault, SourceFileError, SourceRefusedError
from connectors.formats.document import WHITE_SPACE
from connectors.kinds.failure_log import log_failure
from connectors.kinds.sql_account import Dialect, dialect_of
from connectors.kinds.sql_changes import ChangeReader
from connectors.kinds.sql_direct import DirectReading, Members, Read, by_toolkit, members_of
from connectors.kinds.sql_failures import AccountError, reason_of
from connectors.kinds.sql_filter import PushDown
from connectors.kinds.sql_key import KeyColumn
from connectors.kinds.sql_limits import CONNECT_SECONDS, POOL_SIZE
from connectors.kinds.sql_rows import ChildRows, RowIdentities, TooManyChildrenError, row_json
from connectors.kinds.sql_tables import Layout, read_layout
from connectors.kinds.sql_watermark import Progress
from connectors.mapping import RecordMapping
from connectors.protocol import (
    Absent,
    Capabilities,
    Changes,
    Failed,
    FailReason,
    Found,
    Health,
    Operation,
    Page,
    PageMark,
    RecordKey,
    Watermark,
)
from connectors.quarantine import Reason
from connectors.references import Resolver
from connectors.row_filter import Op, RowFilter

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known of a database once it was reached: checked, and never asked for again."""

    layout: Layout
    push_down: PushDown
    key: KeyColumn
    children: ChildRows
    changes: ChangeReader | None


def open_connector(mapping: RecordMapping, resolver: Resolver, clock: Callable[[], datetime]) -> "SqlConnector":
    """Open a database, and look at its account and tables at once if it can be reached.

    Raises:
        SourceFileError: an address, key or push-down that cannot be used.
        SourceRefusedError: the account can write, or a table or column is missing.
    """
    source = mapping.source
    dialect, url = dialect_of(resolver.resolve(source.reach["url"], "/reach/url"))
    try:
        engine = dialect.engine(url, source.read.encoding)
    except ImportError as error:  # a driver whose own library is not there (ODBC, Oracle's client)
        raise SourceFileError([SourceFault("/reach/url", f"the driver cannot be loaded: {error}")]) from error
    connector = SqlConnector(mapping, dialect, engine, resolver, clock)
    try:
        connector.look()
    except (SourceFileError, SourceRefusedError):
        connector.close()
        raise
    return connector


class SqlConnector:
    """Each call is one read-only transaction on one state of the data, and ends by its deadline whatever happens.

    Calls over a network run on threads of this connector's own: a driver that hangs there holds such a thread, not the
    caller, and its own time-outs end it.
    """

    def __init__(
        self,
        mapping: RecordMapping,
        dialect: Dialect,
        engine: Engine,
        resolver: Resolver,
        clock: Callable[[], datetime],
    ) -> None:
        self._source = source = mapping.source
        self._mapping = mapping
        self._dialect = dialect
        self._engine = engine
        self._resolver = resolver
        self._clock = clock
        limits = source.reach.get("limits", {})
        self._rows_max: int = limits.get("rows", 1000)
        self._statement_seconds: float = limits.get("statement_seconds", 20)
        self._threads = ThreadPoolExecutor(POOL_SIZE, thread_name_prefix=f"sql-{source.name}")
        self._lock = threading.Lock()
        self._is_closed = False
        self._running = 0
        self._prepared: Prepared | None = None
        self._newest: datetime | None = None
        self._identities = RowIdentities(mapping)
        self._direct = DirectReading(engine, dialect.begin) if dialect.reads_directly else None

    def look(self) -> Failed | None:
        """Reach the database if that is possible now, and check it.

        Raises:
            SourceFileError, SourceRefusedError: what was found is not to be used.
        """
        outcome = self._within(Deadline.within(CONNECT_SECONDS), self._connected(lambda _: None), raises=True)
        return outcome if isinstance(outcome, Failed) else None

    def capabilities(self) -> Capabilities:
        reach = self._source.reach
        operations: set[Operation] = {"fetch", "search"}
        if "watermark" in reach:
            operations.add("changes")
        pushed = {name: frozenset(map(Op, part["ops"])) for name, part in reach.get("pushdown", {}).items()}
        return Capabilities(
            operations=frozenset(operations),
            pushdown=pushed,
            deletions="deleted" in reach,
            signs=None,
            rows_max=self._rows_max,
        )

    def fetch(self, key: RecordKey, deadline: Deadline) -> Found | Absent | Failed:
        direct = self._direct
        if direct is None or self._prepared is None:
            return self._within(deadline, self._connected(lambda connection: self._fetch(by_toolkit(connection), key)))
        return self._within(deadline, lambda bounded: direct.run(bounded, lambda read: self._fetch(read, key)))

    def search(self, wanted: RowFilter, mark: PageMark | None, deadline: Deadline) -> Page | Failed:
        if mark is not None:
            return Failed(FailReason.UNSUPPORTED)  # all that was found is in the first page, or nothing is
        return self._within(deadline, self._connected(lambda connection: self._search(connection, wanted)))

    def changes(self, since: Watermark | None, deadline: Deadline) -> Changes | Failed:
        if "watermark" not in self._source.reach:
            return Failed(FailReason.UNSUPPORTED)
        return self._within(deadline, self._connected(lambda connection: self._changes(connection, since)))

    def health(self) -> Health:
        lag = self._clock() - self._newest if self._newest else None
        note = f"table {self._source.reach['table']}"
        reader = self._prepared.changes if self._prepared else None
        if reader and reader.unmarked:
            note += f", {reader.unmarked} rows without {reader.moment} that changes never bring"
        return Health("ok" if self._prepared else "unknown", None, lag, BreakerState.CLOSED, note=note)

    def close(self) -> None:
        """Take no more calls. Connections of calls that still run are closed when those end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._is_closed = True
            is_idle = self._running == 0
        if is_idle:
            self._engine.dispose()

    def _fetch(self, read: Read, key: RecordKey) -> Found | Absent:
        prepared = self._ready()
        rows: list[Members] = []
        for query, values in prepared.key.lookups(key):
            rows = read(query, values)
            if rows:
                break
        if not rows:
            return Absent()
        found = self._found(read, rows[:1])[0]
        if len(rows) > 1:
            return replace(found, findings=(Reason.DUPLICATE_IN_BATCH,))
        return found

    def _search(self, connection: Connection, wanted: RowFilter) -> Page | Failed:
        prepared = self._ready()
        clause, left = prepared.push_down.split(wanted)
        table = prepared.layout.table.clause
        query = sa.select(table).where(clause).order_by(table.c[prepared.layout.key.name]).limit(self._rows_max + 1)
        rows = connection.execute(query).all()
        if len(rows) > self._rows_max:
            return Failed(FailReason.TOO_MANY_ROWS)
        return Page(
            tuple(self._found(by_toolkit(connection), members_of(rows))), None, complete=True, left_to_filter=left
        )

    def _changes(self, connection: Connection, since: Watermark | None) -> Changes | Failed:
        progress = Progress.read(since)
        reader = self._ready().changes
        if progress is None or reader is None:
            return Failed(FailReason.MISCONFIGURED)
        step = reader.step(connection, progress)
        found = tuple(self._found(by_toolkit(connection), members_of(step.rows)))
        return Changes(found, step.deleted, step.progress.written(), step.is_last)

    def _found(self, read: Read, rows: Sequence[Members]) -> list[Found]:
        prepared = self._ready()
        layout = prepared.layout
        prepared.children.join(read, rows)
        found = []
        for row in rows:
            raw = row_json(row)
            identity = self._identities.of(raw)
            found.append(
                Found(
                    raw=raw,
                    media_type="application/json",
                    source_ref=f"{layout.table.name}#{str(row[layout.key.name]).strip(WHITE_SPACE)}",
                    revised=identity.revised,
                    signature=None,
                    fetched_at=self._clock(),
                    key=identity.key,
                )
            )
            if identity.revised and (self._newest is None or identity.revised > self._newest):
                self._newest = identity.revised
        return found

    def _ready(self) -> Prepared:
        if self._prepared is None:
            raise AssertionError("used before it was prepared")  # `_run` prepares
        return self._prepared

    def _prepare(self, connection: Connection) -> None:
        with self._lock:
            if self._prepared is not None:
                return
        right = self._dialect.write_right(connection)
        if right is not None:
            raise AccountError(f"the account {right}; give the gateway one that can only read")
        layout = read_layout(connection, self._source)
        key = KeyColumn(self._source, layout, self._dialect)
        changes = ChangeReader(layout.table, layout.mark, layout.deleted, key) if layout.mark else None
        prepared = Prepared(layout, PushDown(self._source, layout, self._dialect), key, ChildRows(layout), changes)
        with self._lock:
            self._prepared = prepared

    def _connected(self, work: Callable[[Connection], T]) -> Callable[[Deadline], T]:
        """The same work, given a connection of the toolkit's on which its transaction has begun."""

        def connected(deadline: Deadline) -> T:
            with self._engine.connect() as connection:
                driver = connection.connection.driver_connection
                self._dialect.begin(driver, connection.exec_driver_sql, max(0.001, deadline.remaining_seconds))
                self._prepare(connection)
                return work(connection)

        return connected

    def _within(self, deadline: Deadline, work: Callable[[Deadline], T], *, raises: bool = False) -> T | Failed:
        bounded = deadline.at_most(self._statement_seconds)
        if not self._dialect.is_remote:
            return self._run(bounded, work, raises=raises)
        call: Future[T | Failed] = self._threads.submit(self._run, bounded, work, raises=raises)
        try:
            return call.result(timeout=bounded.remaining_seconds)
        except FutureTimeoutError:
            call.cancel()
            return Failed(FailReason.TIMEOUT)

    def _run(self, deadline: Deadline, work: Callable[[Deadline], T], *, raises: bool) -> T | Failed:
        if deadline.is_past:
            return Failed(FailReason.TIMEOUT)
        with self._lock:
            if self._is_closed:
                return Failed(FailReason.UNREACHABLE)
            self._running += 1
        try:
            return work(deadline)
        except (SourceFileError, SourceRefusedError) as error:
            if raises:
                raise
            return self._failed(error)
        except (TooManyChildrenError, UnicodeDecodeError, SQLAlchemyError) as error:
            return self._failed(error)
        finally:
            with self._lock:
                self._running -= 1
                is_last = self._is_closed and self._running == 0
            if is_last:
                self._engine.dispose()

    def _failed(self, error: Exception) -> Failed:
        reason = reason_of(error, self._dialect)
        log_failure(_log, self._source.name, reason, error, hidden=self._resolver.blot_out)
        return Failed(reason)
