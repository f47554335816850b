"""An exchange enters fewer indexes when it is filed, and moves in fewer when it ends

Revision: 0030
Before: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

works_with = "0028"

NARROWED = {
    "ix_exchange_requester_log_index": (["requester", "log_index"], "log_index IS NOT NULL"),
    "ix_exchange_holder_log_index": (["holder", "log_index"], "log_index IS NOT NULL"),
    "ix_exchange_case_hash_log_index": (["case_hash", "log_index"], "case_hash IS NOT NULL"),
}
REPLACED = {
    "ix_exchange_requester_received_at": ["requester", "received_at"],
    "ix_exchange_requester_holder_received_at": ["requester", "holder", "received_at"],
    "ix_exchange_state_deadline_at": ["state", "deadline_at"],
    "ix_exchange_holder_received_at": ["holder", "received_at"],
    "ix_exchange_holder_requester_received_at": ["holder", "requester", "received_at"],
}
WITH_IDS = {
    "ix_exchange_requester_holder_received_at_id": ["requester", "holder", "received_at", "id"],
    "ix_exchange_requester_received_at_id": ["requester", "received_at", "id"],
    "ix_exchange_holder_received_at_id_requester": ["holder", "received_at", "id", "requester"],
}
ANSWERS = "ix_exchange_answer_kept"
KEPT = "state = 'released' AND answer_expired_at IS NULL AND erased_at IS NULL"


def upgrade() -> None:
    for name in (*NARROWED, *REPLACED, ANSWERS):
        op.drop_index(name, "exchange")
    for name, (columns, where) in NARROWED.items():
        _create(name, columns, where)
    _create("ix_exchange_pending_deadline_at", ["state", "deadline_at"], "state = 'pending'")
    _create(ANSWERS, ["state", "finished_at"], KEPT)
    for name, columns in WITH_IDS.items():
        op.create_index(name, "exchange", columns)


def downgrade() -> None:
    for name in ("ix_exchange_pending_deadline_at", ANSWERS, *WITH_IDS, *NARROWED):
        op.drop_index(name, "exchange")
    for name, (columns, _) in NARROWED.items():
        op.create_index(name, "exchange", columns)
    for name, columns in REPLACED.items():
        op.create_index(name, "exchange", columns)
    _create(ANSWERS, ["finished_at"], KEPT)


def _create(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "exchange", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
