"""Policies: change requests with evidence and reviews, tests, emergency denials, shadow differences

Revision: 0007
Before: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0013"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WHEN = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("policy_revision", sa.Column("valid_under", sa.String(length=64), nullable=True))
    op.add_column("policy_activation", sa.Column("tests", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("policy_activation", sa.Column("kind", sa.String(length=16), server_default="import", nullable=False))
    op.add_column("policy_activation", sa.Column("change_id", ID, nullable=True))
    op.create_table(
        "policy_test",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("tier", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("author", sa.String(length=191), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_test")),
        sa.UniqueConstraint("tier", "owner", "name", "sha256", name=op.f("uq_policy_test_tier_owner_name_sha256")),
    )
    op.create_table(
        "policy_change",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("tier", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=63), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ticket", sa.String(length=127), nullable=True),
        sa.Column("author", sa.String(length=191), nullable=False),
        sa.Column("contributors", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("base", sa.BigInteger(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("tests", sa.JSON(), nullable=False),
        sa.Column("evidence_sha256", sa.String(length=64), nullable=True),
        sa.Column("evidence_run", sa.Integer(), nullable=True),
        sa.Column("widened", sa.JSON(), nullable=False),
        sa.Column("asked_at", WHEN, nullable=True),
        sa.Column("shadow_from", WHEN, nullable=True),
        sa.Column("activate_at", WHEN, nullable=True),
        sa.Column("scheduled_by", sa.String(length=191), nullable=True),
        sa.Column("activation_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.Column("changed_at", WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_change")),
    )
    op.create_index("ix_policy_change_state", "policy_change", ["state", "activate_at"])
    op.create_table(
        "policy_change_evidence",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("change_id", ID, nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("engine_version", sa.String(length=63), nullable=False),
        sa.Column("is_passed", sa.Boolean(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", WHEN, nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["policy_change.id"], name=op.f("fk_policy_change_evidence_change_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_change_evidence")),
        sa.UniqueConstraint("change_id", "run", "kind", name=op.f("uq_policy_change_evidence_change_id_run_kind")),
    )
    op.create_table(
        "policy_review",
        sa.Column("change_id", ID, nullable=False),
        sa.Column("evidence_sha256", sa.String(length=64), nullable=False),
        sa.Column("reviewer", sa.String(length=191), nullable=False),
        sa.Column("author", sa.String(length=191), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("ticks", sa.JSON(), nullable=False),
        sa.Column("at", WHEN, nullable=False),
        sa.CheckConstraint("reviewer <> author", name=op.f("ck_policy_review_second_person")),
        sa.ForeignKeyConstraint(["change_id"], ["policy_change.id"], name=op.f("fk_policy_review_change_id")),
        sa.PrimaryKeyConstraint("change_id", "evidence_sha256", "reviewer", name=op.f("pk_policy_review")),
    )
    op.create_table(
        "policy_emergency",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("tier", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=63), nullable=False),
        sa.Column("policy_id", sa.String(length=63), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=191), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("began_at", WHEN, nullable=False),
        sa.Column("until", WHEN, nullable=False),
        sa.Column("review_due", WHEN, nullable=False),
        sa.Column("reviewed_by", sa.String(length=191), nullable=True),
        sa.Column("reviewed_at", WHEN, nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("overdue_at", WHEN, nullable=True),
        sa.Column("ended_at", WHEN, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_emergency")),
    )
    op.create_index(op.f("ix_policy_emergency_until"), "policy_emergency", ["until"])
    op.create_table(
        "policy_shadow_difference",
        sa.Column("change_id", ID, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("requester", sa.String(length=63), nullable=False),
        sa.Column("holder", sa.String(length=63), nullable=False),
        sa.Column("record_type", sa.String(length=63), nullable=False),
        sa.Column("purpose", sa.String(length=63), nullable=False),
        sa.Column("change", sa.String(length=31), nullable=False),
        sa.Column("gained", sa.JSON(), nullable=False),
        sa.Column("lost", sa.JSON(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("first_at", WHEN, nullable=False),
        sa.Column("last_at", WHEN, nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["policy_change.id"], name=op.f("fk_policy_shadow_difference_change_id")),
        sa.PrimaryKeyConstraint("change_id", "key", name=op.f("pk_policy_shadow_difference")),
    )
    op.create_table(
        "policy_shadow_tally",
        sa.Column("change_id", ID, nullable=False),
        sa.Column("compared", sa.Integer(), nullable=False),
        sa.Column("differing", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["change_id"], ["policy_change.id"], name=op.f("fk_policy_shadow_tally_change_id")),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_policy_shadow_tally")),
    )


def downgrade() -> None:
    for table in (
        "policy_shadow_tally",
        "policy_shadow_difference",
        "policy_emergency",
        "policy_review",
        "policy_change_evidence",
        "policy_change",
        "policy_test",
    ):
        op.drop_table(table)
    with op.batch_alter_table("policy_activation") as batch:
        batch.drop_column("change_id")
        batch.drop_column("kind")
        batch.drop_column("tests")
    with op.batch_alter_table("policy_revision") as batch:
        batch.drop_column("valid_under")
