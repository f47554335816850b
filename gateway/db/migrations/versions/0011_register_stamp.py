"""A stamp that the database renews with every change of the register, so that what was read from it can be remembered

Revision: 0011
Before: 0008
"""

import sqlalchemy as sa
from alembic import op

from gateway.db.stamped import stamps, unstamps

revision = "0011"
down_revision = "0008"
branch_labels = None
depends_on = None

STAMPED: dict[str, tuple[str, ...]] = {
    "agency": (),
    "client": (),
    "client_key": ("kid", "jwk", "valid_from", "valid_until", "revoked_at", "suspended_at", "is_fetched", "listed_as"),
    "client_key_set": ("uri", "fetched_at", "fresh_until"),
    "source": (),
    "delegation": (),
    "revoked_token": (),
}


def upgrade() -> None:
    op.create_table(
        "register_stamp",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stamp", sa.String(length=36), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_register_stamp_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register_stamp")),
    )
    for table, columns in STAMPED.items():
        for statement in stamps(op.get_bind().dialect.name, table, columns):
            op.execute(statement)


def downgrade() -> None:
    for table in STAMPED:
        for statement in unstamps(op.get_bind().dialect.name, table):
            op.execute(statement)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION ipx_stamp_register()")
    op.drop_table("register_stamp")
