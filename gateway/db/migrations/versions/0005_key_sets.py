"""Keys that clients publish at an address of their own, and warnings before a key ends

Revision: 0005
Before: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_key_set",
        sa.Column("client_id", sa.String(length=127), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fresh_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_key_set_client_id")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_client_key_set")),
    )
    op.add_column("client_key", sa.Column("is_fetched", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("client_key", sa.Column("listed_as", sa.String(length=128), nullable=True))
    op.add_column("client_key", sa.Column("warned_days", sa.Integer(), nullable=True))


def downgrade() -> None:
    for name in ("warned_days", "listed_as", "is_fetched"):
        op.drop_column("client_key", name)
    op.drop_table("client_key_set")
