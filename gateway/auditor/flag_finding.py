"""Looks at each day, while it lasts and once it is over, and notes what is odd about it as flags."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import String, and_, case, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gateway.agencies.models import Agency
from gateway.audit.service import AuditTrail
from gateway.auditor.flag_methods import DAYS, SILENT, Odd, PersonDay, Seen, Slot, odd_things
from gateway.auditor.flags import FALSE_ALARM, OPEN
from gateway.auditor.models import ExchangeSearch, Flag, FlagDay
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.exchange.models import Exchange
from ipx.ids import uuid7

ROUND_SECONDS: Final = 900.0
"""How often the day that lasts is looked at again."""
SETTLE: Final = timedelta(minutes=30)
"""After its end a day is looked at once more: requests of its last minutes have ended and are indexed by then."""
GATEWAY: Final = "gateway"


class FlagFinder:
    """Any number of processes may run it: a flag is made once, by what it is about and its day."""

    def __init__(self, database: Database, audit: AuditTrail, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._looked_at = float("-inf")
        self._due: list[date] = []

    def go_round(self) -> None:
        """Look at one day; every quarter of an hour today and the days that are not settled are due again.

        One at a time: a day of a large gateway takes a while, and the worker has other things to do.
        """
        if not self._due:
            if time.monotonic() - self._looked_at < ROUND_SECONDS:
                return
            self._looked_at = time.monotonic()
            self._due = self._unsettled()
        if self._due:
            self.look_at(self._due.pop(0))

    def catch_up(self) -> int:
        """Look at every day that is not settled, four weeks back at most. Returns how many new flags there are."""
        return sum(self.look_at(day) for day in self._unsettled())

    def _unsettled(self) -> list[date]:
        """Give today and the days that were not looked at to their end, the oldest first."""
        today = self._clock().astimezone(UTC).date()
        oldest = today - timedelta(days=DAYS)
        with self._database.read() as session:
            settled = set(session.scalars(select(FlagDay.day).where(FlagDay.day >= oldest)))
            first = session.scalar(select(func.min(Exchange.received_at)))
        if first is None:
            return []
        start = max(oldest, first.astimezone(UTC).date())
        days = [start + timedelta(days=number) for number in range((today - start).days + 1)]
        return [day for day in days if day not in settled]

    def look_at(self, day: date) -> int:
        """Note what is odd about one day. Returns how many flags are new."""
        with self._database.read() as session:
            found = odd_things(self._seen(session, day))
        try:
            with self._database.write() as session:
                return self._note(session, day, found)
        except IntegrityError:  # another process noted the same at this moment
            return 0

    def _note(self, session: Session, day: date, found: list[Odd]) -> int:
        now, fresh = self._clock(), []
        since = day - timedelta(days=DAYS)
        for odd in found:
            same = and_(
                Flag.kind == odd.kind,
                Flag.requester == odd.requester,
                Flag.holder == odd.holder,
                Flag.subject == odd.subject,
            )
            known = session.scalar(select(Flag).where(same, Flag.day == day))
            if known is not None:
                if known.status == OPEN:
                    known.numbers = dict(odd.numbers)
                continue
            dismissed = select(Flag.id).where(same, Flag.day >= since, Flag.day < day, Flag.status == FALSE_ALARM)
            if session.scalar(dismissed.limit(1)) is not None:
                continue  # an auditor said of the same within four weeks that it is none
            fresh.append(_flag(odd, day, now))
        session.add_all(fresh)
        is_over = now >= datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) + SETTLE
        if is_over and session.get(FlagDay, day) is None:
            session.add(FlagDay(day=day))
        session.flush()
        for flag in fresh:
            detail = {"kind": flag.kind, "requester": flag.requester, "holder": flag.holder, "day": day.isoformat()}
            self._audit.record(session, GATEWAY, "flag.raised", f"flag:{flag.id}", detail)
        return len(fresh)

    def _seen(self, session: Session, day: date) -> Seen:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        end, since = start + timedelta(days=1), start - timedelta(days=DAYS)
        within = and_(Exchange.received_at >= since, Exchange.received_at < end)
        slots = list(self._slots(session, within))
        pairs = {(slot.requester, slot.holder) for slot in slots if slot.day == day}
        known = frozenset(
            pair
            for pair in pairs
            if session.scalar(
                select(Exchange.id)
                .where(Exchange.requester == pair[0], Exchange.holder == pair[1], Exchange.received_at < start)
                .limit(1)
            )
            is not None
        )
        first = session.scalar(select(func.min(Exchange.received_at)))
        return Seen(
            day=day,
            slots=slots,
            persons=list(self._persons(session, within)),
            agency_kinds={row.code: row.kind for row in session.execute(select(Agency.code, Agency.kind))},
            known_pairs=known,
            is_settled=first is not None and first.astimezone(UTC) < since,
        )

    def _slots(self, session: Session, within: Any) -> Iterator[Slot]:
        hour = self._hour()
        columns = (hour, Exchange.requester, Exchange.holder, Exchange.client_id, Exchange.purpose)
        silent = func.sum(case((Exchange.reason.in_(SILENT), 1), else_=0))
        for text, *names, count, quiet in session.execute(
            select(*columns, func.count(), silent).where(within).group_by(*columns)
        ):
            requester, holder, client, purpose = names
            yield Slot(
                date.fromisoformat(text[:10]), int(text[11:13]), requester, holder, client, purpose, count, int(quiet)
            )

    def _persons(self, session: Session, within: Any) -> Iterator[PersonDay]:
        day: Any = func.substr(self._hour(), 1, 10, type_=String)
        records = func.count(func.distinct(Exchange.record_sha256))
        query = (
            select(day, Exchange.requester, ExchangeSearch.person, records)
            .join(ExchangeSearch, ExchangeSearch.exchange_id == Exchange.id)
            .where(within, ExchangeSearch.person.is_not(None))
            .group_by(day, Exchange.requester, ExchangeSearch.person)
        )
        for text, requester, person, count in session.execute(query):
            yield PersonDay(date.fromisoformat(text), requester, str(person), count)

    def _hour(self) -> Any:
        """Give the beginning of a time in UTC as text, `2026-11-25 08`."""
        if self._database.is_sqlite:
            return func.substr(Exchange.received_at, 1, 13, type_=String)
        return func.to_char(func.timezone("UTC", Exchange.received_at), "YYYY-MM-DD HH24")


def _flag(odd: Odd, day: date, now: datetime) -> Flag:
    return Flag(
        id=uuid7(),
        kind=odd.kind,
        requester=odd.requester,
        holder=odd.holder,
        subject=odd.subject,
        day=day,
        numbers=dict(odd.numbers),
        status=OPEN,
        assignee="",
        note="",
        found_at=now,
        changed_at=now,
    )
