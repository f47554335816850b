"""Clients as the authorization server sees them: their keys, state and scopes, as they are at each request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin
from sqlalchemy import and_, bindparam, func, select

from gateway.agencies.key_sets import KEPT, KeySets
from gateway.agencies.models import Agency, Client, ClientKey, ClientKeySet
from gateway.agencies.names import CLIENT_ID
from gateway.agencies.register import RegisterMemory, RegisterView
from gateway.clock import Clock
from gateway.db.engine import Database
from gateway.oauth.jose import KEY_ALGS
from ipx.keys import PublicKey, public_key

GRANTS = frozenset({"client_credentials"})


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """A public key of a client, live or not."""

    id: int
    kid: str
    public: PublicKey
    valid_from: datetime
    valid_until: datetime
    revoked_at: datetime | None
    listed_as: str | None
    is_fetched: bool
    confirmed_until: datetime | None
    """Of a key from the client's key set: until when it counts without the set being read again."""

    def is_in_time(self, now: datetime) -> bool:
        return self.valid_from <= now < self.valid_until

    def is_lost(self, now: datetime) -> bool:
        """Whether its set could not be read for so long that the key may have ended without our knowing."""
        return self.is_fetched and (self.confirmed_until is None or now >= self.confirmed_until)


@dataclass(frozen=True, slots=True)
class KeySetState:
    """A client publishes its keys at an address of its own."""

    fresh_until: datetime | None

    def is_fresh(self, now: datetime) -> bool:
        return self.fresh_until is not None and now < self.fresh_until


@dataclass(frozen=True)
class RegisteredClient(ClientMixin):  # type: ignore[misc]  # Authlib is untyped
    """A client and what its agency was granted, at one instant."""

    id: str
    agency: str
    is_suspended: bool
    agency_is_suspended: bool
    not_before: datetime | None
    scopes: frozenset[str]
    agency_scopes: frozenset[str]
    agency_purposes: frozenset[str]
    keys: Sequence[RegisteredKey] = field(repr=False)
    key_set: KeySetState | None = None
    """Absent where the client publishes no keys at an address of its own."""

    def key_named(self, kid: str, alg: str) -> RegisteredKey | None:
        """Find a key by its thumbprint, or by the one name under which the client's key set lists it.

        Of several keys that had the name, the one that the set lists now counts.
        """
        exact = next((key for key in self.keys if key.kid == kid), None)
        if exact is not None:
            return exact
        named = [key for key in self.keys if key.listed_as == kid and key.public.alg == alg]
        return max(named, key=lambda key: (key.valid_until, key.id), default=None)

    def may(self, right: str) -> bool:
        """Whether a scope is on the client and granted to its agency."""
        return right in self.scopes and right in self.agency_scopes

    def get_client_id(self) -> str:
        return self.id

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Authlib asks this; which methods an endpoint takes is said by the endpoint."""
        del endpoint
        return method in {"private_key_jwt", "tls_client_auth"}

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in GRANTS


_KEY_COLUMNS = (
    ClientKey.id.label("key_id"),
    ClientKey.kid,
    ClientKey.jwk,
    ClientKey.valid_from,
    ClientKey.valid_until,
    func.coalesce(ClientKey.revoked_at, ClientKey.suspended_at).label("revoked_at"),
    ClientKey.listed_as,
    ClientKey.is_fetched,
    ClientKeySet.client_id.label("key_set"),
    ClientKeySet.fetched_at,
    ClientKeySet.fresh_until,
)
_FIND = (
    select(
        Client.id,
        Client.agency_code,
        Client.suspended_at,
        Client.not_before,
        Client.scopes,
        Agency.suspended_at.label("agency_suspended_at"),
        Agency.scopes.label("agency_scopes"),
        Agency.purposes,
        *_KEY_COLUMNS,
    )
    .join(Agency, Agency.code == Client.agency_code)
    .join(ClientKey, ClientKey.client_id == Client.id, isouter=True)
    .join(ClientKeySet, ClientKeySet.client_id == Client.id, isouter=True)
    .where(Client.id == bindparam("client_id"))
)
_FIND_KEY = (
    select(*_KEY_COLUMNS)
    .select_from(Client)
    .join(ClientKey, and_(ClientKey.client_id == Client.id, ClientKey.kid == bindparam("kid")), isouter=True)
    .join(ClientKeySet, ClientKeySet.client_id == Client.id, isouter=True)
    .where(Client.id == bindparam("client_id"))
)


class ClientRegister:
    """Reads clients and their keys; what is remembered between requests ends with any change of the register.

    Keys that a client publishes are looked at again when they are no longer fresh, or lack the one asked for.
    """

    def __init__(self, database: Database, memory: RegisterMemory, key_sets: KeySets, clock: Clock) -> None:
        self._database = database
        self._memory = memory
        self._key_sets = key_sets
        self._clock = clock

    def find(self, client_id: str) -> RegisteredClient | None:
        if not CLIENT_ID.fullmatch(client_id):
            return None  # and no stranger's text reaches the database: PostgreSQL raises on a zero byte
        return self._memory.view().of(("client", client_id), lambda: self._read(client_id))

    def _read(self, client_id: str) -> RegisteredClient | None:
        with self._database.read_connection() as connection:
            rows = connection.execute(_FIND, {"client_id": client_id}).all()
        return _client(rows) if rows else None

    def find_for_key(self, client_id: str, kid: str | None, alg: str) -> RegisteredClient | None:
        """Find a client to check a signature of its.

        Args:
            client_id: whom the signed text names.
            kid: the name of the key in that text, where there is one.
            alg: its algorithm.
        """
        client = self.find(client_id)
        if client is None or client.key_set is None:
            return client
        is_known = bool(client.keys) if kid is None else client.key_named(kid, alg) is not None
        return self.find(client_id) if self._is_renewed(client_id, client.key_set, is_known=is_known) else client

    def find_key(self, client_id: str, kid: str, register: RegisterView) -> RegisteredKey | None:
        """Find a key of a client that is known to exist, by the key's thumbprint, as this call sees the register."""
        key, key_set = self._key(client_id, kid, register)
        if key_set is not None and self._is_renewed(client_id, key_set, is_known=key is not None):
            key, _ = self._key(client_id, kid, self._memory.view())
        return key

    def _is_renewed(self, client_id: str, key_set: KeySetState, *, is_known: bool) -> bool:
        return not (is_known and key_set.is_fresh(self._clock())) and self._key_sets.refresh(client_id)

    def _key(self, client_id: str, kid: str, register: RegisterView) -> tuple[RegisteredKey | None, KeySetState | None]:
        return register.of(("key", client_id, kid), lambda: self._read_key(client_id, kid))

    def _read_key(self, client_id: str, kid: str) -> tuple[RegisteredKey | None, KeySetState | None]:
        with self._database.read_connection() as connection:
            row = connection.execute(_FIND_KEY, {"client_id": client_id, "kid": kid}).one_or_none()
        return (None, None) if row is None else (_registered(row), _key_set(row))


