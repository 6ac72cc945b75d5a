"""Which contacts had a level that the CRM still has: their list is read by an index of them alone.

Revision ID: 0034
Revises: 0033
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

NAME = "ix_contact_removed"
WHERE = sa.text("interest_level IS NULL AND delivered_level IS NOT NULL")


def upgrade() -> None:
    columns = ["company_id", "search_name", "id"]
    op.create_index(NAME, "contact", columns, sqlite_where=WHERE, postgresql_where=WHERE)


def downgrade() -> None:
    op.drop_index(NAME, "contact")
