"""A word is looked for in an index that holds what is searched, which is a third of what the contacts take: on SQLite,
since PostgreSQL takes no long texts in an index. Somebody's contacts, and who replied since they were classified, are
read by indexes of these. A hundred thousand contacts take a second.

Revision ID: 0040
Revises: 0039
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

COMPANY, SEARCHED, OWNER, REPLIED = "ix_contact_company", "ix_contact_searched", "ix_contact_owner", "ix_contact_replied"
NONE = sa.false()
SINCE = sa.text("reply_date IS NOT NULL AND (classified_at IS NULL OR reply_date > classified_at)")


def upgrade() -> None:
    op.create_index(SEARCHED, "contact", ["company_id", "id", "search_text", "phone"], postgresql_where=NONE)
    op.create_index(OWNER, "contact", ["company_id", "owner_id", "search_name", "id"])
    by_name = ["company_id", "search_name", "id"]
    op.create_index(REPLIED, "contact", by_name, sqlite_where=SINCE, postgresql_where=SINCE)
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index(COMPANY, "contact")
        op.create_index(COMPANY, "contact", ["company_id", "id"], sqlite_where=NONE)


def downgrade() -> None:
    for name in (REPLIED, OWNER, SEARCHED):
        op.drop_index(name, "contact")
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index(COMPANY, "contact")
        op.create_index(COMPANY, "contact", ["company_id", "id"])
