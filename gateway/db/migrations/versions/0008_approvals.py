"""Approvals: exchanges that wait for officers of the holder, and what those said

Revision: 0008
Before: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("exchange", sa.Column("pending_receipt", sa.Text(), nullable=True))
    op.add_column("exchange", sa.Column("pending_salt", sa.LargeBinary(length=32), nullable=True))
    op.create_table(
        "approval_task",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("exchange_id", sa.String(length=36), nullable=False),
        sa.Column("holder", sa.String(length=63), nullable=False),
        sa.Column("approval", sa.String(length=63), nullable=False),
        sa.Column("quorum", sa.Integer(), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("policies", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["exchange_id"], ["exchange.id"], name=op.f("fk_approval_task_exchange_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_task")),
        sa.UniqueConstraint("exchange_id", "approval", name=op.f("uq_approval_task_exchange_id_approval")),
    )
    op.create_index("ix_approval_task_holder_state_expires_at", "approval_task", ["holder", "state", "expires_at"])
    op.create_index("ix_approval_task_state_changed_at", "approval_task", ["state", "changed_at"])
    op.create_table(
        "approval_verdict",
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("actor", sa.String(length=191), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("reason_code", sa.String(length=63), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["approval_task.id"], name=op.f("fk_approval_verdict_task_id")),
        sa.PrimaryKeyConstraint("task_id", "actor", name=op.f("pk_approval_verdict")),
    )
    op.create_table(
        "approval_period",
        sa.Column("holder", sa.String(length=63), nullable=False),
        sa.Column("working_days", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["holder"], ["agency.code"], name=op.f("fk_approval_period_holder")),
        sa.PrimaryKeyConstraint("holder", name=op.f("pk_approval_period")),
    )


def downgrade() -> None:
    op.drop_table("approval_period")
    op.drop_table("approval_verdict")
    op.drop_table("approval_task")
    op.drop_column("exchange", "pending_salt")
    op.drop_column("exchange", "pending_receipt")
