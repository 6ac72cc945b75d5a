"""Outages, each with the deliveries that it held up. One that lasts while this runs is known from the endpoint.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "outage",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("company_id", KEY, sa.ForeignKey("company.id"), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("status_code", sa.Integer()),
        sa.Column("held", sa.Integer()),
    )
    op.create_index("ix_outage_company", "outage", ["company_id", "id"])
    op.create_table(
        "held_delivery",
        sa.Column("outage_id", KEY, sa.ForeignKey("outage.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("delivery_id", KEY, sa.ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True),
    )
    op.create_index("ix_held_delivery_delivery_id", "held_delivery", ["delivery_id"])
    op.execute(
        "INSERT INTO outage (company_id, began_at, reason, status_code)"
        " SELECT endpoint.company_id, endpoint.failing_since, attempt.reason, attempt.status_code"
        " FROM endpoint JOIN attempt ON attempt.id ="
        " (SELECT max(last.id) FROM attempt AS last WHERE last.delivery_id = endpoint.last_failed_delivery_id)"
        " WHERE endpoint.url IS NOT NULL AND endpoint.failing_since IS NOT NULL"
        " AND (endpoint.state = 'failing' OR endpoint.paused_reason IN ('gone', 'outage'))"
    )


def downgrade() -> None:
    op.drop_table("held_delivery")
    op.drop_table("outage")
