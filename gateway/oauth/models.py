"""What the authorization server keeps: used identifiers, its own signing keys, revoked tokens, delegations."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.db.base import Base, UtcDateTime
from gateway.db.stamped import stamp_changes


class Seen(Base):
    """An identifier (`jti` of an assertion or a proof) that was used and must not be used again before `exp`."""

    __tablename__ = "seen"
    __table_args__ = ({"sqlite_with_rowid": False},)

    k: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    """SHA-256 of namespace, a zero byte and the identifier."""
    exp: Mapped[int] = mapped_column(BigInteger, index=True)
    """Seconds since 1970 after which the identifier would be refused for its age anyway."""


class TokenKey(Base):
    """A key that signs access tokens: pending → active → retiring → retired."""

    __tablename__ = "token_key"
    __table_args__ = (
        CheckConstraint("state in ('pending', 'active', 'retiring', 'retired')", name="state"),
        CheckConstraint("(state = 'active') = (active_slot is not null)", name="active_slot"),
    )

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    """RFC 7638 thumbprint."""
    alg: Mapped[str] = mapped_column(String(16))
    jwk: Mapped[dict[str, Any]] = mapped_column(JSON)
    wrapped: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The PKCS#8 private key under the key-encryption key; gone once the key is retired."""
    state: Mapped[str] = mapped_column(String(16), index=True)
    active_slot: Mapped[int | None] = mapped_column(Integer, unique=True)
    """1 on the active key and absent on all others: a second active key cannot be stored."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    activated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verifies_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Of a retiring key: when the last token it signed has ended, and clocks may differ."""
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RevokedToken(Base):
    """An access token that ended before its time, by its `jti`: the token's text has a second valid signature."""

    __tablename__ = "revoked_token"

    jti: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("client.id"), index=True)
    revoked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    exp: Mapped[int] = mapped_column(BigInteger, index=True)
    """Seconds since 1970; after it the row may be swept."""


class ClientCertificate(Base):
    """A certificate by which a client may authenticate: exactly one, or any of an issuer for a subject."""

    __tablename__ = "client_certificate"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("client.id"), index=True)
    thumbprint: Mapped[str | None] = mapped_column(String(64))
    """`x5t#S256` (RFC 8705); absent where issuer and subject decide."""
    issuer: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Delegation(Base):
    """A consumer lets a supplier use some of its scopes, once both have confirmed it, until one revokes it."""

    __tablename__ = "delegation"
    __table_args__ = (CheckConstraint("consumer <> supplier", name="two_agencies"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    consumer: Mapped[str] = mapped_column(ForeignKey("agency.code"), index=True)
    supplier: Mapped[str] = mapped_column(ForeignKey("agency.code"), index=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    valid_from: Mapped[datetime] = mapped_column(UtcDateTime)
    valid_until: Mapped[datetime] = mapped_column(UtcDateTime)
    consumer_confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    supplier_confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_by: Mapped[str | None] = mapped_column(String(191))
    revoked_reason: Mapped[str | None] = mapped_column(Text)


STAMPED = ("delegation", "revoked_token")
"""Tables of this slice whose changes renew the stamp of the register: each may end what a client may do."""

for _table in STAMPED:
    stamp_changes(Base.metadata.tables[_table])
