"""Which records answered a query

Revision: 0013
Before: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exchange_record",
        sa.Column("exchange_id", sa.String(length=36), nullable=False),
        sa.Column("record_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["exchange_id"], ["exchange.id"], name=op.f("fk_exchange_record_exchange_id")),
        sa.PrimaryKeyConstraint("exchange_id", "record_sha256", name=op.f("pk_exchange_record")),
    )
    op.create_index("ix_exchange_record_record_sha256", "exchange_record", ["record_sha256"])


def downgrade() -> None:
    op.drop_table("exchange_record")
