"""Since when an e-mail is one account's alone, as a trusted proxy let its person in there; when a link was mailed.

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

NAME = "uq_user_account_proxied_email"
WHERE = sa.text("proxied_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("user_account", sa.Column("proxied_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(NAME, "user_account", ["email"], unique=True, sqlite_where=WHERE, postgresql_where=WHERE)
    op.add_column("access_link", sa.Column("mailed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("access_link") as batch_op:
        batch_op.drop_column("mailed_at")
    op.drop_index(NAME, "user_account")
    with op.batch_alter_table("user_account") as batch_op:
        batch_op.drop_column("proxied_at")
