"""What auditors search by beside the exchange's own row; written behind the exchanges, by the indexer."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.db.base import Base, UtcDateTime

UNCOUNTED = text("state IS NULL")
"""Of what is noted of an exchange: it is not among the counts of its day."""


class ExchangeSearch(Base):
    """What stands in an exchange's signed request, its receipt and its snapshot, as far as auditors filter by it."""

    __tablename__ = "exchange_search"
    __table_args__ = (
        Index("ix_exchange_search_uncounted", "exchange_id", sqlite_where=UNCOUNTED, postgresql_where=UNCOUNTED),
    )

    exchange_id: Mapped[str] = mapped_column(ForeignKey("exchange.id"), primary_key=True)
    log_index: Mapped[int] = mapped_column(BigInteger, index=True)
    """Of the leaf up to which this row is right; the newest of all says how far the index reaches."""
    legal_basis: Mapped[str | None] = mapped_column(Text)
    """None where it was erased before it was indexed."""
    book: Mapped[str | None] = mapped_column(String(64), index=True)
    """Digest of the policies that decided, as the receipt names them."""
    withheld: Mapped[list[str]] = mapped_column(JSON)
    """Field groups that were asked for and not released."""
    person: Mapped[str | None] = mapped_column(String(127), index=True)
    """Who asked, as the requester's own system names them in its signed request; None: not said, or erased."""
    versions: Mapped[str | None] = mapped_column(String(32), index=True)
    """`exchange_versions.id` of the policy versions that the receipt names."""
    state: Mapped[str | None] = mapped_column(String(16))
    """In which `exchange_day` counts it; None: not counted yet, and its day is counted anew."""


class ExchangeDay(Base):
    """How many exchanges of one day (UTC, by when the request came) are noted that have all of this in common."""

    __tablename__ = "exchange_day"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    requester: Mapped[str] = mapped_column(String(63), primary_key=True)
    holder: Mapped[str] = mapped_column(String(63), primary_key=True)
    record_type: Mapped[str] = mapped_column(String(63), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(63), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), primary_key=True)
    versions: Mapped[str] = mapped_column(String(32), primary_key=True)
    """`exchange_versions.id`; empty where none is noted."""
    count: Mapped[int] = mapped_column(Integer)


class ExchangeVersions(Base):
    """Versions of policies that decided together, as receipts name them: few rows, each of many exchanges."""

    __tablename__ = "exchange_versions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """The first digits of the SHA-256 of what follows."""
    guardrail: Mapped[str] = mapped_column(String(80), index=True)
    """`<owner>@<8 digits>`; empty where the tier had none."""
    holder: Mapped[str] = mapped_column(String(80), index=True)
    egress: Mapped[str] = mapped_column(String(80), index=True)


class ExchangeRight(Base):
    """An IP right that the record of an exchange was about, by a keyed hash: found by who names it, told to nobody."""

    __tablename__ = "exchange_right"
    __table_args__ = (Index("ix_exchange_right_exchange_id", "exchange_id"),)

    right_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    exchange_id: Mapped[str] = mapped_column(ForeignKey("exchange.id"), primary_key=True)


class ExchangeParty(Base):
    """A party of a record that was released, by the keyed hash that policies know: who read what is about somebody."""

    __tablename__ = "exchange_party"
    __table_args__ = (Index("ix_exchange_party_exchange_id", "exchange_id"),)

    party: Mapped[str] = mapped_column(String(64), primary_key=True)
    """`gateway.records.facts.PartyKeys` of one of the party's numbers."""
    exchange_id: Mapped[str] = mapped_column(ForeignKey("exchange.id"), primary_key=True)
    is_sealed: Mapped[bool] = mapped_column(default=False)
    """The record was sealed then: not told to the person before a seal of the exchange has said until when."""


class ExchangeSeal(Base):
    """An order that the persons whom an exchange is about are not told of it before a date."""

    __tablename__ = "exchange_seal"

    exchange_id: Mapped[str] = mapped_column(ForeignKey("exchange.id"), primary_key=True)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    order: Mapped[str] = mapped_column("order_ref", String(255))
    """Whose order, by its number."""
    actor: Mapped[str] = mapped_column(String(191))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class SavedSearch(Base):
    """A filter under a name: for its owner alone, or for all auditors of one agency (or of the nation)."""

    __tablename__ = "saved_search"
    __table_args__ = (UniqueConstraint("owner", "name"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str] = mapped_column(String(191), index=True)
    """An actor, as audit entries name it."""
    agency: Mapped[str | None] = mapped_column(String(63))
    """Whose auditors share it; None: those of the whole nation."""
    is_shared: Mapped[bool] = mapped_column(default=False)
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(16))
    """Of which list: `exchanges decisions acts sign_ins recalls`."""
    query: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The parameters of the search, as its address has them."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Flag(Base):
    """Something odd of one day, to be looked at: a hint with its reason, never a verdict."""

    __tablename__ = "flag"
    __table_args__ = (
        UniqueConstraint("kind", "requester", "holder", "subject", "day"),
        Index("ix_flag_requester_id", "requester", "id"),
        Index("ix_flag_holder_id", "holder", "id"),
        Index("ix_flag_status_id", "status", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    requester: Mapped[str] = mapped_column(String(63))
    holder: Mapped[str] = mapped_column(String(63))
    """Empty where the oddity is not about one holder."""
    subject: Mapped[str] = mapped_column(String(127))
    """The system, purpose or person it is about; empty: the requester as a whole."""
    day: Mapped[date] = mapped_column(Date)
    """In UTC."""
    numbers: Mapped[dict[str, int]] = mapped_column(JSON)
    """What was counted, and what it was held against."""
    status: Mapped[str] = mapped_column(String(16))
    assignee: Mapped[str] = mapped_column(String(191))
    """An actor, as audit entries name it; empty: nobody."""
    note: Mapped[str] = mapped_column(Text)
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FlagDay(Base):
    """A day that was looked at to its end; the oldest one that is missing is the next."""

    __tablename__ = "flag_day"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
