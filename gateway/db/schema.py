"""The row that tells an older program whether it can still work with tables that a newer one has changed."""

from sqlalchemy import CheckConstraint, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.db.base import Base


class SchemaFloor(Base):
    """One row, kept by the migrations themselves."""

    __tablename__ = "schema_floor"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    oldest: Mapped[str] = mapped_column(String(32))
    """The revision that a program must know, at least, to work with these tables."""
