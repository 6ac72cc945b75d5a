"""SQLite's indexes of deliveries name the row's number no more: each entry ends with it by itself, and held it twice.
They find and sort what they did. PostgreSQL, where an entry holds only what it is told to, keeps its own.

Revision ID: 0042
Revises: 0041
"""

from collections.abc import Callable

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

NAMES = "due", "open", "log", "status", "contact", "campaign", "owner", "day", "reason", "trigger", "warning"
MADE = {f"ix_delivery_{name}" for name in (*NAMES, "unpurged", "reached", "sending")}
# SQLite chooses among indexes that are alike by the order in which they were made: so they are made anew in it.
INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'delivery' ORDER BY rowid"


def upgrade() -> None:
    _make_anew(lambda words: words.replace(", id)", ")", 1))


def downgrade() -> None:
    _make_anew(lambda words: words.replace(")", ", id)", 1))


def _make_anew(change: Callable[[str], str]) -> None:
    """Make each of the indexes in other words."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    found = [index for index in connection.exec_driver_sql(INDEXES).all() if index.name in MADE]
    for index in found:
        connection.exec_driver_sql(f"DROP INDEX {index.name}")
    for index in found:
        connection.exec_driver_sql(index.sql if index.name == "ix_delivery_sending" else change(index.sql))
