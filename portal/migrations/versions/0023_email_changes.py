"""A link by which somebody confirms another e-mail: the link holds the address.

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

NAME = "ck_access_link_purpose"


def upgrade() -> None:
    with op.batch_alter_table("access_link") as batch_op:
        batch_op.add_column(sa.Column("email", sa.String(length=254), nullable=True))
        batch_op.drop_constraint(op.f(NAME), type_="check")
        batch_op.create_check_constraint(op.f(NAME), "purpose IN ('setup', 'invitation', 'reset', 'email')")


def downgrade() -> None:
    op.execute("DELETE FROM access_link WHERE purpose = 'email'")
    with op.batch_alter_table("access_link") as batch_op:
        batch_op.drop_constraint(op.f(NAME), type_="check")
        batch_op.create_check_constraint(op.f(NAME), "purpose IN ('setup', 'invitation', 'reset')")
        batch_op.drop_column("email")
