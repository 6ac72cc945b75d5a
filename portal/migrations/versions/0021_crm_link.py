"""Where a CRM's answers say the id of its record, and how an address is made of it. Off until somebody sets it.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

LENGTHS = {"link_pointer": 300, "link_template": 1000}


def upgrade() -> None:
    for name, length in LENGTHS.items():
        op.add_column("endpoint", sa.Column(name, sa.String(length), nullable=True))


def downgrade() -> None:
    for name in LENGTHS:
        op.drop_column("endpoint", name)
