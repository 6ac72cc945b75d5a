"""Who was erased, as keyed hashes, so that a backup that is put back is erased again. Nobody is marked by this.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("erasure", sa.Column("mark", sa.String(64), primary_key=True))


def downgrade() -> None:
    op.drop_table("erasure")
