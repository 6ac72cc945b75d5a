"""Recovery codes of the second factor, as hashes. Nobody has any by this.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("user_account", sa.Column("recovery_hashes", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("user_account", "recovery_hashes")
