"""The chats that notices go to. Nobody has one by this.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "chat",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("company_id", BIG, sa.ForeignKey("company.id"), nullable=False, unique=True),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("address_secret", sa.Text(), nullable=False),
        sa.Column("notified_state", sa.String(length=16), nullable=False),
        sa.Column("notified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("notice_error", sa.String(length=200), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("chat")
