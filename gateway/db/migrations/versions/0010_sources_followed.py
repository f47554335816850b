"""What queues delivered; when a source is followed next, and by which run

Revision: 0010
Before: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delivered_record",
        sa.Column("source", sa.String(length=127), nullable=False),
        sa.Column("place", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("has_key", sa.Boolean(), nullable=False),
        sa.Column("revised", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["source.name"], name=op.f("fk_delivered_record_source")),
        sa.PrimaryKeyConstraint("source", "place", name=op.f("pk_delivered_record")),
        sa.UniqueConstraint("source", "number", name=op.f("uq_delivered_record_source_number")),
    )
    op.add_column("source_run", sa.Column("newest_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("source_run", sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("source_run", sa.Column("next_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("source_run", sa.Column("claimed_by", sa.String(length=36), nullable=True))
    op.add_column("source_run", sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("source_run") as batch:
        for column in ("claimed_until", "claimed_by", "next_at", "failures", "newest_at"):
            batch.drop_column(column)
    op.drop_table("delivered_record")
