"""A root key between the key-encryption key and all that is wrapped

Revision: 0029
Before: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

works_with = "0028"


def upgrade() -> None:
    op.create_table(
        "root_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_root_key_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_root_key")),
    )


def downgrade() -> None:
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM root_key")):
        raise RuntimeError("the root key would be lost, and all that is wrapped under it")
    op.drop_table("root_key")
