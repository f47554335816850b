"""Whether a token still counts: asked for every call, so that suspension and revocation hold from the next call on."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import bindparam, delete, exists, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased

from gateway.agencies.models import Agency, Client
from gateway.agencies.register import RegisterMemory, RegisterView
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.oauth.errors import Reason
from gateway.oauth.models import Delegation, RevokedToken
from gateway.oauth.tokens import AccessToken

_Consumer = aliased(Agency)

_OWN = (
    select(
        Client.suspended_at,
        Client.not_before,
        Agency.suspended_at.label("agency_suspended_at"),
        exists().where(RevokedToken.jti == bindparam("jti")).label("is_revoked"),
    )
    .join(Agency, Agency.code == Client.agency_code)
    .where(Client.id == bindparam("client_id"))
)
_DELEGATED = (
    _OWN.add_columns(
        Delegation.valid_from,
        Delegation.valid_until,
        Delegation.revoked_at,
        _Consumer.suspended_at.label("consumer_suspended_at"),
    )
    .join(Delegation, Delegation.id == bindparam("delegation_id"))
    .join(_Consumer, _Consumer.code == Delegation.consumer)
)


@dataclass(frozen=True, slots=True)
class Ended:
    """A token counts no more.

    Args:
        because: which fact ended it, for the token debugger.
    """

    reason: Reason
    because: str


class Standing:
    """Looks up what may have changed since a token was issued."""

    def __init__(self, database: Database, memory: RegisterMemory, clock: Clock) -> None:
        self._database = database
        self._memory = memory
        self._clock = clock

    def of(self, token: AccessToken, register: RegisterView | None = None) -> Ended | None:
        """Give the reason why a token counts no more; None while it counts.

        Args:
            token: a token of ours.
            register: the register as this call sees it; looked at anew where none is given.

        Raises:
            StoreUnavailableError: it cannot be known; the token must not be taken.
        """
        if not token.is_in_time(self._clock().timestamp()):
            return Ended(Reason.TOKEN_EXPIRED, "its time is over or has not begun")
        return self.ended(token, register)

    def ended(self, token: AccessToken, register: RegisterView | None = None) -> Ended | None:
        """Do so whatever the token's own time says."""
        question = ("standing", token.jti, token.client_id, token.delegation_id)
        row = (register or self._memory.view()).of(question, lambda: self._read(token))
        because = "the client or the delegation is gone" if row is None else self._because(row, token)
        return None if because is None else Ended(Reason.TOKEN_REVOKED, because)

    def _read(self, token: AccessToken) -> Any:
        values = {"jti": token.jti, "client_id": token.client_id}
        with self._database.read_connection() as connection:
            if token.delegation_id is None:
                row = connection.execute(_OWN, values).one_or_none()
            else:
                row = connection.execute(_DELEGATED, {**values, "delegation_id": token.delegation_id}).one_or_none()
        # Looked at with every call: a row of the toolkit finds its columns ten times as slowly.
        return None if row is None else SimpleNamespace(**row._asdict())

    def _because(self, row: Any, token: AccessToken) -> str | None:  # noqa: PLR0911  (each fact is a return)
        if row.is_revoked:
            return "the token was revoked"
        if row.suspended_at is not None:
            return "the client is suspended"
        if row.agency_suspended_at is not None:
            return "the agency is suspended"
        if row.not_before is not None and token.claims["iat"] < row.not_before.timestamp():
            return "a key or right of the client ended after the token was issued"
        if token.delegation_id is None:
            return None
        if row.revoked_at is not None or not row.valid_from <= self._clock() < row.valid_until:
            return "the delegation ended"
        return "the consumer is suspended" if row.consumer_suspended_at is not None else None


_DENY = {
    dialect: insert(RevokedToken).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    for dialect, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}


def deny(connection: Connection, token: AccessToken, now: datetime) -> bool:
    """Put a token on the denylist, by its `jti`. Returns False where it stands there already."""
    row = {"jti": token.jti, "client_id": token.client_id, "revoked_at": now, "exp": int(token.claims["exp"])}
    return connection.execute(_DENY[connection.dialect.name], row).rowcount == 1


def sweep(database: Database, now: datetime) -> int:
    """Forget revoked tokens that have ended by themselves a day ago. Returns how many."""
    yesterday = int((now.astimezone(UTC) - timedelta(days=1)).timestamp())
    with database.write_connection() as connection:
        return connection.execute(delete(RevokedToken).where(RevokedToken.exp < yesterday)).rowcount
