"""Records that holders push, quarantined records, how far each source was followed

Revision: 0004
Before: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pushed_record",
        sa.Column("source", sa.String(length=127), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["source.name"], name=op.f("fk_pushed_record_source")),
        sa.PrimaryKeyConstraint("source", "key_digest", name=op.f("pk_pushed_record")),
        sa.UniqueConstraint("source", "number", name=op.f("uq_pushed_record_source_number")),
    )
    op.create_table(
        "quarantined_record",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("source", sa.String(length=127), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantined_record")),
        sa.UniqueConstraint("digest", name=op.f("uq_quarantined_record_digest")),
    )
    op.create_index(op.f("ix_quarantined_record_source"), "quarantined_record", ["source"], unique=False)
    op.create_table(
        "source_run",
        sa.Column("source", sa.String(length=127), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("watermark", sa.Text(), nullable=True),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(length=32), nullable=True),
        sa.Column("mapped", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["source.name"], name=op.f("fk_source_run_source")),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_source_run")),
    )


def downgrade() -> None:
    op.drop_table("source_run")
    op.drop_index(op.f("ix_quarantined_record_source"), table_name="quarantined_record")
    op.drop_table("quarantined_record")
    op.drop_table("pushed_record")
