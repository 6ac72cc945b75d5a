"""The contacts that each import named, and whether a contact's level came with a file.

Levels of today count as chosen by somebody: a file does not change them unless it is told to.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "contact", sa.Column("is_level_imported", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "imported_contact",
        sa.Column("task_id", KEY, sa.ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("contact_id", KEY, sa.ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("is_created", sa.Boolean(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_imported_contact_contact_id", "imported_contact", ["contact_id"])


def downgrade() -> None:
    op.drop_table("imported_contact")
    with op.batch_alter_table("contact") as batch_op:
        batch_op.drop_column("is_level_imported")
