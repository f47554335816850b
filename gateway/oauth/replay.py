"""The memory of used identifiers: each `jti` passes once, in all workers together and across restarts."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway.db.engine import Database
from gateway.db.prepared import Prepared
from gateway.errors import GatewayError
from gateway.oauth.models import Seen
from ipx.values import value

SWEEP_ROWS = 5_000


@value
class SeenKey:
    """One identifier to be used up.

    Args:
        key: SHA-256 of namespace, zero byte, identifier.
        until: seconds since 1970 after which age alone refuses it.
        kind: `assertion`, `proof` or `key proof`: which refusal a replay is.
    """

    key: bytes
    until: int
    kind: str


class ReplayedError(GatewayError):
    """An identifier was used before; nothing of what came with it may be done."""

    def __init__(self, seen: SeenKey) -> None:
        super().__init__(f"the jti of this {seen.kind} was used before")
        self.seen = seen


def assertion_key(client_id: str, jti: str, until: int) -> SeenKey:
    """Key of a client assertion: its `jti` passes once per client, whatever endpoint it is sent to."""
    return SeenKey(_digest(f"ca:{client_id}", jti), until, "assertion")


def proof_key(address: str, thumbprint: str, jti: str, until: int) -> SeenKey:
    """Key of a DPoP proof: its `jti` passes once per address and key."""
    return SeenKey(_digest(f"dpop:{address}:{thumbprint}", jti), until, "proof")


def key_proof_key(client_id: str, jti: str, until: int) -> SeenKey:
    """Key of a proof that a client holds a key it registers."""
    return SeenKey(_digest(f"kp:{client_id}", jti), until, "key proof")


def _digest(namespace: str, identifier: str) -> bytes:
    return hashlib.sha256(namespace.encode() + b"\x00" + identifier.encode()).digest()


class ReplayStore(Protocol):
    """Where used identifiers are kept."""

    def consume(self, connection: Connection | Session, keys: Sequence[SeenKey], now: datetime) -> None:
        """Use up all keys or none.

        Args:
            connection: the writing transaction of what the identifiers pay for; its commit makes the use final.
            keys: what this request uses up.
            now: the present instant.

        Raises:
            ReplayedError: one was used before. The transaction must be rolled back.
            StoreUnavailableError: it cannot be known; nothing may be done.
        """

    def use_up_ahead(self, keys: Sequence[SeenKey], now: datetime) -> Sequence[SeenKey]:
        """Use up at once, all or none, what no transaction could undo, where what they pay for comes later.

        Returns:
            those that are left for `consume` or `consume_together`, in the transaction of what they pay for.

        Raises:
            ReplayedError, StoreUnavailableError: as `consume`.
        """

    def was_used(self, seen: SeenKey) -> bool:
        """Whether a key was used up before; a look only."""

    def sweep(self, now: datetime) -> int:
        """Forget identifiers that age alone refuses. Returns how many."""

    def is_durable(self) -> bool:
        """Whether what was used stays used when the store is started again."""

    def close(self) -> None:
        """Give back the connections of its own."""


_VALUES: Mapping[str, Any] = {"k": bindparam("k"), "exp": bindparam("exp")}
# Both databases make a second writer of the same key wait for the first one's commit, then insert nothing.
_INSERT = Prepared(
    {
        dialect: insert(Seen).values(_VALUES).on_conflict_do_nothing()
        for dialect, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
    }
)


def consume(connection: Connection | Session, keys: Sequence[SeenKey], now: datetime) -> None:
    """Use up identifiers inside the caller's writing transaction (see `ReplayStore.consume`)."""
    del now  # a row past its time still refuses: it cannot make an old identifier new
    if isinstance(connection, Session):
        connection = connection.connection()
    for seen in keys:
        if _INSERT.run(connection, {"k": seen.key, "exp": seen.until}) != 1:
            raise ReplayedError(seen)


def consume_together(connection: Connection, keys: Sequence[SeenKey]) -> Callable[[], bool]:
    """Use up the identifiers of several requests inside a writing transaction, in the order of their keys.

    Returns:
        whether all are used up now, asked once `gateway.db.prepared.in_one_go` is over; False: ask for each alone.
    """
    rows = [{"k": seen.key, "exp": seen.until} for seen in sorted(keys, key=lambda seen: seen.key)]
    used_up = _INSERT.queue_at_once(connection, rows)
    return lambda: used_up() == len(rows)


class DatabaseReplayStore:
    """The gateway's own database: the use is part of the transaction it pays for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def consume(self, connection: Connection | Session, keys: Sequence[SeenKey], now: datetime) -> None:
        consume(connection, keys, now)

    def use_up_ahead(self, keys: Sequence[SeenKey], now: datetime) -> Sequence[SeenKey]:
        """Leave them all to the transaction."""
        del now
        return keys

    def was_used(self, seen: SeenKey) -> bool:
        with self._database.read_connection() as connection:
            return connection.scalar(select(Seen.exp).where(Seen.k == seen.key)) is not None

    def is_durable(self) -> bool:
        return True

    def close(self) -> None:
        """Do nothing: the database is closed by whom it belongs to."""

    def sweep(self, now: datetime) -> int:
        """Forget at most 5,000 identifiers in one short transaction; call again while it returns that many."""
        old = Seen.__table__.select().with_only_columns(Seen.k).where(Seen.exp < int(now.timestamp())).limit(SWEEP_ROWS)
        with self._database.write_connection() as connection:
            return connection.execute(delete(Seen).where(Seen.k.in_(old.scalar_subquery()))).rowcount
