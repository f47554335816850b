"""Small writes of many threads in one transaction: SQLite waits for the disk once for all that came meanwhile.

PostgreSQL does this by itself; there each write is a transaction of its own.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from gateway.db.engine import Database
from gateway.errors import StoreUnavailableError

BATCH_MAX: Final = 64
"""How many writes one transaction takes, so that the first of them does not wait for long."""

Result = TypeVar("Result")
Work = Callable[[Connection], Any]


@dataclass(slots=True)
class _Item:
    work: Work
    is_done: bool = False
    result: Any = None
    error: Exception | None = None


class GroupCommit:
    """Runs writes, each whole or not at all, and returns from each after its commit.

    There is no thread for it. Whoever waits first commits for all who wait; the others find their work done.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Item] = deque()
        self._leading = threading.Lock()

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run one write.

        Args:
            work: writes through the connection. What it raises undoes its own writes only, and is raised here.

        Raises:
            StoreUnavailableError: the transaction failed, for all that were in it; nothing was written.
        """
        if not self._database.is_sqlite:
            with self._database.write_connection() as connection:
                return work(connection)
        item = _Item(work)
        self._waiting.append(item)
        with self._leading:
            # At most the first batch is others' work: an item is taken in the order in which it came.
            while not item.is_done:
                self._commit([self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))])
        match item.error:
            case None:
                return item.result  # type: ignore[no-any-return]
            case StoreUnavailableError():
                raise StoreUnavailableError(str(item.error)) from item.error  # one for each thread that waited
            case _:
                raise item.error

    def _commit(self, items: list[_Item]) -> None:
        try:
            with self._database.write_connection() as connection:
                for item in items:
                    _run_whole(connection, item)
        except Exception as error:  # noqa: BLE001  (it belongs to the threads that wait, and is raised in each)
            _fail(items, error)
        except BaseException:
            # This thread is being ended; the others must not take what was not committed for done.
            _fail(items, StoreUnavailableError("the write was interrupted"))
            raise
        finally:
            for item in items:
                item.is_done = True


def _fail(items: list[_Item], error: Exception) -> None:
    for item in items:
        item.error = error


def _run_whole(connection: Connection, item: _Item) -> None:
    connection.exec_driver_sql("SAVEPOINT item")
    try:
        item.result = item.work(connection)
    except SQLAlchemyError:
        raise  # the database itself failed: nobody's work is committed
    except Exception as error:  # noqa: BLE001  (it is raised in the thread whose work this is)
        item.error = error
        connection.exec_driver_sql("ROLLBACK TO item")
    connection.exec_driver_sql("RELEASE item")
