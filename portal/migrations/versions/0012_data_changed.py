"""Whether the CRM has a contact's data of before: when a field of the body changed, and when the last delivered body was
frozen. And who was merged into a contact, with the number that the bodies of that one's deliveries have.

Nobody's data counts as changed by this.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MOMENTS = ("data_changed_at", "delivered_frozen_at")
CHANGED = sa.text("data_changed_at > delivered_frozen_at")


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("delivery", sa.Column("former_contact_id", key, nullable=True))
    op.add_column("contact", sa.Column("merged", sa.JSON(), nullable=True))
    for name in MOMENTS:
        op.add_column("contact", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE contact SET delivered_frozen_at = (SELECT created_at FROM delivery"
        " WHERE delivery.contact_id = contact.id AND delivery.delivered_at IS NOT NULL"
        " ORDER BY delivery.delivered_at DESC, delivery.id DESC LIMIT 1)"
        " WHERE delivered_level IS NOT NULL"
    )
    op.create_index(
        "ix_contact_changed",
        "contact",
        ["company_id", "search_name", "id"],
        sqlite_where=CHANGED,
        postgresql_where=CHANGED,
    )


def downgrade() -> None:
    op.drop_index("ix_contact_changed", "contact")
    for name in (*MOMENTS, "merged"):
        op.drop_column("contact", name)
    op.drop_column("delivery", "former_contact_id")
