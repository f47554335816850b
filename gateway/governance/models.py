"""Policies as stored: immutable revisions, and which of them are active in which tier since when."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gateway.db.base import Base, UtcDateTime


class PolicyRevision(Base):
    """One policy's text, never changed after it was written."""

    __tablename__ = "policy_revision"
    __table_args__ = (UniqueConstraint("tier", "owner", "policy_id", "sha256"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    tier: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str] = mapped_column(String(63))
    policy_id: Mapped[str] = mapped_column(String(63))
    cedar_text: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    author: Mapped[str] = mapped_column(String(191))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Activation(Base):
    """The set of revisions that is in force for a tier and owner from `at` on; the newest row counts."""

    __tablename__ = "policy_activation"
    __table_args__ = (Index("ix_policy_activation_tier_owner", "tier", "owner", "id"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    tier: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str] = mapped_column(String(63))
    revisions: Mapped[list[int]] = mapped_column(JSON)
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str] = mapped_column(String(191))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
