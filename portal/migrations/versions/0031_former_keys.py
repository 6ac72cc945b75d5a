"""What those were matched by who were merged into other contacts, found by itself: a save reads only what it names.

Revision ID: 0031
Revises: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

FIELDS = ("linkedin_public_id", "email")
WHERE = sa.text("merged IS NOT NULL")


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    former_key = op.create_table(
        "former_key",
        sa.Column("contact_id", key, sa.ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("field", sa.String(32), primary_key=True),
        sa.Column("value", sa.String(254), primary_key=True),
    )
    op.create_index("ix_former_key_value", "former_key", ["value"])
    contact = sa.table("contact", sa.column("id", key), sa.column("merged", sa.JSON()))
    merged = op.get_bind().execute(sa.select(contact).where(contact.c.merged.is_not(None))).all()
    keys = {
        (contact_id, field, former[field])
        for contact_id, formers in merged
        for former in formers
        for field in FIELDS
        if former.get(field)
    }
    op.bulk_insert(former_key, [dict(zip(("contact_id", "field", "value"), each, strict=True)) for each in sorted(keys)])
    op.drop_index("ix_contact_merged", "contact")


def downgrade() -> None:
    op.create_index("ix_contact_merged", "contact", ["company_id", "id"], sqlite_where=WHERE, postgresql_where=WHERE)
    op.drop_table("former_key")
