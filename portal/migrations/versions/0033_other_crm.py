"""Since when another CRM is behind a company's address.

Revision ID: 0033
Revises: 0032
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("endpoint", sa.Column("crm_since", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("endpoint", "crm_since")
