"""SQLite keeps the 32 digits of a delivery's id as 16 bytes from now on, in the row and in its index, in place of a text
of 36 letters. PostgreSQL keeps the text. What is no such id stays as it is.

Revision ID: 0043
Revises: 0042
"""

import re
from collections.abc import Callable
from typing import Any

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

WHOLE = re.compile("msg_[0-9a-f]{32}")


def upgrade() -> None:
    _rewrite(lambda stored: bytes.fromhex(stored[4:]) if isinstance(stored, str) and WHOLE.fullmatch(stored) else stored)


def downgrade() -> None:
    _rewrite(lambda stored: f"msg_{stored.hex()}" if isinstance(stored, bytes) else stored)


def _rewrite(change: Callable[[str | bytes], str | bytes]) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.create_function("changed", 1, change, deterministic=True)
        connection.exec_driver_sql("UPDATE delivery SET webhook_id = changed(webhook_id)")
