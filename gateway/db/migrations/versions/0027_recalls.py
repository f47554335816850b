"""Records that their holders called back, who was told and who has acknowledged

Revision: 0027
Before: 0026
"""

import sqlalchemy as sa
from alembic import op

from gateway.db.base import UtcDateTime

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("exchange", sa.Column("recalled_at", UtcDateTime(), nullable=True))
    op.create_table(
        "recall",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("client_id", sa.String(length=127), nullable=False),
        sa.Column("jti", sa.String(length=256), nullable=False),
        sa.Column("statement_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("holder", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("record_type", sa.String(length=63), nullable=False),
        sa.Column("record_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall")),
        sa.UniqueConstraint("client_id", "jti", name=op.f("uq_recall_client_id_jti")),
    )
    op.create_index("ix_recall_holder_id", "recall", ["holder", "id"])
    op.create_index("ix_recall_record_sha256", "recall", ["record_sha256"])
    op.create_table(
        "recall_addressee",
        sa.Column("recall_id", sa.String(length=36), nullable=False),
        sa.Column("agency", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.Column("overdue_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("action", sa.String(length=16), nullable=True),
        sa.Column("acknowledgement_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("acknowledgement", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["recall_id"], ["recall.id"], name=op.f("fk_recall_addressee_recall_id")),
        sa.PrimaryKeyConstraint("recall_id", "agency", name=op.f("pk_recall_addressee")),
    )
    op.create_index("ix_recall_addressee_agency_recall_id", "recall_addressee", ["agency", "recall_id"])
    op.create_index("ix_recall_addressee_state_due_at", "recall_addressee", ["state", "due_at"])
    op.create_table(
        "recall_exchange",
        sa.Column("recall_id", sa.String(length=36), nullable=False),
        sa.Column("exchange_id", sa.String(length=36), nullable=False),
        sa.Column("requester", sa.String(length=63), nullable=False),
        sa.ForeignKeyConstraint(["exchange_id"], ["exchange.id"], name=op.f("fk_recall_exchange_exchange_id")),
        sa.ForeignKeyConstraint(["recall_id"], ["recall.id"], name=op.f("fk_recall_exchange_recall_id")),
        sa.PrimaryKeyConstraint("recall_id", "exchange_id", name=op.f("pk_recall_exchange")),
    )
    op.create_index("ix_recall_exchange_exchange_id", "recall_exchange", ["exchange_id"])


def downgrade() -> None:
    op.drop_table("recall_exchange")
    op.drop_table("recall_addressee")
    op.drop_table("recall")
    op.drop_column("exchange", "recalled_at")
