"""Clients as the authorization server sees them: their keys, state and scopes, read afresh for every request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin
from sqlalchemy import bindparam, func, select

from gateway.agencies.models import Agency, Client, ClientKey
from gateway.agencies.names import CLIENT_ID
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
    last_used_at: datetime | None

    def is_in_time(self, now: datetime) -> bool:
        return self.valid_from <= now < self.valid_until


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
        ClientKey.id.label("key_id"),
        ClientKey.kid,
        ClientKey.jwk,
        ClientKey.valid_from,
        ClientKey.valid_until,
        func.coalesce(ClientKey.revoked_at, ClientKey.suspended_at).label("revoked_at"),
        ClientKey.last_used_at,
    )
    .join(Agency, Agency.code == Client.agency_code)
    .join(ClientKey, ClientKey.client_id == Client.id, isouter=True)
    .where(Client.id == bindparam("client_id"))
)


class ClientRegister:
    """Reads clients; nothing but imported keys is remembered between requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, client_id: str) -> RegisteredClient | None:
        if not CLIENT_ID.fullmatch(client_id):
            return None  # and no stranger's text reaches the database: PostgreSQL raises on a zero byte
        with self._database.read_connection() as connection:
            rows = connection.execute(_FIND, {"client_id": client_id}).all()
        if not rows:
            return None
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
            keys=tuple(_key(row) for row in rows if row.key_id is not None),
        )


def _key(row: Any) -> RegisteredKey:
    return RegisteredKey(
        id=row.key_id,
        kid=row.kid,
        public=imported(row.jwk),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
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
