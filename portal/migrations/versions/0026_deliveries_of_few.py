"""Indexes for the deliveries of a campaign and of an owner, however few there are, and for the newest contacts.

Revision ID: 0026
Revises: 0025
"""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_delivery_campaign": ("delivery", ["company_id", "campaign_id", "id"]),
    "ix_delivery_owner": ("delivery", ["company_id", "owner_id", "id"]),
    "ix_contact_company": ("contact", ["company_id", "id"]),
}


def upgrade() -> None:
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns)


def downgrade() -> None:
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table)
