"""What the report asks of a classification stands in its row, and in one index: the contact's campaign and owner, which
the database itself changes with the contact's; when the contact was set to that level again; and when the CRM first took
what told of it, or anything later of the contact. The last is known for as long as the row, however soon the log goes.

Revision ID: 0037
Revises: 0036
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DAY, PLACE, REFERENCE = "ix_classification_day", "uq_contact_place", "fk_classification_contact_id_contact"
OF_BEFORE = ["company_id", "created_at", "new_level", "contact_id"]
PLACES = ["contact_id", "campaign_id", "owner_id"]
MOMENTS = ["repeated_at", "arrived_at"]
LATER = "LEAD(created_at) OVER (PARTITION BY contact_id, new_level ORDER BY created_at, id)"
ARRIVED = """
SELECT min(coalesce(
  (SELECT min(started_at) FROM attempt WHERE attempt.delivery_id = delivery.id
     AND attempt.number < delivery.attempt_count AND attempt.reason IN ('ok_empty', 'ok_json', 'ok_text')),
  delivery.delivered_at))
FROM delivery WHERE delivery.contact_id = classification.contact_id AND delivery.delivered_at IS NOT NULL
  AND (delivery.created_at = classification.created_at
       OR delivery.former_contact_id IS NULL AND delivery.created_at > classification.created_at)
"""


def upgrade() -> None:
    # SQLite's foreign keys were not always on.
    op.execute("DELETE FROM classification WHERE NOT EXISTS (SELECT 1 FROM contact WHERE contact.id = contact_id)")
    op.drop_index(DAY, "classification")
    op.create_index(PLACE, "contact", ["id", "campaign_id", "owner_id"], unique=True)
    for name in PLACES[1:]:
        op.add_column("classification", sa.Column(name, KEY, nullable=True))
    for name in MOMENTS:
        op.add_column("classification", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE classification SET campaign_id = contact.campaign_id, owner_id = contact.owner_id,"
        f" arrived_at = CASE WHEN new_level IS NOT NULL THEN ({ARRIVED}) END"  # nosec B608
        " FROM contact WHERE contact.id = classification.contact_id"
    )
    op.execute(
        "UPDATE classification SET repeated_at = found.later"
        f" FROM (SELECT id, {LATER} AS later FROM classification WHERE new_level IS NOT NULL) AS found"  # nosec B608
        " WHERE found.id = classification.id AND found.later IS NOT NULL"
    )
    with op.batch_alter_table("classification") as batch:
        batch.drop_constraint(REFERENCE, type_="foreignkey")
        for name in PLACES[1:]:
            batch.alter_column(name, existing_type=KEY, nullable=False)
        batch.create_foreign_key(
            REFERENCE, "contact", PLACES, ["id", "campaign_id", "owner_id"], onupdate="CASCADE", ondelete="CASCADE"
        )
    op.create_index(DAY, "classification", [*OF_BEFORE, "campaign_id", "owner_id", *MOMENTS])


def downgrade() -> None:
    op.drop_index(DAY, "classification")
    with op.batch_alter_table("classification") as batch:
        batch.drop_constraint(REFERENCE, type_="foreignkey")
        batch.create_foreign_key(REFERENCE, "contact", ["contact_id"], ["id"], ondelete="CASCADE")
        for name in (*PLACES[1:], *MOMENTS):
            batch.drop_column(name)
    op.create_index(DAY, "classification", OF_BEFORE)
    op.drop_index(PLACE, "contact")
