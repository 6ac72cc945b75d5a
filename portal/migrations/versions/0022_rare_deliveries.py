"""Indexes for what a log seldom holds: failures by their reason, warnings, and what no classification began. They hold
nothing of what is delivered without a word, so that sending pays nothing for them.

On PostgreSQL autovacuum comes sooner to the tables that change most: by default it waits for a fifth of all rows.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

RARE = {
    "reason": sa.text("reason NOT IN ('ok_empty', 'ok_json', 'ok_text')"),
    "trigger": sa.text("trigger <> 'classification'"),
    "warning": sa.text("warning IS NOT NULL"),
}
CHANGING = ("delivery", "delivery_body", "exchange")
SETTINGS = ("autovacuum_vacuum_scale_factor", "autovacuum_analyze_scale_factor")


def upgrade() -> None:
    for column, where in RARE.items():
        columns = ["company_id", column, "id"]
        op.create_index(f"ix_delivery_{column}", "delivery", columns, sqlite_where=where, postgresql_where=where)
    _set_autovacuum(f"SET ({', '.join(f'{name} = 0.02' for name in SETTINGS)})")


def downgrade() -> None:
    _set_autovacuum(f"RESET ({', '.join(SETTINGS)})")
    for column in RARE:
        op.drop_index(f"ix_delivery_{column}", "delivery")


def _set_autovacuum(words: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in CHANGING:
            op.execute(f"ALTER TABLE {table} {words}")
