"""How many exchanges of each kind there were on each day; the indexer counts what is noted already

Revision: 0028
Before: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exchange_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("requester", sa.String(length=63), nullable=False),
        sa.Column("holder", sa.String(length=63), nullable=False),
        sa.Column("record_type", sa.String(length=63), nullable=False),
        sa.Column("purpose", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("versions", sa.String(length=32), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            *("day", "requester", "holder", "record_type", "purpose", "state", "versions"),
            name=op.f("pk_exchange_day"),
        ),
    )
    with op.batch_alter_table("exchange_search") as batch:
        batch.add_column(sa.Column("state", sa.String(length=16), nullable=True))
    uncounted = sa.text("state IS NULL")
    op.create_index(
        "ix_exchange_search_uncounted",
        "exchange_search",
        ["exchange_id"],
        sqlite_where=uncounted,
        postgresql_where=uncounted,
    )


def downgrade() -> None:
    op.drop_index("ix_exchange_search_uncounted", "exchange_search")
    with op.batch_alter_table("exchange_search") as batch:
        batch.drop_column("state")
    op.drop_table("exchange_day")
