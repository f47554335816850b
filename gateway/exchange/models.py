"""Exchanges: one row each, written before the holder is called and finished in the transaction of its log entry."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    TextClause,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.db.base import Base, UtcDateTime

RECEIVED = "received"
PENDING = "pending"
OPEN = (RECEIVED, PENDING)
"""States of an exchange that is not over."""
ANSWER_KEPT = text("state = 'released' AND answer_expired_at IS NULL AND erased_at IS NULL")
"""Of an exchange: fields that it handed over are still kept."""
IS_PENDING = text("state = 'pending'")
"""In these very words: SQLite takes an index of some rows only where a search says literally which they are."""
_LOGGED = text("log_index IS NOT NULL")
OUTCOMES = ("released", "denied", "pending", "failed", "withdrawn")


def _where(name: str, *columns: str, where: TextClause) -> Index:
    """Make an index of some of the rows, on both databases.

    What all of them have in common is its first column too where another index begins with it: else SQLite, which
    counts no rows, takes that one.
    """
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


class Exchange(Base):
    """One row enters each of these indexes when it is filed, and moves in some when it ends: each one costs pages."""

    __tablename__ = "exchange"
    __table_args__ = (
        UniqueConstraint("client_id", "jti"),
        # With ids, so that the exchanges of one side in some time are met with those of a right by the index alone.
        Index("ix_exchange_requester_received_at_id", "requester", "received_at", "id"),
        Index("ix_exchange_holder_received_at_id_requester", "holder", "received_at", "id", "requester"),
        _where("ix_exchange_pending_deadline_at", "state", "deadline_at", where=IS_PENDING),
        _where("ix_exchange_requester_log_index", "requester", "log_index", where=_LOGGED),
        _where("ix_exchange_holder_log_index", "holder", "log_index", where=_LOGGED),
        _where("ix_exchange_case_hash_log_index", "case_hash", "log_index", where=text("case_hash IS NOT NULL")),
        Index("ix_exchange_class_key", "class_key"),
        Index("ix_exchange_received_at_id", "received_at", "id"),
        Index("ix_exchange_record_sha256_received_at", "record_sha256", "received_at"),
        Index("ix_exchange_log_index", "log_index"),
        Index("ix_exchange_purpose_received_at", "purpose", "received_at"),
        Index("ix_exchange_state_received_at", "state", "received_at"),
        Index("ix_exchange_requester_holder_received_at_id", "requester", "holder", "received_at", "id"),
        _where("ix_exchange_answer_kept", "state", "finished_at", where=ANSWER_KEPT),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(127))
    requester: Mapped[str] = mapped_column(String(63))
    """The agency on whose behalf the client asked."""
    holder: Mapped[str] = mapped_column(String(63))
    jti: Mapped[str] = mapped_column(String(256))
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    record_type: Mapped[str] = mapped_column(String(63))
    record_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Of the record URN: finds exchanges of one record without storing a name that may itself be secret."""
    purpose: Mapped[str] = mapped_column(String(63))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deadline_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When an exchange that is still `received` counts as interrupted, and one that is `pending` is over."""
    node: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(16))
    stage: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(63))
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    timing_ms: Mapped[dict[str, float] | None] = mapped_column(JSON)
    receipt: Mapped[str | None] = mapped_column(Text)
    salt: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Opens the commitment in the log; destroying it unlinks the leaf from the receipt."""
    pending_receipt: Mapped[str | None] = mapped_column(Text)
    """Of the step by which it became pending, once it is over; `receipt` is the newest one."""
    pending_salt: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    wrapped_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The key of this exchange's payloads, wrapped; destroying it erases them."""
    class_key: Mapped[str | None] = mapped_column(String(36))
    """`payload_class_key.id` of the key that wraps `wrapped_key`; None: the key-encryption key itself does.

    No foreign key: where the class key is gone, so is everything that it wrapped.
    """
    case_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Keyed hash of the case reference: finds the exchanges of a case for whoever names it, and tells nobody else."""
    log_index: Mapped[int | None] = mapped_column(BigInteger)
    """Of its newest leaf. Lists follow it: it is given under the log's lock, so that no reader skips a row."""
    answer_expired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the disclosed fields were deleted by schedule. What proves the exchange stays."""
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When key and salt were destroyed."""
    recalled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the holder called back what it had asked for: a release is given out no more, and an open one releases
    nothing any more."""
    acts_as: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """Delegation: the supplier that asked for the requester, where there was one."""


class ExchangePayload(Base):
    """Encrypted bytes of an exchange: the request as signed, the record as handed over, the rest of the answer."""

    __tablename__ = "exchange_payload"

    exchange_id: Mapped[str] = mapped_column(ForeignKey("exchange.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)


class ExchangeRecord(Base):
    """A record that answered a query: finds the exchanges of a record where they asked for several at once."""

    __tablename__ = "exchange_record"
    __table_args__ = (Index("ix_exchange_record_record_sha256", "record_sha256"),)

    exchange_id: Mapped[str] = mapped_column(ForeignKey("exchange.id"), primary_key=True)
    record_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    """As `exchange.record_sha256`, which for a query names no record."""


class ApprovalTask(Base):
    """One approval that a pending exchange waits for; what it is bound to beside these columns is encrypted there."""

    __tablename__ = "approval_task"
    __table_args__ = (
        UniqueConstraint("exchange_id", "approval"),
        Index("ix_approval_task_holder_state_expires_at", "holder", "state", "expires_at"),
        Index("ix_approval_task_state_changed_at", "state", "changed_at"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    exchange_id: Mapped[str] = mapped_column(ForeignKey("exchange.id"))
    holder: Mapped[str] = mapped_column(String(63))
    approval: Mapped[str] = mapped_column(String(63))
    quorum: Mapped[int] = mapped_column(Integer)
    groups: Mapped[list[str]] = mapped_column(JSON)
    """What would be released; verdicts narrow it, never widen it."""
    policies: Mapped[str] = mapped_column(String(64))
    """Hexadecimal SHA-256 of the policies it is bound to."""
    state: Mapped[str] = mapped_column(String(16))
    version: Mapped[int] = mapped_column(Integer)
    """Counts its changes; whoever acts on it says which one was seen."""
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ApprovalVerdict(Base):
    """What one officer said; each says it once."""

    __tablename__ = "approval_verdict"

    task_id: Mapped[str] = mapped_column(ForeignKey("approval_task.id"), primary_key=True)
    actor: Mapped[str] = mapped_column(String(191), primary_key=True)
    verdict: Mapped[str] = mapped_column(String(16))
    groups: Mapped[list[str]] = mapped_column(JSON)
    reason_code: Mapped[str] = mapped_column(String(63))
    note: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Encrypted under the exchange's key: it may name people, and goes when the exchange is erased."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class ApprovalPeriod(Base):
    """How long officers of a holder have, in its working days; without a row, five."""

    __tablename__ = "approval_period"

    holder: Mapped[str] = mapped_column(ForeignKey("agency.code"), primary_key=True)
    working_days: Mapped[int] = mapped_column(Integer)


class Recall(Base):
    """What a holder says of a record that it gave out before: corrected, sealed, unsealed, recalled or erased."""

    __tablename__ = "recall"
    __table_args__ = (
        UniqueConstraint("client_id", "jti"),
        Index("ix_recall_holder_id", "holder", "id"),
        Index("ix_recall_record_sha256", "record_sha256"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(127))
    """Of the holder; it signed the statement."""
    jti: Mapped[str] = mapped_column(String(256))
    statement_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    holder: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(16))
    record_type: Mapped[str] = mapped_column(String(63))
    record_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    """As `exchange.record_sha256`; the name itself stands in the statement only."""
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Until when it is to be acknowledged; None where nothing is."""
    wrapped_key: Mapped[bytes] = mapped_column(LargeBinary)
    """The key of the statements, wrapped."""
    statement: Mapped[bytes] = mapped_column(LargeBinary)
    """The signed statement, encrypted: it names the record."""
    log_index: Mapped[int] = mapped_column(BigInteger)


