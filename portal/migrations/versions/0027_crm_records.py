"""Where each contact is found in the company's CRM: what an answer said of it, kept longer than the answer is.

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "crm_record",
        sa.Column("contact_id", key, sa.ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("pointer", sa.String(300), nullable=False),
        sa.Column("value", sa.String(500), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("crm_record")