def _client(rows: Sequence[Any]) -> RegisteredClient:
    first = rows[0]
    return RegisteredClient(
        id=first.id,
        agency=first.agency_code,
        is_suspended=first.suspended_at is not None,
        agency_is_suspended=first.agency_suspended_at is not None,
        not_before=first.not_before,
        scopes=frozenset(first.scopes),
        agency_scopes=frozenset(first.agency_scopes),
        agency_purposes=frozenset(first.purposes),
        keys=tuple(key for key in map(_registered, rows) if key is not None),
        key_set=_key_set(first),
    )


def _key_set(row: Any) -> KeySetState | None:
    return KeySetState(row.fresh_until) if row.key_set is not None else None


def _registered(row: Any) -> RegisteredKey | None:
    if row.key_id is None:
        return None
    return RegisteredKey(
        id=row.key_id,
        kid=row.kid,
        public=imported(row.jwk),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        revoked_at=row.revoked_at,
        listed_as=row.listed_as,
        is_fetched=row.is_fetched,
        confirmed_until=row.fetched_at + KEPT if row.fetched_at is not None else None,
    )


def imported(jwk: Mapping[str, Any]) -> PublicKey:
    """Take a registered key in; remembered by its members, since that costs as much as a signature check.

    Only the members that make the key count: a registered `alg` of `Ed25519` must not refuse who signs `EdDSA`.
    """
    return _import(tuple(sorted((name, jwk[name]) for name in _KEY_MEMBERS & jwk.keys())))


_KEY_MEMBERS = frozenset({"kty", "crv", "x", "y", "n", "e"})


@lru_cache(maxsize=4096)
def _import(members: tuple[tuple[str, str], ...]) -> PublicKey:
    return public_key(dict(members), algorithms=KEY_ALGS)
