"""A gateway as it is after years: many exchanges in its log and in its table, whose payloads were let go long ago."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, text

from gateway.auditor.models import ExchangeSearch
from gateway.demo import turns
from gateway.demo.run import Demo
from gateway.evidence.leaf import Leaf
from gateway.evidence.models import LogEntry
from gateway.exchange.finished import step_of
from gateway.exchange.models import Exchange
from gateway.wiring import build
from tests.bench.figures import say

CHUNK = 8192
SAID_EVERY = 100_000
SINCE, UNTIL = timedelta(days=3 * 365), timedelta(days=60)
"""Nothing is of the days that are still looked at for oddities."""
CACHE_KIB = 262_144
RECORDS = 20_000
"""So many were asked for, each again and again."""


def age(demo: Demo, exchanges: int) -> None:
    """Write exchanges with their leaves, in larger batches than callers make; the server publishes them at its start.

    A row has all that its indexes hold. Request, receipt, answer and keys are gone, as after an erasure.
    """
    services = build(demo.settings)
    try:
        past = _past(exchanges)
        for start in range(0, exchanges, CHUNK):
            rows = [next(past) for _ in range(min(CHUNK, exchanges - start))]
            leaves = [Leaf(step_of(row["id"], "released"), _entry(number)) for number, row in enumerate(rows, start)]

            def write(connection: Connection, rows: list[dict[str, Any]] = rows) -> None:
                at_first = select(LogEntry.idx).where(LogEntry.step_id == step_of(rows[0]["id"], "released"))
                first = connection.execute(at_first).scalar_one()
                if services.database.is_sqlite:  # this many rows touch most pages of their indexes
                    connection.execute(text(f"PRAGMA cache_size=-{CACHE_KIB}"))
                connection.execute(insert(Exchange), [row | {"log_index": first + n} for n, row in enumerate(rows)])

            services.log.append_together([*leaves[:-1], replace(leaves[-1], then=write)])
            done = start + len(rows)
            if start // SAID_EVERY != done // SAID_EVERY or done == exchanges:
                say(f"aged by {done:,} of {exchanges:,} exchanges")
        with services.database.write() as session:
            last = session.execute(select(Exchange.id, Exchange.log_index).order_by(Exchange.log_index.desc())).first()
            if last is not None:  # auditors' index begins behind them: it is not what is measured
                session.add(
                    ExchangeSearch(exchange_id=last.id, log_index=last.log_index, withheld=[], state="released")
                )
            if not services.database.is_sqlite:  # as its autovacuum has done long ago
                session.execute(text("ANALYZE"))
    finally:
        services.close()


def _past(count: int) -> Iterator[dict[str, Any]]:
    chance, now = random.Random(7), datetime.now(UTC)
    turn = turns.MARK_AT_THE_BORDER
    began, pace = now - SINCE, (SINCE - UNTIL) / max(1, count)
    records = [chance.randbytes(32) for _ in range(RECORDS)]
    for number in range(count):
        at = began + pace * number
        yield {
            "id": _uuid7(at, chance),
            "client_id": turn.client,
            "requester": turn.client.partition(".")[0],
            "holder": turn.holder,
            "jti": str(uuid.UUID(int=chance.getrandbits(128))),
            "request_sha256": chance.randbytes(32),
            "record_type": turn.record_type,
            "record_sha256": chance.choice(records),
            "purpose": turn.purpose,
            "received_at": at,
            "deadline_at": at + timedelta(seconds=30),
            "finished_at": at + timedelta(milliseconds=chance.randrange(5, 500)),
            "node": "aged",
            "state": "released",
            "timing_ms": {},
            "case_hash": chance.randbytes(32) if number % 8 == 0 else None,
            "erased_at": at + timedelta(days=30),
        }


def _uuid7(at: datetime, chance: random.Random) -> str:
    """Make an id of that moment (RFC 9562, section 5.7), as exchanges have."""
    parts = int(at.timestamp() * 1000) << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62)
    return str(uuid.UUID(int=parts))


def _entry(number: int) -> bytes:
    """As long as an exchange's."""
    return b'{"c":"%043d","o":"released","t":1790000000,"v":1}' % number
