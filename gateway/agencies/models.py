"""Agencies, their client systems, those systems' public keys, and the sources they hold."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Integer, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from gateway.db.base import Base, UtcDateTime
from gateway.db.stamped import stamp_changes

AGENCY_KINDS = (
    "ip_office",
    "customs",
    "court",
    "regulator",
    "arbitration",
    "copyright_office",
    "association",
    "foreign_office",
    "public",
)


class RegisterStamp(Base):
    """One row, renewed by the database with every change of what decides on calls; written by nobody else."""

    __tablename__ = "register_stamp"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stamp: Mapped[str] = mapped_column(String(36))


class Agency(Base):
    __tablename__ = "agency"

    code: Mapped[str] = mapped_column(String(63), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(Text)
    jurisdictions: Mapped[list[str]] = mapped_column(JSON)
    scopes: Mapped[list[str]] = mapped_column(JSON, default=list)
    purposes: Mapped[list[str]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    suspended_reason: Mapped[str | None] = mapped_column(Text)


class Client(Base):
    """A registered system of an agency. Its id is `<agency code>.<system>`: no person's id can look like it."""

    __tablename__ = "client"

    id: Mapped[str] = mapped_column(String(127), primary_key=True)
    agency_code: Mapped[str] = mapped_column(ForeignKey("agency.code"), index=True)
    name: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    suspended_reason: Mapped[str | None] = mapped_column(Text)
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Tokens issued before this instant are refused (set when a client is suspended or a key revoked)."""


class ClientKey(Base):
    __tablename__ = "client_key"
    __table_args__ = (UniqueConstraint("client_id", "kid"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("client.id"), index=True)
    kid: Mapped[str] = mapped_column(String(128))
    alg: Mapped[str] = mapped_column(String(16))
    """`Ed25519`, `ES256` or `PS256`."""
    jwk: Mapped[dict[str, Any]] = mapped_column(JSON)
    valid_from: Mapped[datetime] = mapped_column(UtcDateTime)
    valid_until: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_reason: Mapped[str | None] = mapped_column(Text)
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    suspended_reason: Mapped[str | None] = mapped_column(Text)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_fetched: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Taken from the client's key set, and ended when the set no longer lists it; else it was registered here."""
    listed_as: Mapped[str | None] = mapped_column(String(128))
    """The `kid` under which the client's key set lists it, where that is not the thumbprint."""
    warned_days: Mapped[int | None] = mapped_column(Integer)
    """The last threshold, in days before its end, of which a warning was written."""


class ClientKeySet(Base):
    """The address where a client publishes its keys (`jwks_uri`, RFC 7591), and when it was last asked."""

    __tablename__ = "client_key_set"

    client_id: Mapped[str] = mapped_column(ForeignKey("client.id"), primary_key=True)
    uri: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the last attempt began, whatever came of it: there is at most one a minute, by all workers together."""
    fetched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    fresh_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str | None] = mapped_column(Text)
    """Why the last attempt brought nothing, in our own words; absent after a success."""


class Source(Base):
    """One holder's data set behind a connector, as its source file says."""

    __tablename__ = "source"
    __table_args__ = (UniqueConstraint("holder", "record_type"),)

    name: Mapped[str] = mapped_column(String(127), primary_key=True)
    holder: Mapped[str] = mapped_column(ForeignKey("agency.code"), index=True)
    record_type: Mapped[str] = mapped_column(String(63))
    text: Mapped[str] = mapped_column(Text)
    """The source file as written (YAML); secrets in it are references."""
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    suspended_reason: Mapped[str | None] = mapped_column(Text)


class Quota(Base):
    """How much an agency or a client may ask for; absent limits are none."""

    __tablename__ = "quota"

    subject: Mapped[str] = mapped_column(String(127), primary_key=True)
    """The agency's code or the client's id, which has a dot."""
    per_minute: Mapped[int | None] = mapped_column(Integer)
    per_day: Mapped[int | None] = mapped_column(Integer)
    query_records: Mapped[int | None] = mapped_column(Integer)


class QuotaUse(Base):
    """How many exchanges a subject asked for in its newest minute or day; earlier ones are not kept."""

    __tablename__ = "quota_use"

    subject: Mapped[str] = mapped_column(String(127), primary_key=True)
    unit: Mapped[str] = mapped_column(String(8), primary_key=True)
    """`minute` or `day`."""
    period: Mapped[int] = mapped_column(Integer)
    """Which one, counted since 1970."""
    used: Mapped[int] = mapped_column(Integer)


STAMPED: dict[str, tuple[str, ...]] = {
    "agency": (),
    "client": (),
    "client_key": (
        "kid",
        "jwk",
        "valid_from",
        "valid_until",
        "revoked_at",
        "suspended_at",
        "is_fetched",
        "listed_as",
    ),
    "client_key_set": ("uri", "fetched_at", "fresh_until"),
    "source": (),
    "quota": (),
}
"""Tables of this slice whose changes renew the stamp; of some only the columns that decide on a call."""

for _table, _columns in STAMPED.items():
    stamp_changes(Base.metadata.tables[_table], _columns)
