"""Filing a request: the committed row of an exchange, before anybody is asked."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Table, bindparam, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from gateway.db.group_commit import Joint, NotTogetherError
from gateway.db.prepared import Prepared, in_one_go
from gateway.evidence.class_keys import ClassKey, ClassKeys
from gateway.exchange.errors import JtiReusedError
from gateway.exchange.models import Exchange, ExchangePayload
from gateway.oauth.errors import AccessRefusedError, Reason
from gateway.oauth.replay import ReplayedError, SeenKey, consume, consume_together
from ipx.values import value

_EXCHANGE = cast("Table", Exchange.__table__)
_FILED = (
    "id",
    "client_id",
    "requester",
    "holder",
    "jti",
    "request_sha256",
    "record_type",
    "record_sha256",
    "purpose",
    "received_at",
    "deadline_at",
    "node",
    "state",
    "wrapped_key",
    "class_key",
    "case_hash",
    "acts_as",
)
"""Columns of a new row; the others are empty until it is closed."""

_INSERT_ONCE = Prepared(
    {
        dialect: insert_into(_EXCHANGE).values({name: bindparam(name) for name in _FILED}).on_conflict_do_nothing()
        for dialect, insert_into in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
    }
)
_FIND = Prepared(
    select(Exchange.id, Exchange.request_sha256, Exchange.state).where(
        Exchange.client_id == bindparam("client_id"), Exchange.jti == bindparam("jti")
    )
)
INSERT_PAYLOAD = Prepared(insert(cast("Table", ExchangePayload.__table__)))


class Known(NamedTuple):
    """An exchange that has the `jti` already."""

    id: str
    request_sha256: bytes
    state: str


class ClassKeyGoneError(Exception):
    """The retention class's key was destroyed between its being read and the filing; another one is made."""


def find(connection: Connection, client_id: str, jti: str) -> Known | None:
    row = _FIND.first(connection, {"client_id": client_id, "jti": jti})
    return None if row is None else Known(*row)


@value
class Filing(Joint[Known | None]):
    """One request to be filed, with the proofs that are used up with it. Gives the exchange that is there already."""

    class_keys: ClassKeys
    proofs: Sequence[SeenKey]
    """What `ReplayStore.use_up_ahead` left for the transaction."""
    require_fresh: Callable[[], None]
    """Raises where a request that was not filed before may not be filed now."""
    key: ClassKey
    row: Mapping[str, Any]
    sealed_request: bytes | bytearray

    def __call__(self, connection: Connection) -> Known | None:
        """File it, or find the exchange that was filed before under its `jti`.

        Raises:
            AccessRefusedError: a proof was used before.
            ClassKeyGoneError: file it again under another key.
            JtiReusedError: it can neither be filed nor found.
        """
        try:
            consume(connection, self.proofs, self.row["received_at"])
        except ReplayedError as error:
            raise AccessRefusedError(Reason.PROOF_REPLAY) from error
        known = self._find(connection)
        if known is None:
            self.require_fresh()
            if not self.class_keys.is_live(connection, self.key):
                raise ClassKeyGoneError
            if _INSERT_ONCE.run(connection, self.row) == 1:
                INSERT_PAYLOAD.run(connection, self.payload())
                return None
            known = self._find(connection)  # another worker filed the same `jti` at this very moment
            if known is None:
                raise JtiReusedError(f"jti {self.row['jti']} was used for another request")
        return known

    @classmethod
    def together(cls, connection: Connection, writes: "Sequence[Filing]") -> Sequence[Known | None]:
        """File requests none of which was filed before: otherwise none is."""
        for filing in writes:
            filing.require_fresh()
        proofs = [proof for filing in writes for proof in filing.proofs]
        rows = sorted((filing.row for filing in writes), key=lambda row: (row["client_id"], row["jti"]))
        try:
            with in_one_go(connection):
                are_used_up = consume_together(connection, proofs)
                are_live = writes[0].class_keys.are_live(connection, [filing.key for filing in writes])
                filed = _INSERT_ONCE.queue_at_once(connection, rows)
                INSERT_PAYLOAD.queue_at_once(connection, [filing.payload() for filing in writes])
        except IntegrityError as error:  # the payload of a request that was filed before has no row
            raise NotTogetherError from error
        if not (are_used_up() and are_live() and filed() == len(rows)):
            raise NotTogetherError
        return [None] * len(writes)

    def _find(self, connection: Connection) -> Known | None:
        return find(connection, self.row["client_id"], self.row["jti"])

    def payload(self) -> dict[str, Any]:
        """Give the row with the request as it was signed."""
        return {"exchange_id": self.row["id"], "name": "request", "ciphertext": self.sealed_request}
