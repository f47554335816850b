"""Audit entries: who did what to what, written in the transaction of the act."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import JSON, BigInteger, LargeBinary, String, Table
from sqlalchemy.orm import Mapped, mapped_column

from gateway.db.append_only import refusals, refuse_changes
from gateway.db.base import Base, UtcDateTime


class AuditEntry(Base):
    __tablename__ = "audit_entry"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    actor: Mapped[str] = mapped_column(String(191), index=True)
    act: Mapped[str] = mapped_column(String(63), index=True)
    """Verb phrase from a closed list, such as `client.suspended`."""
    subject: Mapped[str] = mapped_column(String(255), index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    salt: Mapped[bytes | None] = mapped_column(LargeBinary)
    """32 bytes that open the leaf's commitment; absent where the act is audited but no leaf (token issue)."""
    log_index: Mapped[int | None] = mapped_column(BigInteger)


def ddl(dialect: str) -> list[str]:
    """Give what metadata cannot say: audit entries are append-only."""
    return refusals(dialect, "audit_entry", ("id",))


refuse_changes(cast("Table", AuditEntry.__table__), ("id",))
