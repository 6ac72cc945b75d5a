"""SQLite keeps times as numbers from now on, the microseconds since 1970 began in UTC, in place of texts of 26 letters.
PostgreSQL has a type for times, and nothing changes there.

The columns stay as they are declared: SQLite keeps a number in them as a number. What somebody wrote by hand and is no
time stays. A million deliveries with an attempt each take half a minute, and all of it is one transaction.

Revision ID: 0041
Revises: 0040
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

TIMES = {
    "company": "created_at closed_at",
    "user_account": "proxied_at created_at disabled_at",
    "access_link": "created_at expires_at used_at mailed_at",
    "api_token": "created_at last_used_at revoked_at",
    "contact": "invite_date accept_date collect_date reply_date classified_at data_changed_at delivered_frozen_at "
    "created_at updated_at",
    "message": "date",
    "classification": "created_at repeated_at arrived_at",
    "endpoint": "old_secret_until failing_since next_probe_at last_success_at last_failure_at crm_since updated_at "
    "notified_at",
    "chat": "notified_at",
    "delivery": "next_attempt_at lease_expires_at created_at delivered_at",
    "attempt": "started_at",
    "task": "lease_expires_at created_at started_at finished_at",
    "imported_contact": "saved_at",
    "audit_entry": "created_at",
    "cause_note": "written_at",
    "idempotency_key": "created_at",
    "login_failure": "at",
    "inspected_request": "received_at",
    "outage": "began_at ended_at",
    "worker_heartbeat": "seen_at",
}
# Of a text the seconds and then up to six digits of their parts; of a number the same, rounded down also before 1970.
AS_NUMBER = (
    "coalesce(strftime('%s', substr({0}, 1, 19)) * 1000000 + CAST(substr(substr({0}, 21) || '000000', 1, 6) AS INTEGER),"
    " {0})"
)
PARTS = "(({0} % 1000000 + 1000000) % 1000000)"
AS_TEXT = (
    f"CASE typeof({{0}}) WHEN 'integer' THEN strftime('%Y-%m-%d %H:%M:%S', ({{0}} - {PARTS}) / 1000000, 'unixepoch')"
    f" || printf('.%06d', {PARTS}) ELSE {{0}} END"
)
# SQLite chooses among indexes that are alike by the order in which they were made: so they are made anew in it.
INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL ORDER BY rowid"


def upgrade() -> None:
    _rewrite_times(AS_NUMBER)


def downgrade() -> None:
    _rewrite_times(AS_TEXT)


def _rewrite_times(words: str) -> None:
    """Write every time so, while no index has to follow each row's change."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    for table, names in TIMES.items():
        indexes = connection.exec_driver_sql(INDEXES, (table,)).all()
        for index in indexes:
            connection.exec_driver_sql(f'DROP INDEX "{index.name}"')
        changes = ", ".join(f"{name} = {words.format(name)}" for name in names.split())
        connection.exec_driver_sql(f"UPDATE {table} SET {changes}")  # noqa: S608  # nosec B608 - no text but ours
        for index in indexes:
            connection.exec_driver_sql(index.sql)
