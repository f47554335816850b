"""A large log in a database: deriving it again, and proving from tiles on disk, beside the least that either needs."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import perf_counter

from sqlalchemy import insert, select, text

from gateway.clock import utc_now
from gateway.db import migrate
from gateway.db.engine import Database
from gateway.evidence.checkpoints import CheckpointStore
from gateway.evidence.edge import Edge
from gateway.evidence.log import EvidenceLog
from gateway.evidence.models import LogCheckpoint, LogEntry, LogTile
from ipx.keys import generate_signer
from ipx.merkle import leaf_hash, verify_inclusion
from ipx.note import Checkpoint, NoteSigner, sign
from tests.bench import figures
from tests.bench.figures import say

CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Size:
    leaves: tuple[int, ...]
    proofs: int
    """Of each kind, at places spread over the log."""


def measure(folder: Path, size: Size) -> None:
    for leaves in size.leaves:
        say(f"writing a log of {leaves} entries")
        with _log(folder / f"audit-{leaves}", leaves) as (log, database, edge):
            figures.heading(f"log of {leaves} entries on SQLite")
            _audit(log, leaves)
            _proofs(log, database, leaves, edge.root(), size.proofs)


def _audit(log: EvidenceLog, leaves: int) -> None:
    """Deriving needs two hashes for each entry; what else it takes is reading and comparing."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = perf_counter()
    log.audit()
    spent = perf_counter() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    started = perf_counter()
    for _ in range(leaves):
        sha256(b"\x01" + sha256(_entry(0)).digest() * 2).digest()
    limit = perf_counter() - started
    figures.milliseconds(f"audit-{leaves}", spent * 1000)
    figures.ratio(f"audit-{leaves}/hashes", limit / spent)
    figures.count(f"audit-{leaves}-memory", grown / 1024, "MB more")


def _proofs(log: EvidenceLog, database: Database, leaves: int, root: bytes, count: int) -> None:
    """A proof from tiles that no memory holds, beside reading as many rows by their key."""
    places = [number * (leaves - 1) // max(1, count - 1) for number in range(count)]
    proved, read, checked = [], [], []
    levels = max(1, (leaves.bit_length() + 7) // 8)
    for index in places:
        proof, spent = _timed(log.proof, index, leaves)
        proved.append(spent)
        read.append(_timed(_rows, database, index, levels)[1])
        checked.append(_timed(verify_inclusion, index, leaves, leaf_hash(_entry(index)), proof, root)[1])
    figures.milliseconds(f"proof-from-disk-{leaves}", median(proved) * 1000)
    figures.ratio(f"proof-from-disk-{leaves}/rows", median(read) / median(proved))
    figures.microseconds(f"proof-from-disk-{leaves}-check", median(checked) * 1e6)


def _rows(database: Database, index: int, levels: int) -> None:
    with database.read_connection() as connection:
        for level in range(levels):
            connection.execute(
                select(LogTile.data).where(
                    LogTile.shard == 1, LogTile.lvl == level, LogTile.n == index >> 8 * (level + 1)
                )
            ).all()


def _timed(act: Callable, *arguments: object) -> tuple:
    started = perf_counter()
    result = act(*arguments)
    return result, perf_counter() - started


def _entry(number: int) -> bytes:
    return b'{"c":"%043d","o":"released","t":1790000000,"v":1}' % number


@contextmanager
def _log(folder: Path, leaves: int) -> Iterator[tuple[EvidenceLog, Database, Edge]]:
    """Write a log row by row as its own code would have left it; appending so many would take an hour."""
    folder.mkdir(parents=True)
    database, other = Database(f"sqlite:///{folder / 'log.db'}"), Database(f"sqlite:///{folder / 'other.db'}")
    migrate.upgrade(database)
    store = CheckpointStore(other)
    store.create_table()
    signer = NoteSigner("bench.example/log", generate_signer())
    log = EvidenceLog(database, store, signer, utc_now)
    log.open()
    log.close()
    edge = Edge(0, {})
    with database.write_connection() as connection:
        for start in range(0, leaves, CHUNK):
            rows = []
            for number in range(start, min(start + CHUNK, leaves)):
                entry = _entry(number)
                digest = leaf_hash(entry)
                edge.append(digest)
                rows.append({"idx": number, "step_id": f"bench:{number}", "leaf_hash": digest, "entry": entry})
            connection.execute(insert(LogEntry), rows)
        tiles = [
            {"shard": 1, "lvl": level, "n": number, "w": tile.width, "data": tile.data}
            for (level, number), tile in edge.tiles.items()
            if tile.width
        ]
        connection.execute(insert(LogTile), tiles)
        head = {"size": leaves, "root": edge.root()}
        connection.execute(text("UPDATE log_head SET size = :size, root = :root"), head)
        note = sign(Checkpoint(signer.name, **head).text(), signer)
        connection.execute(insert(LogCheckpoint).values(shard=1, **head, note=note, at=utc_now()))
    log = EvidenceLog(database, store, signer, utc_now)
    log.open()
    try:
        yield log, database, edge
    finally:
        log.close()
        database.dispose()
        other.dispose()
