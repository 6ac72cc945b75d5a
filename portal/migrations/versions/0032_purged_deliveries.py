"""Which deliveries a purge need not look at again: their body is gone, and so is what was said at their attempts.

Revision ID: 0032
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

NAME = "ix_delivery_unpurged"
WHERE = sa.text("NOT is_purged")


def upgrade() -> None:
    op.add_column("delivery", sa.Column("is_purged", sa.Boolean(), nullable=False, server_default=sa.false()))
    columns = ["company_id", "created_at", "id"]
    op.create_index(NAME, "delivery", columns, sqlite_where=WHERE, postgresql_where=WHERE)


def downgrade() -> None:
    op.drop_index(NAME, "delivery")
    op.drop_column("delivery", "is_purged")
