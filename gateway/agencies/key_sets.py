"""Keys that clients publish at an address of their own (`jwks_uri`), kept as rows beside those registered here.

So authentication, signed requests and the trust list see one table. A key that the set lists no more ends, at the
instant at which that was seen; a key that was revoked here stays revoked, whatever the set says.
"""

from collections.abc import Container, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

import structlog
from sqlalchemy import CursorResult, or_, select, update
from sqlalchemy.orm import Session

from gateway.agencies.client_keys import LIFETIME, LIVE_KEYS_MAX
from gateway.agencies.key_set_fetch import Fetch
from gateway.agencies.key_set_text import ListedKey, Unusable, read_key_set, require_key_set_uri
from gateway.agencies.models import Client, ClientKey, ClientKeySet
from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import UnknownError

ASKED_AGAIN: Final = timedelta(seconds=60)
"""However often an unknown `kid` comes: a stranger must not make us call anybody more often."""
FRESH_AT_LEAST: Final = timedelta(seconds=60)
FRESH_AT_MOST: Final = timedelta(seconds=1140)
FRESH_UNLESS_SAID: Final = timedelta(seconds=300)
KEPT: Final = timedelta(seconds=1200)
"""How long keys count after they were last seen. Longer than they are fresh, so that there is time to look again."""
SETS_A_ROUND: Final = 3

log = structlog.get_logger(__name__)


class KeySets:
    def __init__(self, database: Database, audit: AuditTrail, clock: Clock, fetch: Fetch) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._fetch = fetch

    def of(self, client_id: str) -> ClientKeySet | None:
        with self._database.read() as session:
            return session.get(ClientKeySet, client_id)

    def publish_at(self, client_id: str, uri: str, *, actor: str) -> None:
        """Let a client publish its keys at an address, or at another one than before.

        Raises:
            InvalidInputError: the address is not one of https.
            UnknownError: there is no such client.
        """
        require_key_set_uri(uri)
        with self._database.write() as session:
            _client(session, client_id)
            row = session.get(ClientKeySet, client_id)
            if row is None:
                session.add(ClientKeySet(client_id=client_id, uri=uri))
            elif row.uri == uri:
                return
            else:
                row.uri, row.asked_at, row.fetched_at, row.fresh_until, row.problem = uri, None, None, None, None
            session.flush()
            self._audit.record(session, actor, "client.key_set", client_id, {"jwks_uri": uri})

    def forget(self, client_id: str, *, actor: str) -> None:
        """Take no more keys from the client's address; those taken end at once, with the tokens they obtained."""
        now = self._clock()
        with self._database.write() as session:
            client = _client(session, client_id)
            row = session.get(ClientKeySet, client_id)
            if row is None:
                return
            session.delete(row)
            client.not_before = now
            ended = self._end(session, client_id, [], now)
            session.flush()
            self._audit.record(session, actor, "client.key_set", client_id, {"jwks_uri": None, "ended": ended})

    def refresh(self, client_id: str) -> bool:
        """Look at a client's set again, unless somebody did within the last minute.

        No transaction is open while the client's server takes its time.

        Returns:
            Whether the set was read, so that the rows may be others now.
        """
        uri = self._claimed(client_id)
        if uri is None:
            return False
        unusable = self._look(client_id, uri)
        if unusable is not None:
            self._note(client_id, uri, unusable.words)
        return unusable is None

    def refresh_due(self) -> int:
        """Look at sets that are no longer fresh, a few a round, so that callers seldom wait. Gives how many came."""
        now = self._clock()
        due = (
            select(ClientKeySet.client_id)
            .where(or_(ClientKeySet.fresh_until.is_(None), ClientKeySet.fresh_until <= now), _may_ask(now))
            .order_by(ClientKeySet.asked_at)
            .limit(SETS_A_ROUND)
        )
        with self._database.read_connection() as connection:
            names = connection.scalars(due).all()
        return sum(self.refresh(name) for name in names)

    def _claimed(self, client_id: str) -> str | None:
        """Take the turn to ask; None where there is nothing to ask, or the turn is another's."""
        now = self._clock()
        turn = update(ClientKeySet).where(ClientKeySet.client_id == client_id, _may_ask(now)).values(asked_at=now)
        with self._database.write_connection() as connection:
            if connection.execute(turn).rowcount != 1:
                return None
            return connection.scalar(select(ClientKeySet.uri).where(ClientKeySet.client_id == client_id))

    def _look(self, client_id: str, uri: str) -> Unusable | None:
        fetched = self._fetch(uri)
        if isinstance(fetched, Unusable):
            return fetched
        listed = read_key_set(fetched.body)
        if isinstance(listed, Unusable):
            return listed
        return self._take(client_id, uri, listed, _fresh_for(fetched.max_age_seconds))

    def _take(self, client_id: str, uri: str, listed: Sequence[ListedKey], fresh: timedelta) -> Unusable | None:
        now = self._clock()
        with self._database.write() as session:
            row = session.get(ClientKeySet, client_id)
            if row is None or row.uri != uri:
                return None  # it was changed meanwhile; the next caller asks the new address
            own = {key.kid: key for key in session.scalars(select(ClientKey).where(ClientKey.client_id == client_id))}
            wanted = {key.public.kid: key for key in listed}
            if _is_taken_elsewhere(session, client_id, wanted):
                return Unusable("a key of the set is registered for another client")
            registered = sum(_is_live(key, now) and not key.is_fetched for key in own.values())
            if (
                registered + len(wanted.keys() - {kid for kid, key in own.items() if not key.is_fetched})
                > LIVE_KEYS_MAX
            ):
                return Unusable(f"with the keys registered here these would be more than {LIVE_KEYS_MAX}")
            row.fetched_at, row.fresh_until, row.problem = now, now + fresh, None
            added = [self._add(session, client_id, key, now) for kid, key in wanted.items() if kid not in own]
            added += [key.kid for key in own.values() if key.kid in wanted and _came_back(key, now)]
            for kid, key in wanted.items():
                if kid in own and own[kid].is_fetched:
                    own[kid].listed_as = key.listed_as
            ended = self._end(session, client_id, wanted, now)
            session.flush()
            if added or ended:
                detail = {"added": sorted(added), "ended": ended}
                self._audit.record(session, "gateway", "client_key.fetched", client_id, detail)
        return None

    @staticmethod
    def _add(session: Session, client_id: str, key: ListedKey, now: datetime) -> str:
        session.add(
            ClientKey(
                client_id=client_id,
                kid=key.public.kid,
                alg=key.public.alg,
                jwk=dict(key.public.jwk),
                valid_from=now,
                valid_until=now + LIFETIME,
                is_fetched=True,
                listed_as=key.listed_as,
            )
        )
        return key.public.kid

    @staticmethod
    def _end(session: Session, client_id: str, listed: Container[str], now: datetime) -> list[str]:
        taken = select(ClientKey).where(ClientKey.client_id == client_id, ClientKey.is_fetched)
        gone = [key for key in session.scalars(taken) if key.kid not in listed and key.valid_until > now]
        for key in gone:
            key.valid_until = now
        return sorted(key.kid for key in gone)

    def _note(self, client_id: str, uri: str, words: str) -> None:
        """Keep why nothing came, for whoever looks at the client; a log line where the reason is a new one."""
        changed = (
            update(ClientKeySet)
            .where(
                ClientKeySet.client_id == client_id,
                ClientKeySet.uri == uri,
                or_(ClientKeySet.problem.is_(None), ClientKeySet.problem != words),
            )
            .values(problem=words)
        )
        with self._database.write() as session:
            is_new = cast("CursorResult[Any]", session.execute(changed)).rowcount == 1
        if is_new:
            log.warning("key set not taken", client=client_id, reason=words)


