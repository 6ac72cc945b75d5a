"""A company's fixed header: its name, its value (sealed), and the origin that the value was saved for.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = (("header_name", sa.String(length=100)), ("header_secret", sa.Text()), ("header_origin", sa.Text()))


def upgrade() -> None:
    with op.batch_alter_table("endpoint") as batch_op:
        for name, kind in COLUMNS:
            batch_op.add_column(sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("endpoint") as batch_op:
        for name, _ in reversed(COLUMNS):
            batch_op.drop_column(name)
