"""How much an agency or one of its clients may ask for: set by people, counted for all workers and nodes together.

An exchange counts when it is asked for, whatever comes of it: probing costs the holder nothing, and us the same. What
was asked before and is repeated byte for byte does not count again. Where no quota is set, nothing is read or written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, bindparam, case, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.agencies.models import Agency, Client, Quota, QuotaUse
from gateway.agencies.register import RegisterView
from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.db.prepared import Prepared
from gateway.errors import Fault, GatewayError, InvalidInputError, UnknownError

UNITS: Final[Mapping[str, int]] = {"minute": 60, "day": 86_400}
"""Periods of a quota and their seconds; a day is one of UTC."""

LIMITS: Final = ("per_minute", "per_day", "query_records")
MOST: Final = 1_000_000_000


class QuotaExhaustedError(GatewayError):
    """As many exchanges were asked for as the quota allows; nothing was filed, and no holder was asked."""

    def __init__(self, subject: str, unit: str, limit: int, resets_in: int) -> None:
        super().__init__(f"{limit} exchanges per {unit} of {subject} are used up; {resets_in} s until the next {unit}")
        self.resets_in = resets_in


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of one quota in the present period.

    Args:
        subject: the agency's code or the client's id.
        unit: `minute` or `day`.
        limit: exchanges that the period allows.
        left: of them, those not asked for yet.
        resets_in: seconds until the next period begins.
    """

    subject: str
    unit: str
    limit: int
    left: int
    resets_in: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a call's agency and client may do; empty where no quota is set."""

    exchanges: tuple[tuple[str, str, int], ...] = ()
    """Subject, unit and limit, in the order in which they are counted: the same for everybody, so that none waits."""
    query_records: int | None = None
    """At most so many records in one answer."""


