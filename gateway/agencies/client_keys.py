"""Public keys of clients: added, shown, revoked. A client is known by these and by nothing else."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from gateway.agencies.models import Client, ClientKey
from gateway.audit.service import AuditTrail
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.errors import AlreadyExistsError, Fault, InvalidInputError, UnknownError
from ipx.errors import EvidenceError
from ipx.keys import Algorithm, public_key

LIVE_KEYS_MAX = 5
LIFETIME = timedelta(days=365)
CLIENT_ALGORITHMS: frozenset[Algorithm] = frozenset({"Ed25519", "ES256", "PS256"})
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class ClientKeys:
    def __init__(self, database: Database, audit: AuditTrail, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    def add(self, client_id: str, jwk: Mapping[str, Any], *, actor: str, lifetime: timedelta = LIFETIME) -> ClientKey:
        """Register a public key; its `kid` is its RFC 7638 thumbprint.

        A private member in `jwk` (RFC 7517) is refused: it should never have left its owner.

        Raises:
            InvalidInputError: not a key we take (P-256, Ed25519, RSA of 2048 to 4096 bits), or five live keys exist.
            AlreadyExistsError: the client or another one has this key, live or revoked.
        """
        leaked = PRIVATE_MEMBERS & jwk.keys()
        if leaked:
            raise InvalidInputError(
                [Fault("/jwk", "private_key", "a private key was given; make a new pair, send the public half")]
            )
        if not timedelta() < lifetime <= LIFETIME:
            raise InvalidInputError([Fault("/lifetime", "lifetime", "more than nothing, at most 365 days")])
        try:
            key = public_key(jwk, algorithms=CLIENT_ALGORITHMS)
        except EvidenceError as error:
            raise InvalidInputError([Fault("/jwk", "bad_key", str(error))]) from error
        kid = key.kid
        now = self._clock()
        with self._database.write() as session:
            if session.get(Client, client_id) is None:
                raise UnknownError(f"there is no client {client_id}; `ipx-gateway client list` shows those that exist")
            keys = list(session.scalars(select(ClientKey).where(ClientKey.client_id == client_id)))
            taken = session.scalar(select(ClientKey.client_id).where(ClientKey.kid == kid))
            if taken is not None:
                # A signature must tell one client from another, so no two share a key.
                raise AlreadyExistsError(f"key {kid} is registered" + (" already" if taken == client_id else ""))
            if sum(known.revoked_at is None and known.valid_until > now for known in keys) >= LIVE_KEYS_MAX:
                raise InvalidInputError(
                    [Fault("/jwk", "too_many_keys", f"{LIVE_KEYS_MAX} live keys exist; revoke one first")]
                )
            row = ClientKey(
                client_id=client_id,
                kid=kid,
                alg=key.alg,
                jwk=dict(key.jwk),
                valid_from=now,
                valid_until=now + lifetime,
            )
            session.add(row)
            session.flush()
            self._audit.record(session, actor, "client_key.added", client_id, {"kid": kid, "alg": key.alg})
        return row

    def keys(self, client_id: str | None = None) -> list[ClientKey]:
        """Keys in the order in which they end."""
        query = select(ClientKey).order_by(ClientKey.valid_until, ClientKey.id)
        if client_id is not None:
            query = query.where(ClientKey.client_id == client_id)
        with self._database.read() as session:
            return list(session.scalars(query))

    def revoke(self, client_id: str, kid: str, *, reason: str, actor: str) -> None:
        """End a key at once; tokens it obtained end with it."""
        now = self._clock()
        with self._database.write() as session:
            row = session.scalar(select(ClientKey).where(ClientKey.client_id == client_id, ClientKey.kid == kid))
            if row is None:
                raise UnknownError(f"client {client_id} has no key {kid}")
            if row.revoked_at is None:
                row.revoked_at = now
                row.revoked_reason = reason
                client = session.get_one(Client, client_id)
                client.not_before = now
                session.flush()
                self._audit.record(session, actor, "client_key.revoked", client_id, {"kid": kid, "reason": reason})

    def suspend(self, client_id: str, kid: str, *, reason: str, actor: str) -> None:
        """Stop taking a key, from the next call on, until it is resumed; tokens it obtained end."""
        self._set(client_id, kid, "client_key.suspended", reason, actor)

    def resume(self, client_id: str, kid: str, *, actor: str) -> None:
        self._set(client_id, kid, "client_key.resumed", None, actor)

    def _set(self, client_id: str, kid: str, act: str, reason: str | None, actor: str) -> None:
        now = self._clock()
        with self._database.write() as session:
            row = session.scalar(select(ClientKey).where(ClientKey.client_id == client_id, ClientKey.kid == kid))
            if row is None:
                raise UnknownError(f"client {client_id} has no key {kid}")
            if (row.suspended_at is None) == (reason is None):
                return
            row.suspended_at = now if reason is not None else None
            row.suspended_reason = reason
            if reason is not None:
                session.get_one(Client, client_id).not_before = now
            session.flush()
            self._audit.record(session, actor, act, client_id, {"kid": kid} | ({"reason": reason} if reason else {}))