class RecallAddressee(Base):
    """An agency that a receipt proves to have been given the record, and what it says has become of its copies."""

    __tablename__ = "recall_addressee"
    __table_args__ = (
        Index("ix_recall_addressee_agency_recall_id", "agency", "recall_id"),
        Index("ix_recall_addressee_state_due_at", "state", "due_at"),
    )

    recall_id: Mapped[str] = mapped_column(ForeignKey("recall.id"), primary_key=True)
    agency: Mapped[str] = mapped_column(String(63), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    """`open acknowledged disputed`, or `told` where nothing is to be acknowledged."""
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a system of the agency first fetched it."""
    overdue_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was found that the time had passed without a word."""
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its newest word came, be it that it refuses."""
    action: Mapped[str | None] = mapped_column(String(16))
    acknowledgement_sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    acknowledgement: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The signed acknowledgement, encrypted under the recall's key."""


class RecallExchange(Base):
    """An exchange whose answer held the record of a recall."""

    __tablename__ = "recall_exchange"
    __table_args__ = (Index("ix_recall_exchange_exchange_id", "exchange_id"),)

    recall_id: Mapped[str] = mapped_column(ForeignKey("recall.id"), primary_key=True)
    exchange_id: Mapped[str] = mapped_column(ForeignKey("exchange.id"), primary_key=True)
    requester: Mapped[str] = mapped_column(String(63))
