"""Policies as stored: immutable revisions and tests, what is in force since when, and how each change came to be.

Rows of revisions, tests, activations, evidence and reviews are never changed; a change request changes its state.
"""

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.db.base import Base, UtcDateTime

_Id = BigInteger().with_variant(Integer, "sqlite")


class PolicyRevision(Base):
    """One policy's text, never changed after it was written."""

    __tablename__ = "policy_revision"
    __table_args__ = (UniqueConstraint("tier", "owner", "policy_id", "sha256"),)

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    tier: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str] = mapped_column(String(63))
    policy_id: Mapped[str] = mapped_column(String(63))
    cedar_text: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    author: Mapped[str] = mapped_column(String(191))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    valid_under: Mapped[str | None] = mapped_column(String(64))
    """The schema and engine (`policies.engine.validity`) under which it was found valid; validation is not repeated."""


class PolicyTestRow(Base):
    """One policy test of a tier and owner, as JSON text; never changed after it was written."""

    __tablename__ = "policy_test"
    __table_args__ = (UniqueConstraint("tier", "owner", "name", "sha256"),)

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    tier: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(63))
    document: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    author: Mapped[str] = mapped_column(String(191))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Activation(Base):
    """The set of revisions that is in force for a tier and owner from `at` on; the newest row counts."""

    __tablename__ = "policy_activation"
    __table_args__ = (Index("ix_policy_activation_tier_owner", "tier", "owner", "id"),)

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    tier: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str] = mapped_column(String(63))
    revisions: Mapped[list[int]] = mapped_column(JSON)
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str] = mapped_column(String(191))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    tests: Mapped[list[int]] = mapped_column(JSON, default=list, server_default="[]")
    kind: Mapped[str] = mapped_column(String(16), default="import", server_default="import")
    """How it came: `import change rollback emergency lifted`."""
    change_id: Mapped[int | None] = mapped_column(_Id)
    """The change request it activated, or that it rolled back to."""


class ChangeRequest(Base):
    """A proposed set of revisions and tests for one tier and owner, on its way to being in force."""

    __tablename__ = "policy_change"
    __table_args__ = (Index("ix_policy_change_state", "state", "activate_at"),)

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    tier: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str] = mapped_column(String(63))
    title: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    ticket: Mapped[str | None] = mapped_column(String(127))
    author: Mapped[str] = mapped_column(String(191))
    contributors: Mapped[list[str]] = mapped_column(JSON)
    """Everybody who saved something in it, the author first: none of them reviews it."""
    state: Mapped[str] = mapped_column(String(16))
    version: Mapped[int] = mapped_column(Integer)
    """Counts its changes; whoever acts on it says which one was seen."""
    base: Mapped[int] = mapped_column(BigInteger)
    """The activation that it changes; 0: nothing was in force."""
    manifest: Mapped[dict[str, int]] = mapped_column(JSON)
    """Policy id → revision, all that would be in force."""
    tests: Mapped[dict[str, int]] = mapped_column(JSON)
    """Test name → row, all that would stand beside them."""
    evidence_sha256: Mapped[str | None] = mapped_column(String(64))
    """What a review is bound to; None while there is no complete evidence about exactly this proposal."""
    evidence_run: Mapped[int | None] = mapped_column(Integer)
    """Which run of evidence speaks of the present proposal, passed or not."""
    widened: Mapped[list[str]] = mapped_column(JSON)
    """What would become more permissive or could not be analysed, each to be ticked by two reviewers."""
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    shadow_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    activate_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    scheduled_by: Mapped[str | None] = mapped_column(String(191))
    activation_id: Mapped[int | None] = mapped_column(BigInteger)
    note: Mapped[str] = mapped_column(Text)
    """Why it was put back to draft, rejected or withdrawn; else empty."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ChangeEvidence(Base):
    """One kind of evidence about one proposal: what it found, as the bytes that its hash is of."""

    __tablename__ = "policy_change_evidence"
    __table_args__ = (UniqueConstraint("change_id", "run", "kind"),)

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    change_id: Mapped[int] = mapped_column(ForeignKey("policy_change.id"))
    run: Mapped[int] = mapped_column(Integer)
    """The version of the change request it was collected for; names the run."""
    kind: Mapped[str] = mapped_column(String(16))
    engine_version: Mapped[str] = mapped_column(String(63))
    is_passed: Mapped[bool] = mapped_column()
    result: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Review(Base):
    """What a second person said about one body of evidence."""

    __tablename__ = "policy_review"
    __table_args__ = (CheckConstraint("reviewer <> author", name="second_person"),)

    change_id: Mapped[int] = mapped_column(ForeignKey("policy_change.id"), primary_key=True)
    evidence_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    reviewer: Mapped[str] = mapped_column(String(191), primary_key=True)
    author: Mapped[str] = mapped_column(String(191))
    verdict: Mapped[str] = mapped_column(String(16))
    """`approve` or `reject`."""
    comment: Mapped[str] = mapped_column(Text)
    ticks: Mapped[list[str]] = mapped_column(JSON)
    """The widened groups the reviewer ticked one by one."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Emergency(Base):
    """A forbid that one person put in force at once, until a time, to be reviewed within a day."""

    __tablename__ = "policy_emergency"

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    tier: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str] = mapped_column(String(63))
    policy_id: Mapped[str] = mapped_column(String(63))
    revision: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(String(191))
    reason: Mapped[str] = mapped_column(Text)
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    review_due: Mapped[datetime] = mapped_column(UtcDateTime)
    reviewed_by: Mapped[str | None] = mapped_column(String(191))
    reviewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verdict: Mapped[str | None] = mapped_column(String(16))
    """`keep` until its end, or `lift` at once."""
    overdue_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was noticed and logged that nobody had reviewed it in time."""
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ShadowDifference(Base):
    """One way in which a candidate decides otherwise than the book in force, and how often it was seen."""

    __tablename__ = "policy_shadow_difference"

    change_id: Mapped[int] = mapped_column(ForeignKey("policy_change.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of what follows."""
    requester: Mapped[str] = mapped_column(String(63))
    holder: Mapped[str] = mapped_column(String(63))
    record_type: Mapped[str] = mapped_column(String(63))
    purpose: Mapped[str] = mapped_column(String(63))
    change: Mapped[str] = mapped_column(String(31))
    """As in a replay: `newly_allowed newly_denied groups obligations`."""
    gained: Mapped[list[str]] = mapped_column(JSON)
    lost: Mapped[list[str]] = mapped_column(JSON)
    seen: Mapped[int] = mapped_column(Integer)
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ShadowTally(Base):
    """How many questions a candidate was asked beside the book in force, and how many it was not."""

    __tablename__ = "policy_shadow_tally"

    change_id: Mapped[int] = mapped_column(ForeignKey("policy_change.id"), primary_key=True)
    compared: Mapped[int] = mapped_column(Integer)
    differing: Mapped[int] = mapped_column(Integer)
    skipped: Mapped[int] = mapped_column(Integer)
    """Too many at once: not decided beside, never guessed."""
