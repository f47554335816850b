"""Bundles and erasure: keys for each retention class, exchanges found by case and in the order of the log

Revision: 0002
Before: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = (
    ("class_key", sa.String(length=36)),
    ("case_hash", sa.LargeBinary(length=32)),
    ("log_index", sa.BigInteger()),
    ("answer_expired_at", sa.DateTime(timezone=True)),
    ("erased_at", sa.DateTime(timezone=True)),
)
INDEXES = (
    ("ix_exchange_requester_log_index", ["requester", "log_index"]),
    ("ix_exchange_holder_log_index", ["holder", "log_index"]),
    ("ix_exchange_case_hash_log_index", ["case_hash", "log_index"]),
    ("ix_exchange_class_key", ["class_key"]),
)


def upgrade() -> None:
    op.create_table(
        "payload_class_key",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("holder", sa.String(length=63), nullable=False),
        sa.Column("retention_class", sa.String(length=63), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payload_class_key")),
        sa.UniqueConstraint(
            "holder", "retention_class", "month", name=op.f("uq_payload_class_key_holder_retention_class_month")
        ),
    )
    # Column by column: a table that others refer to cannot be copied and replaced while SQLite guards references.
    for name, kind in COLUMNS:
        op.add_column("exchange", sa.Column(name, kind, nullable=True))
    op.get_bind().exec_driver_sql(
        "UPDATE exchange SET log_index = "
        "(SELECT idx FROM log_entry WHERE step_id = 'exchange:' || exchange.id || ':final')"
    )
    for name, columns in INDEXES:
        op.create_index(name, "exchange", columns, unique=False)
    kept = sa.text("state = 'released' AND answer_expired_at IS NULL AND erased_at IS NULL")
    op.create_index("ix_exchange_answer_kept", "exchange", ["finished_at"], sqlite_where=kept, postgresql_where=kept)


def downgrade() -> None:
    op.drop_index("ix_exchange_answer_kept", table_name="exchange")
    for name, _ in INDEXES:
        op.drop_index(name, table_name="exchange")
    for name, _ in reversed(COLUMNS):
        op.drop_column("exchange", name)
    op.drop_table("payload_class_key")
