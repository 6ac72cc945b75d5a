"""Who is found by a LinkedIn id is found by an index of that alone: with the campaign before it PostgreSQL, which knows
nothing of a table that is new, read all of a campaign for each. A million contacts take some seconds.

Revision ID: 0039
Revises: 0038
"""

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

NEW, OLD = "ix_contact_linkedin_public_id", "ix_contact_campaign_linkedin"


def upgrade() -> None:
    op.create_index(NEW, "contact", ["linkedin_public_id"])
    op.drop_index(OLD, "contact")


def downgrade() -> None:
    op.create_index(OLD, "contact", ["campaign_id", "linkedin_public_id"])
    op.drop_index(NEW, "contact")
