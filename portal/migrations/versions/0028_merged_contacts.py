"""An index for the few contacts that others were merged into: an item that names one of those means the one that stayed.

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

WHERE = sa.text("merged IS NOT NULL")


def upgrade() -> None:
    op.create_index("ix_contact_merged", "contact", ["company_id", "id"], sqlite_where=WHERE, postgresql_where=WHERE)


def downgrade() -> None:
    op.drop_index("ix_contact_merged", "contact")
