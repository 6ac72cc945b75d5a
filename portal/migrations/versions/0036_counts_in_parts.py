"""The counts of attempts are kept in parts, so that workers who count at the same moment do not wait for each other.

What was counted so far is part 0. The table is small: a row for each way in which a company's attempts end.

Revision ID: 0036
Revises: 0035
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

NAME = "pk_attempt_count"
KEY = ["company_id", "status", "reason", "up_to_ms"]


def upgrade() -> None:
    with op.batch_alter_table("attempt_count") as batch:
        batch.add_column(sa.Column("part", sa.Integer(), nullable=False, server_default="0"))
        batch.drop_constraint(NAME, type_="primary")
        batch.create_primary_key(NAME, [*KEY, "part"])


def downgrade() -> None:
    attempt_count = sa.table("attempt_count", *(sa.column(name) for name in (*KEY, "number", "total_ms")))
    sums = (sa.func.sum(attempt_count.c.number).label("number"), sa.func.sum(attempt_count.c.total_ms).label("total_ms"))
    key = [attempt_count.c[name] for name in KEY]
    connection = op.get_bind()
    rows = [row._asdict() for row in connection.execute(sa.select(*key, *sums).group_by(*key))]
    connection.execute(attempt_count.delete())
    with op.batch_alter_table("attempt_count") as batch:
        batch.drop_constraint(NAME, type_="primary")
        batch.drop_column("part")
        batch.create_primary_key(NAME, KEY)
    if rows:
        connection.execute(attempt_count.insert(), rows)
