"""Keys that wrap the payload keys of a holder's exchanges of one retention class, one a month: what expires together.

The retention class of an exchange is the type of the record that was asked for: what must be kept for how long is
said of detentions or court cases, not of requests.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.db.prepared import Prepared
from gateway.evidence.errors import ErasedError
from gateway.evidence.models import PayloadClassKey
from gateway.keywrap import KEK_BYTES, KeyWrap
from ipx.ids import uuid7

KEY_SECONDS: Final = 60.0
"""How long a key read from the database stays in this process's memory."""

_TABLE: Final = cast("Table", PayloadClassKey.__table__)
_INSERT_ONCE: Final = {
    "sqlite": sqlite.insert(_TABLE).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(_TABLE).on_conflict_do_nothing(),
}


@dataclass(frozen=True, slots=True)
class ClassKey:
    id: str
    wrap: KeyWrap


# SQLite has one writer at a time; there SQLAlchemy leaves the lock clause out.
_LOCK_SHARED = Prepared(
    select(PayloadClassKey.id).where(PayloadClassKey.id == bindparam("id")).with_for_update(read=True, key_share=True)
)


class ClassKeys:
    """Makes, keeps and destroys these keys; at rest they are wrapped under the key-encryption key."""

    def __init__(self, database: Database, wrap: KeyWrap, clock: Clock) -> None:
        self._database = database
        self._wrap = wrap
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, ...], tuple[float, ClassKey]] = {}

    def current(self, holder: str, retention_class: str) -> ClassKey:
        """Give this month's key of a class; made on first use."""
        wanted = (holder, retention_class, month_of(self._clock()))
        return self._remembered(wanted) or self._keep(wanted, self._made(*wanted))

    def get(self, key_id: str) -> ClassKey:
        """Give a key by its id.

        Raises:
            ErasedError: it was destroyed, and all that it wrapped with it.
        """
        known = self._remembered((key_id,))
        if known is not None:
            return known
        with self._database.read() as session:
            row = session.get(PayloadClassKey, key_id)
        if row is None:
            raise ErasedError(f"the key {key_id} of a retention class was destroyed")
        return self._keep((key_id,), self._unwrapped(row))

    def is_live(self, connection: Connection, key: ClassKey) -> bool:
        """Tell whether a key still exists, and keep it from being destroyed until this transaction ends.

        False: somebody has destroyed it; `current` gives another one now.
        """
        return self.are_live(connection, [key])()

    def are_live(self, connection: Connection, keys: Iterable[ClassKey]) -> Callable[[], bool]:
        """Do so for several keys; it can be asked for once `gateway.db.prepared.in_one_go` is over."""
        found = [_LOCK_SHARED.queue_all(connection, {"id": key_id}) for key_id in sorted({key.id for key in keys})]

        def all_found() -> bool:
            if all(rows() for rows in found):
                return True
            self._forget()
            return False

        return all_found

    def destroy(self, session: Session, key_id: str) -> None:
        """Delete a key in the caller's transaction. What it wrapped opens for nobody any more, once that commits."""
        row = session.get(PayloadClassKey, key_id, with_for_update=True)
        if row is not None:
            session.delete(row)
            session.flush()
        self._forget()

    def listed(self) -> Sequence[PayloadClassKey]:
        """List the keys, oldest month first."""
        order = (PayloadClassKey.month, PayloadClassKey.holder, PayloadClassKey.retention_class)
        with self._database.read() as session:
            return session.scalars(select(PayloadClassKey).order_by(*order)).all()

    def _made(self, holder: str, retention_class: str, month: str) -> ClassKey:
        wanted = select(PayloadClassKey).filter_by(holder=holder, retention_class=retention_class, month=month)
        with self._database.read() as session:
            row = session.scalar(wanted)
        if row is None:
            key_id = uuid7()
            values = {
                "id": key_id,
                "holder": holder,
                "retention_class": retention_class,
                "month": month,
                "wrapped": self._wrap.wrap(AESGCM.generate_key(KEK_BYTES * 8), _context(key_id)),
                "created_at": self._clock(),
            }
            # Another process may have made it meanwhile: then its key is the one.
            with self._database.write() as session:
                session.execute(_INSERT_ONCE[session.get_bind().dialect.name], values)
                row = session.scalars(wanted).one()
        return self._unwrapped(row)

    def _unwrapped(self, row: PayloadClassKey) -> ClassKey:
        return ClassKey(row.id, KeyWrap(self._wrap.unwrap(row.wrapped, _context(row.id))))

    def _remembered(self, name: tuple[str, ...]) -> ClassKey | None:
        until, key = self._known.get(name, (0.0, None))
        return key if time.monotonic() < until else None

    def _keep(self, name: tuple[str, ...], key: ClassKey) -> ClassKey:
        now = time.monotonic()
        with self._lock:
            self._known = {known: kept for known, kept in self._known.items() if now < kept[0]}
            self._known[name] = now + KEY_SECONDS, key
        return key

    def _forget(self) -> None:
        with self._lock:
            self._known = {}


def month_of(at: datetime) -> str:
    """Name a month as class keys do: `2026-11`."""
    return f"{at.year:04}-{at.month:02}"


def _context(key_id: str) -> str:
    return f"payload-class-key:{key_id}"
