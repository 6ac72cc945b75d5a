"""What somebody chose for the columns of a file, for later files of the same header.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "column_mapping",
        sa.Column("company_id", KEY, sa.ForeignKey("company.id"), primary_key=True),
        sa.Column("header_hash", sa.String(64), primary_key=True),
        sa.Column("choices", sa.JSON(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("column_mapping")
