"""Notes about causes; and contacts without a level are found by an index of their own, in the order of their names.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

UNCLASSIFIED = sa.text("interest_level IS NULL")


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "cause_note",
        sa.Column("company_id", key, sa.ForeignKey("company.id"), primary_key=True),
        sa.Column("cause", sa.String(32), primary_key=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(300), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(
        "ix_contact_unclassified",
        "contact",
        ["company_id", "search_name", "id"],
        sqlite_where=UNCLASSIFIED,
        postgresql_where=UNCLASSIFIED,
    )


def downgrade() -> None:
    op.drop_index("ix_contact_unclassified", "contact")
    op.drop_table("cause_note")
