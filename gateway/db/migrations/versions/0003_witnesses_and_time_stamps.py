"""Witnesses, time-stamps, shards: turns of the processes, what witnesses said, peers' logs, one tree for each log key

Revision: 0003
Before: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_log_checkpoint_cosigned", sa.text("cosigned IS NOT NULL")),
    ("ix_log_checkpoint_stamped", sa.text("tst IS NOT NULL")),
)
KEYS = {"log_tile": ["lvl", "n"], "log_checkpoint": ["size"]}


def upgrade() -> None:
    op.create_table(
        "log_shard",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("vkey", sa.String(length=512), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("root", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_log_shard")),
        sa.UniqueConstraint("origin", name=op.f("uq_log_shard_origin")),
    )
    for table, columns in KEYS.items():
        _number_shards(table)
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(f"pk_{table}", type_="primary")
            batch.create_primary_key(f"pk_{table}", ["shard", *columns])
    _number_shards("log_head")
    for name, condition in INDEXES:
        op.create_index(
            name, "log_checkpoint", ["shard", "size"], unique=False, sqlite_where=condition, postgresql_where=condition
        )
    op.create_table(
        "evidence_duty",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_evidence_duty")),
    )
    op.create_table(
        "witness_standing",
        sa.Column("vkey", sa.String(length=512), nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("contradiction", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("vkey", "origin", name=op.f("pk_witness_standing")),
    )
    op.create_table(
        "witnessed_log",
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_witnessed_log")),
    )


def downgrade() -> None:
    """Only a log whose key was never rotated goes back: its shards have no other place."""
    for table in ("witnessed_log", "witness_standing", "evidence_duty"):
        op.drop_table(table)
    for name, _ in INDEXES:
        op.drop_index(name, table_name="log_checkpoint")
    for table, columns in KEYS.items():
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(f"pk_{table}", type_="primary")
            batch.create_primary_key(f"pk_{table}", columns)
            batch.drop_column("shard")
    with op.batch_alter_table("log_head") as batch:
        batch.drop_column("shard")
    op.drop_table("log_shard")


def _number_shards(table: str) -> None:
    """Call what is there the first shard. The gateway registers its name and key when it starts."""
    with op.batch_alter_table(table) as batch:
        batch.add_column(sa.Column("shard", sa.Integer(), nullable=False, server_default="1"))
    with op.batch_alter_table(table) as batch:
        batch.alter_column("shard", server_default=None)
