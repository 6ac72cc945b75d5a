"""The bodies of deliveries, and what was said at attempts, in tables of their own: they are most of the database, never
change, and go before the rest does. Rows deleted whole free whole pages.

Both tables are written anew without them. On PostgreSQL a dropped column stays in the rows until that.

Revision ID: 0018
Revises: 0017
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SAID: dict[str, sa.Column[Any]] = {
    "detail": sa.Column("detail", sa.Text(), nullable=True),
    "request_headers": sa.Column("request_headers", sa.JSON(), nullable=False, server_default="[]"),
    "response_headers": sa.Column("response_headers", sa.JSON(), nullable=False, server_default="[]"),
    "response_body": sa.Column("response_body", sa.LargeBinary(), nullable=True),
}


def upgrade() -> None:
    op.create_table(
        "delivery_body",
        sa.Column("delivery_id", KEY, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_delivery_body_delivery_id_delivery"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_delivery_body")),
    )
    op.create_table(
        "exchange",
        sa.Column("attempt_id", KEY, nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("request_headers", sa.JSON(), nullable=False),
        sa.Column("response_headers", sa.JSON(), nullable=False),
        sa.Column("response_body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempt.id"], name=op.f("fk_exchange_attempt_id_attempt"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_exchange")),
    )
    op.execute("INSERT INTO delivery_body SELECT id, body FROM delivery WHERE body IS NOT NULL ORDER BY id")
    op.execute(
        f"INSERT INTO exchange SELECT id, {', '.join(SAID)} FROM attempt"  # nosec B608
        " WHERE response_body IS NOT NULL OR detail IS NOT NULL OR CAST(request_headers AS TEXT) <> '[]' ORDER BY id"
    )
    op.add_column("delivery", sa.Column("has_body", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.execute("UPDATE delivery SET has_body = false WHERE body IS NULL")
    _drop("delivery", "body")
    _drop("attempt", *SAID)


def _drop(table: str, *columns: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        _make_anew_without(table, *columns)
        return
    for column in columns:
        op.drop_column(table, column)
    op.execute(f"CLUSTER {table} USING pk_{table}")


def _make_anew_without(table: str, *columns: str) -> None:
    """SQLite's indexes are made after the rows, and in the order in which they were made: its plans go by that too."""
    named = "FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = :table ORDER BY rowid"
    indexes = op.get_bind().execute(sa.text(f"SELECT name, sql {named}"), {"table": table}).all()
    for index in indexes:
        op.drop_index(index.name, table)
    with op.batch_alter_table(table, recreate="always") as batch:
        for column in columns:
            batch.drop_column(column)
    for index in indexes:
        op.execute(index.sql)


def downgrade() -> None:
    op.add_column("delivery", sa.Column("body", sa.LargeBinary(), nullable=True))
    op.execute("UPDATE delivery SET body = (SELECT content FROM delivery_body WHERE delivery_id = delivery.id)")
    op.drop_column("delivery", "has_body")
    for column in SAID.values():
        op.add_column("attempt", column)
    for name in SAID:
        op.execute(
            f"UPDATE attempt SET {name} = (SELECT {name} FROM exchange WHERE attempt_id = attempt.id)"  # nosec B608
            " WHERE id IN (SELECT attempt_id FROM exchange)"
        )
    op.drop_table("exchange")
    op.drop_table("delivery_body")
