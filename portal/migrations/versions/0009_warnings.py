"""What the CRM said to the last delivery that it took of a contact: its warning, until somebody settles it.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contact", sa.Column("delivered_warning", sa.String(length=32), nullable=True))
    op.execute(
        "UPDATE contact SET delivered_warning = (SELECT warning FROM delivery"
        " WHERE delivery.contact_id = contact.id AND delivery.delivered_at IS NOT NULL"
        " ORDER BY delivery.delivered_at DESC, delivery.id DESC LIMIT 1)"
        " WHERE delivered_level IS NOT NULL"
    )
    warned = sa.text("delivered_warning IS NOT NULL")
    op.create_index(
        "ix_contact_warned",
        "contact",
        ["company_id", "delivered_warning", "id"],
        sqlite_where=warned,
        postgresql_where=warned,
    )


def downgrade() -> None:
    op.drop_index("ix_contact_warned", "contact")
    op.drop_column("contact", "delivered_warning")
