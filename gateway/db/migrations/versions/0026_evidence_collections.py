"""How far the collection of a change's evidence is

Revision: 0026
Before: 0024
"""

import sqlalchemy as sa
from alembic import op

from gateway.db.base import UtcDateTime

revision = "0026"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policy_evidence_collection",
        sa.Column("change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=191), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("beat_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("failure", sa.String(length=63), nullable=True),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_policy_evidence_collection")),
    )


def downgrade() -> None:
    op.drop_table("policy_evidence_collection")
