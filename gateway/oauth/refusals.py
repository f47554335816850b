"""Refusals as audit entries, so that a flood of them cannot fill the table: the first of a minute whole, then a sum.

Counted by who and from where. What was counted and not written stands in one entry a minute, with how often each code
came. It is kept in memory until then: a process that is killed loses the sum of its last minute, and the entries that
were written stay.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any, Final

from sqlalchemy import Connection, select

from gateway.audit.models import AuditEntry
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.db.group_commit import GroupCommit
from gateway.oauth.audit import record
from gateway.oauth.errors import Reason

ROWS_A_MINUTE: Final = 10
"""Of one client and address."""
UNPROVEN_ROWS_A_MINUTE: Final = 300
"""Of all who proved nothing, in one process: they can make up as many client ids as they like."""
UNPROVEN: Final = "unproven"
ACTS: Final = ("token.refused", "call.refused", "client_key.refused")

_IPV6_SITE_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class Refused:
    """One refusal.

    Args:
        act: `token.refused`, `call.refused` or `client_key.refused`.
        actor: the client that was proven; else `unproven`.
        subject: the client it is about, proven or claimed; empty where none is known.
        address: from where it came.
    """

    act: str
    actor: str
    subject: str
    address: str
    reason: Reason
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> "Source":
        return Source(self.act, self.actor, self.subject, _site(self.address))


@dataclass(frozen=True, slots=True)
class Source:
    """Who is refused what, and from where; empty strings: everybody who is beyond the common limit."""

    act: str
    actor: str
    subject: str
    site: str


@dataclass(slots=True)
class _Minute:
    number: int
    written: Counter[Source] = field(default_factory=Counter)
    unproven_rows: int = 0
    summed: dict[Source, Counter[str]] = field(default_factory=dict)


class Refusals:
    """Writes refusals; one for each process."""

    def __init__(self, commits: GroupCommit, clock: Clock) -> None:
        self._commits = commits
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = _Minute(0)

    def record(self, refused: Refused) -> None:
        """Write a refusal, or count it.

        Raises:
            StoreUnavailableError: the entry could not be written.
        """
        now = self._clock()
        over = self._turned(now)
        is_written = self._is_written(refused)
        if not is_written and over is None:
            return

        def write(connection: Connection) -> None:
            if over is not None:
                _write_sums(connection, now, over)
            if is_written:
                reason = refused.reason
                detail = {"gw": reason.code, "error": reason.error, "ip": refused.address, **refused.detail}
                record(connection, now, refused.actor, refused.act, subject=refused.subject, detail=detail)

        self._commits.run(write)

    def settle(self) -> int:
        """Write the sums of minutes that are over; the worker does so. Returns how many entries that were."""
        now = self._clock()
        over = self._turned(now)
        if over is None:
            return 0
        self._commits.run(lambda connection: _write_sums(connection, now, over))
        return len(over.summed)

    def _turned(self, now: datetime) -> _Minute | None:
        """Begin a new minute where it is time; gives the one before if something of it is still to be written."""
        number = int(now.timestamp()) // 60
        with self._lock:
            if self._minute.number == number:
                return None
            over, self._minute = self._minute, _Minute(number)
        return over if over.summed else None

    def _is_written(self, refused: Refused) -> bool:
        source, is_unproven = refused.source, refused.actor == UNPROVEN
        with self._lock:
            minute = self._minute
            if is_unproven and minute.unproven_rows >= UNPROVEN_ROWS_A_MINUTE and source not in minute.summed:
                source = Source(refused.act, UNPROVEN, "", "")  # as many sources as rows are remembered, and no more
            elif minute.written[source] < ROWS_A_MINUTE:
                minute.written[source] += 1
                minute.unproven_rows += is_unproven
                return True
            minute.summed.setdefault(source, Counter())[refused.reason.code] += 1
        return False


def last_refusals(database: Database, client_id: str, count: int) -> list[AuditEntry]:
    """Give what was refused last in a client's name, proven or claimed, the newest first: for whoever helps it."""
    wanted = (
        select(AuditEntry)
        .where(AuditEntry.subject == client_id, AuditEntry.act.in_(ACTS))
        .order_by(AuditEntry.id.desc())
        .limit(count)
    )
    with database.read() as session:
        return list(session.scalars(wanted))


def _write_sums(connection: Connection, now: datetime, minute: _Minute) -> None:
    begun = datetime.fromtimestamp(minute.number * 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for source, codes in minute.summed.items():
        detail = {"repeated": codes.total(), "codes": dict(sorted(codes.items())), "minute": begun, "ip": source.site}
        record(connection, now, source.actor, source.act, subject=source.subject, detail=detail)


def _site(address: str) -> str:
    """Give the address; of IPv6 the network of one site, in which a caller may choose any."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 4:  # noqa: PLR2004
        return str(parsed)
    return str(ip_network((int(parsed), _IPV6_SITE_BITS), strict=False))
