"""How many entries a second the evidence log takes, beside what the same disk and the same database can do at all."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from sqlalchemy import event, func, select, text

from gateway.clock import utc_now
from gateway.db import migrate
from gateway.db.engine import Database
from gateway.evidence.checkpoints import CheckpointStore, open_own
from gateway.evidence.leaf import Leaf
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import LogCheckpoint
from ipx.ids import uuid7
from ipx.keys import generate_signer
from ipx.merkle import leaf_hash, verify_inclusion
from ipx.note import NoteSigner
from tests.bench import figures
from tests.bench.answers import Faults
from tests.bench.figures import say
from tests.bench.stores import two_databases

WRITERS = (1, 8, 32)
SLOW_FLUSH_SECONDS = 0.010
ENTRY = b'{"c":"%43s","o":"released","t":1790000000,"v":1}' % b""
BLOCK = b"x" * 4096


@dataclass(frozen=True, slots=True)
class Size:
    rounds: int
    seconds: float
    """Of each measurement in a round."""


@dataclass
class Taken:
    """What writers got done together."""

    count: int = 0
    seconds: float = 0.0
    spent_ms: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.count / self.seconds


def measure(folder: Path, size: Size, postgres: str | None, faults: Faults) -> None:
    """Measure and print, on SQLite and, where it is there, on PostgreSQL."""
    _measure_on(folder / "log", "", None, size, faults)
    if postgres is not None:
        _measure_on(folder / "log-postgresql", "-postgresql", postgres, size, faults)
    _measure_slow(folder / "log-slow", size, faults)


def _measure_on(folder: Path, name: str, postgres: str | None, size: Size, faults: Faults) -> None:
    with _log(folder, postgres) as (log, database), _raw_commit(database) as commit, _raw_flush(folder) as flush:
        rates: dict[str, list[float]] = {}
        spent: list[float] = []
        batches: list[float] = []
        for number in range(size.rounds):
            rates.setdefault("raw-flush", []).append(_per_second(flush, size.seconds))
            rates.setdefault("raw-commit", []).append(_per_second(commit, size.seconds))
            for writers in WRITERS:
                before = _checkpoints(database)
                taken = append(log, writers, size.seconds, faults)
                rates.setdefault(f"log-append-{writers}", []).append(taken.per_second)
                if writers == WRITERS[-1]:
                    spent += taken.spent_ms
                    batches.append(taken.count / max(1, _checkpoints(database) - before))
            say(f"log{name}, round {number + 1} of {size.rounds}: {_said(rates)}")
        figures.heading(f"log{name}: 4 KB flushed; one row committed; entries logged and published by 1, 8, 32 threads")
        for kind, values in rates.items():
            figures.rate(f"{kind}{name}", median(values))
        for writers in WRITERS:
            kind = f"log-append-{writers}"
            figures.ratio(f"{kind}{name}/commit", figures.paired(rates[kind], rates["raw-commit"]))
        figures.count(f"log-batch-{WRITERS[-1]}{name}", median(batches), "entries")
        for hundredth in (50, 99):
            figures.milliseconds(f"log-append-{WRITERS[-1]}{name}-p{hundredth}", figures.percentile(spent, hundredth))
        log.audit()


def _measure_slow(folder: Path, size: Size, faults: Faults) -> None:
    """The same on a disk that takes 10 ms to flush: each commit of either database is held up by as much."""
    with _log(folder, None, slow=True) as (log, _):
        limit = 1 / (2 * SLOW_FLUSH_SECONDS)
        figures.heading(f"log on a disk emulated to flush in 10 ms: at most {limit:.0f} batches a second")
        for writers in WRITERS:
            taken = append(log, writers, max(1.0, size.seconds), faults)
            figures.rate(f"log-append-{writers}-flush-10ms", taken.per_second)
            figures.ratio(f"log-append-{writers}-flush-10ms/limit", taken.per_second / (limit * writers))


def append(log: EvidenceLog, writers: int, seconds: float, faults: Faults) -> Taken:
    """Let threads append one entry after the other; each proof is checked once the clock has stopped."""
    taken = Taken()
    lock = threading.Lock()
    given: list = []
    started = perf_counter()

    def write() -> None:
        spent, logged = [], []
        now = perf_counter()
        try:
            while now - started < seconds:
                logged.append(log.append(Leaf(f"bench:{uuid7()}", ENTRY)))
                before, now = now, perf_counter()
                spent.append((now - before) * 1000)
        except Exception as error:  # noqa: BLE001  (a thread's error must reach the run)
            faults.add(f"log: {type(error).__name__}: {error}")
        with lock:
            taken.spent_ms += spent
            given.extend(logged)

    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken.seconds = perf_counter() - started
    taken.count = len(given)
    if len({logged.index for logged in given}) != len(given):
        faults.add("log: one place was given twice")
    for logged in given[:: max(1, len(given) // 50)]:
        root = open_own(logged.checkpoint_note, log.key).root
        verify_inclusion(logged.index, logged.size, leaf_hash(ENTRY), logged.proof, root)
    return taken


@contextmanager
def _log(folder: Path, postgres: str | None, *, slow: bool = False) -> Iterator[tuple[EvidenceLog, Database]]:
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        first, second = (Database(url) for url in stack.enter_context(two_databases(folder, postgres)))
        stack.callback(first.dispose)
        stack.callback(second.dispose)
        migrate.upgrade(first)
        store = CheckpointStore(second)
        store.create_table()
        log = EvidenceLog(first, store, NoteSigner("bench.example/log", generate_signer()), utc_now)
        log.open()
        stack.callback(log.close)
        if slow:
            for database in (first, second):
                event.listen(database.writer, "commit", lambda _: sleep(SLOW_FLUSH_SECONDS))
        yield log, first


@contextmanager
def _raw_commit(database: Database) -> Iterator[Callable[[], None]]:
    """One row, one transaction, written past all of our code."""
    insert = "INSERT INTO bench_row (body) VALUES ('" + "x" * 200 + "')"
    key = "integer PRIMARY KEY" if database.is_sqlite else "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    with database.write_connection() as connection:
        connection.execute(text(f"CREATE TABLE bench_row (id {key}, body text)"))
    raw = database.writer.raw_connection()
    driver = raw.driver_connection
    if not database.is_sqlite:
        driver.autocommit = True
    try:
        yield lambda: driver.execute(insert)
    finally:
        if not database.is_sqlite:
            driver.autocommit = False
        raw.close()


@contextmanager
def _raw_flush(folder: Path) -> Iterator[Callable[[], None]]:
    flush = getattr(os, "fdatasync", os.fsync)
    file = os.open(folder / "raw", os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        yield lambda: (os.pwrite(file, BLOCK, 0), flush(file))
    finally:
        os.close(file)


def _per_second(act: Callable[[], object], seconds: float) -> float:
    count, started = 0, perf_counter()
    while (now := perf_counter()) - started < seconds:
        act()
        count += 1
    return count / (now - started)


def _checkpoints(database: Database) -> int:
    with database.read_connection() as connection:
        return connection.scalar(select(func.count()).select_from(LogCheckpoint)) or 0


def _said(rates: dict[str, list[float]]) -> str:
    return ", ".join(f"{kind} {values[-1]:.0f}/s" for kind, values in rates.items())
