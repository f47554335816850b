"""Answers of calls that carried an Idempotency-Key, for a day

Revision: 0024
Before: 0021
"""

import sqlalchemy as sa
from alembic import op

from gateway.db.base import UtcDateTime

revision = "0024"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "repeated_call",
        sa.Column("actor", sa.String(length=191), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("etag", sa.String(length=127), nullable=True),
        sa.PrimaryKeyConstraint("actor", "key", name=op.f("pk_repeated_call")),
    )


def downgrade() -> None:
    op.drop_table("repeated_call")