class Quotas:
    def __init__(self, database: Database, audit: AuditTrail, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    def allowance(self, register: RegisterView, agency: str, client_id: str) -> Allowance:
        """Say what an agency and a client may do together; read once per change of the register.

        Args:
            register: the register as it is during this call.
            agency: on whose behalf is asked.
            client_id: who asks.
        """
        return register.of(("quotas", agency, client_id), lambda: self._read((agency, client_id)))

    def take(self, allowance: Allowance) -> Sequence[Remaining]:
        """Count one exchange in each period of each quota, or in none; give what is left of each.

        Raises:
            QuotaExhaustedError: one is used up.
            StoreUnavailableError: it cannot be counted; nothing may be asked.
        """
        if not allowance.exchanges:
            return ()
        now = int(self._clock().timestamp())
        with self._database.write_connection() as connection:
            for subject, unit, limit in allowance.exchanges:
                values = {"subject": subject, "unit": unit, "period": now // UNITS[unit], "most": limit}
                if _COUNT.run(connection, values) != 1:
                    raise QuotaExhaustedError(subject, unit, limit, _resets_in(unit, now))
            return self._left(connection, allowance, now)

    def remaining(self, register: RegisterView, agency: str, client_id: str) -> Sequence[Remaining]:
        """Say what is left of the quotas of an agency and a client; empty where none is set. A look only.

        Raises:
            StoreUnavailableError: the database cannot be asked.
        """
        allowance = self.allowance(register, agency, client_id)
        if not allowance.exchanges:
            return ()
        with self._database.read_connection() as connection:
            return self._left(connection, allowance, int(self._clock().timestamp()))

    def used(self, subject: str) -> Mapping[str, int]:
        """Say how many exchanges were asked for in the present minute and day, where a quota counts them."""
        now = int(self._clock().timestamp())
        with self._database.read_connection() as connection:
            return {unit: _used(connection, subject, unit, now) for unit in UNITS}

    def of(self, subject: str) -> Quota:
        """Give the quota of an agency or client; one without limits where none is set.

        Raises:
            UnknownError: there is no such agency or client.
        """
        with self._database.read() as session:
            if session.get(_model(subject), subject) is None:
                raise _unknown(subject)
            return session.get(Quota, subject) or Quota(subject=subject)

    def all(self) -> Sequence[Quota]:
        """List the quotas that are set, by agency and client."""
        with self._database.read() as session:
            return session.scalars(select(Quota).order_by(Quota.subject)).all()

    def set(
        self,
        subject: str,
        *,
        per_minute: int | None,
        per_day: int | None,
        query_records: int | None,
        actor: str,
        check: Callable[[Any], None] = lambda _: None,
    ) -> Quota:
        """Set what an agency or client may ask for, from its next call on; None is no limit.

        Args:
            subject: an agency's code or a client's id.
            per_minute: exchanges in a minute.
            per_day: exchanges in a day of UTC.
            query_records: records in the answer to one query.
            actor: who sets it.
            check: looks at the present quota, locked; raises where it is not what was seen.

        Raises:
            UnknownError: there is no such agency or client.
            InvalidInputError: a limit is no number from 1 on.
        """
        limits = {"per_minute": per_minute, "per_day": per_day, "query_records": query_records}
        faults = [
            Fault(f"/{name}", "quota", f"1 to {MOST}, or nothing for no limit")
            for name, limit in limits.items()
            if limit is not None and not 1 <= limit <= MOST
        ]
        if faults:
            raise InvalidInputError(faults)
        with self._database.write() as session:
            if session.get(_model(subject), subject, with_for_update=True) is None:
                raise _unknown(subject)
            found = session.get(Quota, subject)
            row = found or Quota(subject=subject)
            check(row)
            before = {name: getattr(row, name) for name in LIMITS}
            for name, limit in limits.items():
                setattr(row, name, limit)
            if before == limits:
                return row
            if found is None:
                session.add(row)
            elif not any(limits.values()):
                session.execute(delete(Quota).where(Quota.subject == subject))
            session.flush()
            self._audit.record(session, actor, "quota.set", subject, {"quota": limits, "before": before})
        return row

    def _read(self, subjects: Sequence[str]) -> Allowance:
        with self._database.read() as session:
            rows = session.scalars(select(Quota).where(Quota.subject.in_(subjects)).order_by(Quota.subject)).all()
            exchanges = tuple(
                (row.subject, unit, limit)
                for row in rows
                for unit in UNITS
                if (limit := getattr(row, f"per_{unit}")) is not None
            )
            records = [row.query_records for row in rows if row.query_records is not None]
        return Allowance(exchanges, min(records, default=None))

    @staticmethod
    def _left(connection: Connection, allowance: Allowance, now: int) -> Sequence[Remaining]:
        return [
            Remaining(
                subject, unit, limit, max(0, limit - _used(connection, subject, unit, now)), _resets_in(unit, now)
            )
            for subject, unit, limit in allowance.exchanges
        ]


def _used(connection: Connection, subject: str, unit: str, now: int) -> int:
    row = _USED.first(connection, {"subject": subject, "unit": unit, "period": now // UNITS[unit]})
    return 0 if row is None else int(row[0])


def _resets_in(unit: str, now: int) -> int:
    return UNITS[unit] - now % UNITS[unit]


def _model(subject: str) -> type[Agency] | type[Client]:
    return Client if "." in subject else Agency


def _unknown(subject: str) -> UnknownError:
    word = _model(subject).__tablename__
    return UnknownError(f"there is no {word} {subject}; `ipx-gateway {word} list` shows those that exist")


_USE = cast("Table", QuotaUse.__table__)


def _counting(insert: Any) -> Any:
    """One more in this period, unless it is full. A node whose clock is behind counts in the newer period."""
    new = insert(_USE).values(subject=bindparam("subject"), unit=bindparam("unit"), period=bindparam("period"), used=1)
    return new.on_conflict_do_update(
        index_elements=["subject", "unit"],
        set_={
            "period": case((_USE.c.period < new.excluded.period, new.excluded.period), else_=_USE.c.period),
            "used": case((_USE.c.period < new.excluded.period, 1), else_=_USE.c.used + 1),
        },
        where=or_(_USE.c.period < new.excluded.period, _USE.c.used < bindparam("most")),
    )


_COUNT = Prepared({"sqlite": _counting(sqlite.insert), "postgresql": _counting(postgresql.insert)})
_USED = Prepared(
    select(_USE.c.used).where(
        _USE.c.subject == bindparam("subject"), _USE.c.unit == bindparam("unit"), _USE.c.period >= bindparam("period")
    )
)
