"""Answers kept for whoever repeats a call."""

from datetime import datetime

from sqlalchemy import Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.db.base import Base, UtcDateTime


class RepeatedCall(Base):
    __tablename__ = "repeated_call"

    actor: Mapped[str] = mapped_column(String(191), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    """As the header `Idempotency-Key` says; each caller has its own."""
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    """Of method, address and body."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[int | None] = mapped_column(Integer)
    """None while the first call runs."""
    body: Mapped[str | None] = mapped_column(Text)
    etag: Mapped[str | None] = mapped_column(String(127))
