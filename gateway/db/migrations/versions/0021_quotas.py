"""How much agencies and clients may ask for, and how much they did

Revision: 0021
Before: 0019
"""

import sqlalchemy as sa
from alembic import op

from gateway.db.stamped import stamps, unstamps

revision = "0021"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quota",
        sa.Column("subject", sa.String(length=127), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=True),
        sa.Column("per_day", sa.Integer(), nullable=True),
        sa.Column("query_records", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_quota")),
    )
    op.create_table(
        "quota_use",
        sa.Column("subject", sa.String(length=127), nullable=False),
        sa.Column("unit", sa.String(length=8), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "unit", name=op.f("pk_quota_use")),
    )
    for statement in stamps(op.get_bind().dialect.name, "quota"):
        op.execute(statement)


def downgrade() -> None:
    for statement in unstamps(op.get_bind().dialect.name, "quota"):
        op.execute(statement)
    op.drop_table("quota_use")
    op.drop_table("quota")
