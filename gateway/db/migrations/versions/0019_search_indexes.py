"""Indexes that answer the usual counts of auditors without a look at the rows

Revision: 0019
Before: 0018
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_exchange_purpose_received_at": ["purpose", "received_at"],
    "ix_exchange_state_received_at": ["state", "received_at"],
    "ix_exchange_requester_holder_received_at": ["requester", "holder", "received_at"],
    "ix_exchange_holder_requester_received_at": ["holder", "requester", "received_at"],
}


def upgrade() -> None:
    for name, columns in INDEXES.items():
        op.create_index(name, "exchange", columns)


def downgrade() -> None:
    for name in reversed(INDEXES):
        op.drop_index(name, table_name="exchange")
