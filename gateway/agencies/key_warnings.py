"""Keys that end soon: said at 30 and at 7 days before, once each, in the audit trail and in the log."""

from datetime import datetime, timedelta
from typing import Any, Final, cast

import structlog
from sqlalchemy import ColumnElement, CursorResult, and_, or_, select, update

from gateway.agencies.models import ClientKey
from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database

THRESHOLDS_DAYS: Final = (30, 7)
"""The first is the earliest."""

log = structlog.get_logger(__name__)


def warnings_of(valid_until: datetime, now: datetime) -> list[int]:
    """Give the thresholds, in days, that a key which has not ended yet has passed."""
    return [days for days in THRESHOLDS_DAYS if now < valid_until <= now + timedelta(days=days)]


class KeyWarnings:
    def __init__(self, database: Database, audit: AuditTrail, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    def go_round(self) -> int:
        """Warn of every key that passed a threshold since it was last warned of. Returns how many warnings there were.

        Any number of processes may do it at once: each key and threshold has one of them.
        """
        now = self._clock()
        due = select(ClientKey.id, ClientKey.client_id, ClientKey.kid, ClientKey.valid_until).where(
            ClientKey.revoked_at.is_(None), or_(*(_is_due(days, now) for days in THRESHOLDS_DAYS))
        )
        with self._database.read_connection() as connection:
            rows = connection.execute(due).all()
        return sum(self._warn(row, warnings_of(row.valid_until, now)[-1]) for row in rows)

    def _warn(self, row: Any, days: int) -> bool:
        detail = {"kid": row.kid, "days": days, "valid_until": row.valid_until.strftime("%Y-%m-%dT%H:%M:%SZ")}
        mine = update(ClientKey).where(ClientKey.id == row.id, _is_unwarned(days)).values(warned_days=days)
        with self._database.write() as session:
            if cast("CursorResult[Any]", session.execute(mine)).rowcount != 1:
                return False
            self._audit.record(session, "gateway", "client_key.ends_soon", row.client_id, detail)
        log.warning("client key ends soon", client=row.client_id, **detail)
        return True


def _is_due(days: int, now: datetime) -> ColumnElement[bool]:
    is_near = and_(ClientKey.valid_until > now, ClientKey.valid_until <= now + timedelta(days=days))
    return and_(is_near, _is_unwarned(days))


def _is_unwarned(days: int) -> ColumnElement[bool]:
    return or_(ClientKey.warned_days.is_(None), ClientKey.warned_days > days)
