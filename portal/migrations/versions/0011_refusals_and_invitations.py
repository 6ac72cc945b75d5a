"""What is refused again is counted; of an e-mail, only one person with a password may log in, whoever was invited.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

NAME = "uq_user_account_login_email"


def upgrade() -> None:
    op.add_column("audit_entry", sa.Column("times", sa.Integer(), nullable=False, server_default="1"))
    make_index("role IS NOT NULL AND password_hash IS NOT NULL")


def downgrade() -> None:
    make_index("role IS NOT NULL")
    with op.batch_alter_table("audit_entry") as batch_op:
        batch_op.drop_column("times")


def make_index(condition: str) -> None:
    op.drop_index(NAME, "user_account")
    where = sa.text(condition)
    op.create_index(NAME, "user_account", ["email"], unique=True, sqlite_where=where, postgresql_where=where)
