"""Small writes of many threads in one transaction: the disk is waited for once for all that came meanwhile.

PostgreSQL waits once for many transactions by itself; there only writes that common statements make are put together,
for those statements: any other is a transaction of its own.
"""

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final, Generic, Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from gateway.db.company import SECONDS, Company, Crowd
from gateway.db.engine import Database
from gateway.db.postgres import is_passing
from gateway.db.prepared import driver_execute
from gateway.errors import StoreUnavailableError
from gateway.settled import Settled

BATCH_MAX: Final = 64
"""How many writes one transaction takes, so that the first of them does not wait for long."""

Result = TypeVar("Result")
Work = Callable[[Connection], Any]


class NotTogetherError(Exception):
    """Writes cannot be made by common statements: one of them is special. Nothing of them may be committed."""


class Joint(ABC, Generic[Result]):
    """A write that common statements can make together with others of its kind: few statements, however many writes.

    Whoever holds SQLite's lock waits to be let in by the other threads of its process after each statement; under load
    that is most of the time for which a transaction keeps every other process out. PostgreSQL is another process: to
    ask it and to wait for its answer costs more than most statements do.
    """

    @abstractmethod
    def __call__(self, connection: Connection) -> Result:
        """Make this write alone; what it raises is its own caller's."""

    @classmethod
    @abstractmethod
    def together(cls, connection: Connection, writes: Sequence[Self]) -> Sequence[Result]:
        """Make some writes, as each would be made alone one after the other, and give their results.

        Whatever it raises, the transaction is rolled back and each write is made alone. Rows that others may write too
        are written in the order of their keys: two that hold what the other one wants would wait for each other.

        Raises:
            NotTogetherError: one of them would not do the ordinary thing.
        """


@dataclass(eq=False, slots=True)
class _Item:
    work: Work
    turn: Settled["_Turn"] = field(default_factory=Settled)
    """What its thread waits for: that it was committed or has failed, or that it is to lead."""
    result: Any = None
    error: Exception | None = None
    is_left: bool = False
    """It was not made with others: its own thread makes it."""


class _Turn(Enum):
    DONE = auto()
    LEAD = auto()


class GroupCommit:
    """Runs writes, each whole or not at all, and returns from each after its commit.

    There is no thread for it. Whoever comes first commits for all who wait, then hands the lead on to one of those who
    have come meanwhile; the others find their work done.
    """

    def __init__(self, database: Database, crowd: Crowd | None = None) -> None:
        """Take the database, and the calls that may come to a commit; None: nobody is waited for."""
        self._database = database
        self._company = Company(crowd)
        self._lock = threading.Lock()
        self._enough_came = threading.Condition(self._lock)
        self._enough = 0
        """How many more the leader waits for; 0: it does not."""
        self._waiting: deque[_Item] = deque()
        self._is_led = False

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run one write.

        Args:
            work: writes through the connection. What it raises undoes its own writes only, and is raised here.

        Raises:
            StoreUnavailableError: the transaction failed, for all that were in it; nothing was written.
        """
        if not (self._database.is_sqlite or isinstance(work, Joint)):
            return self._run_alone(work)
        item = _Item(work)
        with self._lock:
            leads, self._is_led = not self._is_led, True
            if not leads:
                self._waiting.append(item)
                if self._enough and len(self._waiting) >= self._enough:
                    self._enough_came.notify()
        if leads or item.turn.wait() is _Turn.LEAD:
            self._lead(item)
        match item.error:
            case None if item.is_left:
                return self._run_alone(work)
            case None:
                return item.result  # type: ignore[no-any-return]
            case StoreUnavailableError():
                raise StoreUnavailableError(str(item.error)) from item.error  # one for each thread that waited
            case _:
                raise item.error

    def _run_alone(self, work: Callable[[Connection], Result]) -> Result:
        with self._database.write_connection() as connection:
            return work(connection)

    def _lead(self, own: _Item) -> None:
        with self._lock:
            self._gather()
            others = [self._waiting.popleft() for _ in range(min(BATCH_MAX - 1, len(self._waiting)))]
        try:
            self._commit([own, *others])
        finally:
            with self._lock:
                following = self._waiting.popleft() if self._waiting else None
                self._is_led = following is not None
            if following is not None:
                following.turn.give(_Turn.LEAD)
            for item in others:
                item.turn.give(_Turn.DONE)

    def _gather(self) -> None:
        """Wait for others that are on their way. The lock is held, and given back meanwhile."""
        wanted = self._company.wanted()
        if len(self._waiting) + 1 < wanted:
            self._enough = wanted - 1
            self._enough_came.wait_for(lambda: len(self._waiting) + 1 >= wanted, SECONDS)
            self._enough = 0
        self._company.came(wanted, len(self._waiting) + 1)

    def _commit(self, items: list[_Item]) -> None:
        try:
            if self._commit_together(items):
                return
            if not self._database.is_sqlite:  # where they need not wait for each other
                for item in items:
                    item.is_left = True
                return
            with self._database.write_connection() as connection:
                for item in items:
                    _run_whole(connection, item)
        except Exception as error:  # noqa: BLE001  (it belongs to the threads that wait, and is raised in each)
            _fail(items, error)
        except BaseException:
            # This thread is being ended; the others must not take what was not committed for done.
            _fail(items, StoreUnavailableError("the write was interrupted"))
            raise

    def _commit_together(self, items: list[_Item]) -> bool:
        """Commit where one write is alone, or all are joint ones of a kind; False: nothing was written.

        On PostgreSQL all are, and one alone too takes fewer turns by its common statements.
        """
        works: list[Any] = [item.work for item in items]
        if len(works) == 1 and self._database.is_sqlite:
            items[0].result = self._run_alone(works[0])
            return True
        kind = type(works[0])
        if not issubclass(kind, Joint) or any(type(work) is not kind for work in works):
            return False
        try:
            with self._database.write_often() as connection:
                results = kind.together(connection, works)
        except StoreUnavailableError as error:
            if not is_passing(error):
                raise
            return False
        except Exception:  # noqa: BLE001  (each is made alone now, and raises in its own thread what is its own)
            return False
        for item, result in zip(items, results, strict=True):
            item.result = result
        return True


def _fail(items: list[_Item], error: Exception) -> None:
    for item in items:
        item.error = error


def _run_whole(connection: Connection, item: _Item) -> None:
    driver_execute(connection, "SAVEPOINT item")
    try:
        item.result = item.work(connection)
    except SQLAlchemyError:
        raise  # the database itself failed: nobody's work is committed
    except Exception as error:  # noqa: BLE001  (it is raised in the thread whose work this is)
        item.error = error
        driver_execute(connection, "ROLLBACK TO item")
    driver_execute(connection, "RELEASE item")
