"""Classifications by their days, for the report, and who gets it by e-mail. Nobody does by this.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_classification_day", "classification", ["company_id", "created_at", "new_level", "contact_id"])
    op.add_column("user_account", sa.Column("report_every", sa.String(8)))
    op.add_column("user_account", sa.Column("report_told", sa.Date()))


def downgrade() -> None:
    op.drop_column("user_account", "report_told")
    op.drop_column("user_account", "report_every")
    op.drop_index("ix_classification_day", "classification")