def _may_ask(now: datetime) -> Any:
    return or_(ClientKeySet.asked_at.is_(None), ClientKeySet.asked_at <= now - ASKED_AGAIN)


def _fresh_for(max_age_seconds: int | None) -> timedelta:
    if max_age_seconds is None:
        return FRESH_UNLESS_SAID
    return min(max(timedelta(seconds=max_age_seconds), FRESH_AT_LEAST), FRESH_AT_MOST)


def _client(session: Session, client_id: str) -> Client:
    client = session.get(Client, client_id)
    if client is None:
        raise UnknownError(f"there is no client {client_id}; `ipx-gateway client list` shows those that exist")
    return client


def _is_taken_elsewhere(session: Session, client_id: str, wanted: dict[str, ListedKey]) -> bool:
    """A signature must tell one client from another, so no two share a key."""
    other = select(ClientKey.id).where(ClientKey.kid.in_(wanted), ClientKey.client_id != client_id).limit(1)
    return session.scalar(other) is not None


def _is_live(key: ClientKey, now: datetime) -> bool:
    return key.revoked_at is None and key.valid_until > now


def _came_back(key: ClientKey, now: datetime) -> bool:
    """Let a fetched key count again that the set had dropped; never past a year from when it was first seen."""
    if not key.is_fetched or key.revoked_at is not None or key.valid_until > now or key.valid_from + LIFETIME <= now:
        return False
    key.valid_until = key.valid_from + LIFETIME
    return True
