"""Odd things to be looked at; searches by person, by policy version and by whom a record is about

Revision: 0018
Before: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exchange_versions",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("guardrail", sa.String(length=80), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("egress", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_versions")),
    )
    for name in ("guardrail", "holder", "egress"):
        op.create_index(op.f(f"ix_exchange_versions_{name}"), "exchange_versions", [name])
    with op.batch_alter_table("exchange_search") as table:
        table.add_column(sa.Column("person", sa.String(length=127), nullable=True))
        table.add_column(sa.Column("versions", sa.String(length=32), nullable=True))
    op.create_index(op.f("ix_exchange_search_person"), "exchange_search", ["person"])
    op.create_index(op.f("ix_exchange_search_versions"), "exchange_search", ["versions"])
    op.execute("DELETE FROM exchange_right")  # the index is made anew: it follows the log from its beginning
    op.execute("DELETE FROM exchange_search")
    op.create_table(
        "exchange_party",
        sa.Column("party", sa.String(length=64), nullable=False),
        sa.Column("exchange_id", sa.String(length=36), nullable=False),
        sa.Column("is_sealed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["exchange_id"], ["exchange.id"], name=op.f("fk_exchange_party_exchange_id")),
        sa.PrimaryKeyConstraint("party", "exchange_id", name=op.f("pk_exchange_party")),
    )
    op.create_index("ix_exchange_party_exchange_id", "exchange_party", ["exchange_id"])
    op.create_table(
        "exchange_seal",
        sa.Column("exchange_id", sa.String(length=36), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("order_ref", sa.String(length=255), nullable=False),
        sa.Column("actor", sa.String(length=191), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["exchange_id"], ["exchange.id"], name=op.f("fk_exchange_seal_exchange_id")),
        sa.PrimaryKeyConstraint("exchange_id", name=op.f("pk_exchange_seal")),
    )
    op.create_table(
        "flag",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("requester", sa.String(length=63), nullable=False),
        sa.Column("holder", sa.String(length=63), nullable=False),
        sa.Column("subject", sa.String(length=127), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("assignee", sa.String(length=191), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flag")),
        sa.UniqueConstraint(
            "kind", "requester", "holder", "subject", "day", name=op.f("uq_flag_kind_requester_holder_subject_day")
        ),
    )
    for name in ("requester", "holder", "status"):
        op.create_index(f"ix_flag_{name}_id", "flag", [name, "id"])
    op.create_table(
        "flag_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_flag_day")),
    )


def downgrade() -> None:
    op.drop_table("flag_day")
    op.drop_table("flag")
    op.drop_table("exchange_seal")
    op.drop_table("exchange_party")
    op.drop_index(op.f("ix_exchange_search_versions"), "exchange_search")
    op.drop_index(op.f("ix_exchange_search_person"), "exchange_search")
    with op.batch_alter_table("exchange_search") as table:
        table.drop_column("versions")
        table.drop_column("person")
    op.drop_table("exchange_versions")
