"""What is absent is NULL: a move to PostgreSQL wrote the JSON text `null`, so that every contact counted as merged.

Revision ID: 0029
Revises: 0028
"""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE contact SET merged = NULL WHERE CAST(merged AS TEXT) = 'null'")
    op.execute("UPDATE user_account SET recovery_hashes = NULL WHERE CAST(recovery_hashes AS TEXT) = 'null'")


def downgrade() -> None:
    """What is NULL was so before, where nothing was moved."""
