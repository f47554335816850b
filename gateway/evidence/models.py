"""Tables of the log, the keys kept for holders, and the published trust lists; the checkpoint store's own table."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.db.append_only import refusals, refuse_changes
from gateway.db.base import Base, UtcDateTime

_Position = BigInteger().with_variant(Integer(), "sqlite")
_COSIGNED, _STAMPED = text("cosigned IS NOT NULL"), text("tst IS NOT NULL")


class LogEntry(Base):
    """One leaf. `idx` is computed from the locked head, never by a sequence: those leave gaps and commit late."""

    __tablename__ = "log_entry"

    idx: Mapped[int] = mapped_column(_Position, primary_key=True, autoincrement=False)
    """Counts through all shards: a leaf's index in its own tree is `idx` less the shard's `first`."""
    step_id: Mapped[str] = mapped_column(Text, unique=True)
    """`exchange:<id>:pending`, `exchange:<id>:final`, `act:<id>`, `event:<id>`."""
    leaf_hash: Mapped[bytes] = mapped_column(LargeBinary)
    entry: Mapped[bytes] = mapped_column(LargeBinary)


class LogShard(Base):
    """One tree of the log: rotating the log's key ends one and begins the next."""

    __tablename__ = "log_shard"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    origin: Mapped[str] = mapped_column(String(255), unique=True)
    vkey: Mapped[str] = mapped_column(String(512))
    first: Mapped[int] = mapped_column(BigInteger)
    """`log_entry.idx` of its first leaf."""
    size: Mapped[int | None] = mapped_column(BigInteger)
    """With which it ended; empty while it grows."""
    root: Mapped[bytes | None] = mapped_column(LargeBinary)


class LogTile(Base):
    """A tile of 256 hashes (C2SP tlog-tiles); only the right edge is narrower, and only it is ever rewritten."""

    __tablename__ = "log_tile"

    shard: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    lvl: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(_Position, primary_key=True, autoincrement=False)
    w: Mapped[int] = mapped_column(Integer)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class LogHead(Base):
    """The head of the shard that grows; its one row is what every writer locks."""

    __tablename__ = "log_head"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    shard: Mapped[int] = mapped_column(Integer)
    size: Mapped[int] = mapped_column(BigInteger)
    root: Mapped[bytes] = mapped_column(LargeBinary)


class LogCheckpoint(Base):
    """A signed head, one for each commit of the log. It counts as published once the checkpoint store has seen it."""

    __tablename__ = "log_checkpoint"
    __table_args__ = (
        Index("ix_log_checkpoint_cosigned", "shard", "size", sqlite_where=_COSIGNED, postgresql_where=_COSIGNED),
        Index("ix_log_checkpoint_stamped", "shard", "size", sqlite_where=_STAMPED, postgresql_where=_STAMPED),
    )

    shard: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(_Position, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    cosigned: Mapped[str | None] = mapped_column(Text)
    """The note with the cosignatures of witnesses. It changes no more once it is stamped."""
    tst: Mapped[bytes | None] = mapped_column(LargeBinary)
    """An authority's reply over the bytes of `cosigned`, or of `note` where that is empty."""


class EvidenceDuty(Base):
    """Something that one process of many does at a time: whoever moves `next_at` on has the turn."""

    __tablename__ = "evidence_duty"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    """`cosign-<shard>` or `stamp-<shard>`."""
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    failure: Mapped[str | None] = mapped_column(Text)
    """Why the last turn achieved nothing; empty after one that did."""


class WitnessStanding(Base):
    """What one witness was asked and said last about one log."""

    __tablename__ = "witness_standing"

    vkey: Mapped[str] = mapped_column(String(512), primary_key=True)
    origin: Mapped[str] = mapped_column(String(255), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    """Of the last checkpoint that it cosigned, as far as is known here: the next proof begins there."""
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    failure: Mapped[str | None] = mapped_column(Text)
    contradiction: Mapped[str | None] = mapped_column(Text)
    """Why what it cosigned proves that this log was forked or set back; no exchange is taken while this stands."""


class WitnessedLog(Base):
    """A peer's log as this gateway, its witness, has cosigned it last."""

    __tablename__ = "witnessed_log"

    origin: Mapped[str] = mapped_column(String(255), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[str | None] = mapped_column(Text)
    """With the log's signatures and ours; empty until the first was cosigned."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class SigningKey(Base):
    """A key kept for a holder: its seal, the key that makes its record ids opaque, or its own public key."""

    __tablename__ = "signing_key"
    __table_args__ = (UniqueConstraint("role", "owner", "number"),)

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    """`seal` signs records here for a holder that cannot; `id` encrypts source keys; `holder` is the holder's own."""
    owner: Mapped[str] = mapped_column(String(63), index=True)
    number: Mapped[int] = mapped_column(Integer)
    """Counts an owner's keys of one role from 1, so that two processes cannot both make the first."""
    alg: Mapped[str] = mapped_column(String(16))
    public_jwk: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    wrapped_private: Mapped[bytes | None] = mapped_column(LargeBinary)
    valid_from: Mapped[datetime] = mapped_column(UtcDateTime)
    valid_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_reason: Mapped[str | None] = mapped_column(Text)


class RootKey(Base):
    """One row: the key under which everything else is wrapped, itself wrapped under the key-encryption key."""

    __tablename__ = "root_key"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)


class PayloadClassKey(Base):
    """A key that wraps the payload keys of one holder's exchanges of one retention class, filed in one month.

    Deleting the row erases all of them at once. Its table is left out of backups that are kept longer than the data.
    """

    __tablename__ = "payload_class_key"
    __table_args__ = (UniqueConstraint("holder", "retention_class", "month"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    holder: Mapped[str] = mapped_column(String(63))
    retention_class: Mapped[str] = mapped_column(String(63))
    """The record type that was asked for."""
    month: Mapped[str] = mapped_column(String(7))
    """`2026-11`, UTC."""
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TrustList(Base):
    __tablename__ = "trust_list"

    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    jws: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    """Hexadecimal, of the JWS's ASCII bytes."""
    signed_by: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Public key (JWK) of the signer, served for first-use pinning where the private half is kept offline."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


def ddl(dialect: str) -> list[str]:
    """Give what metadata cannot say: the log's entries are append-only."""
    return refusals(dialect, "log_entry", _UNIQUE)


_UNIQUE = ("idx", "step_id")
refuse_changes(cast("Table", LogEntry.__table__), _UNIQUE)

checkpoint_metadata = MetaData()
"""Of the checkpoint store: a separate database on another volume, never in the same backup as the log."""

checkpoint_cas = Table(
    "checkpoint_cas",
    checkpoint_metadata,
    Column("log_id", String(255), primary_key=True),
    Column("body", Text, nullable=False),
)
