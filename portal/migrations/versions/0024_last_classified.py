"""An index for the list of contacts by when they were classified last.

Revision ID: 0024
Revises: 0023
"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_contact_classified", "contact", ["company_id", "classified_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_contact_classified", "contact")
