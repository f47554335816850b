"""What auditors search exchanges by, and their saved searches

Revision: 0014
Before: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0007"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_exchange_received_at_id": ["received_at", "id"],
    "ix_exchange_record_sha256_received_at": ["record_sha256", "received_at"],
    "ix_exchange_log_index": ["log_index"],
}


def upgrade() -> None:
    op.create_table(
        "exchange_search",
        sa.Column("exchange_id", sa.String(length=36), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=True),
        sa.Column("book", sa.String(length=64), nullable=True),
        sa.Column("withheld", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["exchange_id"], ["exchange.id"], name=op.f("fk_exchange_search_exchange_id")),
        sa.PrimaryKeyConstraint("exchange_id", name=op.f("pk_exchange_search")),
    )
    op.create_index(op.f("ix_exchange_search_log_index"), "exchange_search", ["log_index"])
    op.create_index(op.f("ix_exchange_search_book"), "exchange_search", ["book"])
    op.create_table(
        "exchange_right",
        sa.Column("right_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("exchange_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["exchange_id"], ["exchange.id"], name=op.f("fk_exchange_right_exchange_id")),
        sa.PrimaryKeyConstraint("right_hash", "exchange_id", name=op.f("pk_exchange_right")),
    )
    op.create_index("ix_exchange_right_exchange_id", "exchange_right", ["exchange_id"])
    op.create_table(
        "saved_search",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=191), nullable=False),
        sa.Column("agency", sa.String(length=63), nullable=True),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("query", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_search")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_saved_search_owner_name")),
    )
    op.create_index(op.f("ix_saved_search_owner"), "saved_search", ["owner"])
    for name, columns in INDEXES.items():
        op.create_index(name, "exchange", columns)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "exchange")
    for table in ("saved_search", "exchange_right", "exchange_search"):
        op.drop_table(table)
