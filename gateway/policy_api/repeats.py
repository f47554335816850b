"""`Idempotency-Key` (IETF draft of the HTTPAPI group): what creates something is done once, however often sent."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import Fault, InvalidInputError
from gateway.policy_api.models import RepeatedCall

KEPT: Final = timedelta(days=1)
LASTS: Final = timedelta(minutes=2)
"""After which a call without an answer counts as lost: its process has died."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that can be given again."""

    status: int
    body: str
    etag: str | None
    is_replayed: bool = False


class Repeats:
    """Remembers for a day what was answered; what was refused is not remembered and runs again."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def once(self, actor: str, key: str, request: bytes, act: Callable[[], Kept]) -> Kept:
        """Do something, unless this caller did it under this key before: then give that answer again.

        Args:
            actor: who calls; keys of different callers have nothing to do with each other.
            key: as the caller chose it.
            request: method, address and body.
            act: does it, and makes the answer.

        Raises:
            InvalidInputError: the key was used for another request, or the first call is running.
        """
        digest = hashlib.sha256(request).digest()
        known = self._begin(actor, key, digest)
        if known is not None:
            return known
        this = (RepeatedCall.actor == actor, RepeatedCall.key == key)
        try:
            made = act()
        except BaseException:
            with self._database.write() as session:
                session.execute(delete(RepeatedCall).where(*this))
            raise
        with self._database.write() as session:
            session.execute(
                update(RepeatedCall).where(*this).values(status=made.status, body=made.body, etag=made.etag)
            )
        return made

    def _begin(self, actor: str, key: str, digest: bytes) -> Kept | None:
        now = self._clock()
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        row = insert(RepeatedCall).values(actor=actor, key=key, request_sha256=digest, at=now)
        is_lost = RepeatedCall.status.is_(None) & (RepeatedCall.at < now - LASTS)
        with self._database.write() as session:
            session.execute(delete(RepeatedCall).where((RepeatedCall.at < now - KEPT) | is_lost))
            inserted = session.execute(row.on_conflict_do_nothing().returning(RepeatedCall.key)).first()
            if inserted is not None:
                return None
            known = session.get_one(RepeatedCall, (actor, key))
        if known.request_sha256 != digest:
            fault = Fault("", "key-reused", "this Idempotency-Key was used for another request: make a new one")
            raise InvalidInputError([fault])
        if known.status is None or known.body is None:
            raise InvalidInputError([Fault("", "running", "the first call is being answered")], slug="in-flight")
        return Kept(known.status, known.body, known.etag, is_replayed=True)
