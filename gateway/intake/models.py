"""Tables of pushed records, of quarantined ones, and of how far each source was followed."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gateway.db.base import Base, UtcDateTime


class PushedRecord(Base):
    """The newest version of a record that its holder signed and handed over; encrypted, for its fields are not ours."""

    __tablename__ = "pushed_record"
    __table_args__ = (UniqueConstraint("source", "number"),)

    source: Mapped[str] = mapped_column(ForeignKey("source.name"), primary_key=True)
    key_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """HMAC of the record's key: a docket number is itself information."""
    number: Mapped[int] = mapped_column(BigInteger)
    as_of: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    """Of the token: the same one again is no new version."""
    content: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256 of what it says, whoever signed it and when."""
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class DeliveredRecord(Base):
    """The newest version of a record that came by a queue, or what came without a key to file it under; encrypted."""

    __tablename__ = "delivered_record"
    __table_args__ = (UniqueConstraint("source", "number"),)

    source: Mapped[str] = mapped_column(ForeignKey("source.name"), primary_key=True)
    place: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """HMAC of the record's key, or of the bytes that have none."""
    number: Mapped[int] = mapped_column(BigInteger)
    has_key: Mapped[bool] = mapped_column(Boolean)
    """False: let go once it was quarantined."""
    revised: Mapped[datetime | None] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class QuarantinedRecord(Base):
    """A record that is kept with all its reasons, and never served. Key, place and bytes are encrypted together."""

    __tablename__ = "quarantined_record"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    source: Mapped[str] = mapped_column(String(127), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    """HMAC of source, key, place and bytes: the same record again is counted, not kept twice."""
    source_sha256: Mapped[str] = mapped_column(String(64))
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """Field, reason, where, detail; no values of the record."""
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    times: Mapped[int] = mapped_column(Integer, default=1)
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended: Mapped[str | None] = mapped_column(String(16))
    """`mapped`, `absent` or `replaced`, once an operator drove it through again."""


class SourceRun(Base):
    """How far a source was followed, and what its last run brought."""

    __tablename__ = "source_run"

    source: Mapped[str] = mapped_column(ForeignKey("source.name"), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the source file: another mapping begins from the beginning."""
    watermark: Mapped[str | None] = mapped_column(Text)
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    succeeded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str | None] = mapped_column(String(32))
    mapped: Mapped[int] = mapped_column(Integer, default=0)
    quarantined: Mapped[int] = mapped_column(Integer, default=0)
    deleted: Mapped[int] = mapped_column(Integer, default=0)
    newest_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The latest revision that any run saw; how far behind the source is."""
    failures: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """Runs that failed since the last one that did not: the next one waits longer each time."""
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    claimed_by: Mapped[str | None] = mapped_column(String(36))
    """The run that reads it now; one at a time, whichever process it is in."""
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
