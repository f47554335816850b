"""Witnesses and time-stamps: turns of the processes, what witnesses said, peers' logs witnessed here

Revision: 0003
Before: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_log_checkpoint_cosigned", sa.text("cosigned IS NOT NULL")),
    ("ix_log_checkpoint_stamped", sa.text("tst IS NOT NULL")),
)


def upgrade() -> None:
    for name, condition in INDEXES:
        op.create_index(
            name, "log_checkpoint", ["size"], unique=False, sqlite_where=condition, postgresql_where=condition
        )
    op.create_table(
        "evidence_duty",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_evidence_duty")),
    )
    op.create_table(
        "witness_standing",
        sa.Column("vkey", sa.String(length=512), nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("contradiction", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("vkey", "origin", name=op.f("pk_witness_standing")),
    )
    op.create_table(
        "witnessed_log",
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_witnessed_log")),
    )


def downgrade() -> None:
    for table in ("witnessed_log", "witness_standing", "evidence_duty"):
        op.drop_table(table)
    for name, _ in INDEXES:
        op.drop_index(name, table_name="log_checkpoint")
