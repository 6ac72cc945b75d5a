"""A second factor, how long data is kept, notices, repeated calls of the API, inspected requests, and what the CRM knows.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BEHIND = sa.text("interest_level <> coalesce(delivered_level, 0)")


def upgrade() -> None:
    with op.batch_alter_table("company") as batch_op:
        batch_op.add_column(sa.Column("keep_bodies_days", sa.Integer(), nullable=False, server_default="30"))
        batch_op.add_column(sa.Column("keep_log_days", sa.Integer(), nullable=False, server_default="365"))
        batch_op.add_column(sa.Column("keep_audit_days", sa.Integer(), nullable=False, server_default="730"))
        batch_op.add_column(sa.Column("inspector_token", sa.String(length=32), nullable=True))
        batch_op.create_unique_constraint(op.f("uq_company_inspector_token"), ["inspector_token"])
    with op.batch_alter_table("user_account") as batch_op:
        batch_op.add_column(sa.Column("timezone", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("totp_secret", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("totp_step", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("access_link") as batch_op:
        batch_op.drop_constraint(op.f("ck_access_link_purpose"), type_="check")
        batch_op.create_check_constraint(
            op.f("ck_access_link_purpose"), "purpose IN ('setup', 'invitation', 'reset')"
        )
    with op.batch_alter_table("endpoint") as batch_op:
        batch_op.add_column(sa.Column("answer_shape", sa.String(length=200), nullable=True))
        batch_op.add_column(
            sa.Column("notified_state", sa.String(length=16), nullable=False, server_default="active")
        )
        batch_op.add_column(sa.Column("notified_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("notice_error", sa.String(length=200), nullable=True))
    with op.batch_alter_table("contact") as batch_op:
        batch_op.add_column(sa.Column("classified_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("delivered_level", sa.Integer(), nullable=True))
    _fill_what_the_crm_knows()
    op.drop_index("ix_delivery_day", "delivery")
    op.create_index("ix_delivery_day", "delivery", ["company_id", "created_at", "status", "trigger"])
    op.create_index(
        "ix_contact_behind",
        "contact",
        ["company_id", "interest_level", "classified_at", "id"],
        sqlite_where=BEHIND,
        postgresql_where=BEHIND,
    )
    op.create_table(
        "idempotency_key",
        sa.Column("company_id", KEY, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_idempotency_key_company_id_company")),
        sa.PrimaryKeyConstraint("company_id", "key", name=op.f("pk_idempotency_key")),
    )
    op.create_index(op.f("ix_idempotency_key_created_at"), "idempotency_key", ["created_at"])
    op.create_table(
        "inspected_request",
        sa.Column("id", KEY, nullable=False),
        sa.Column("company_id", KEY, nullable=False),
        sa.Column("signature", sa.String(length=16), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_inspected_request_company_id_company")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspected_request")),
    )
    op.create_index("ix_inspected_request_company", "inspected_request", ["company_id", "id"])
    op.create_table(
        "attempt_count",
        sa.Column("company_id", KEY, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("up_to_ms", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("total_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_attempt_count_company_id_company")),
        sa.PrimaryKeyConstraint("company_id", "status", "reason", "up_to_ms", name=op.f("pk_attempt_count")),
    )


def _fill_what_the_crm_knows() -> None:
    """When each contact's level was set, and the level that was delivered last."""
    op.execute(
        "UPDATE contact SET"
        " classified_at = (SELECT max(created_at) FROM classification WHERE contact_id = contact.id),"
        " delivered_level = (SELECT interest_level FROM delivery"
        " WHERE contact_id = contact.id AND delivered_at IS NOT NULL ORDER BY delivered_at DESC, id DESC LIMIT 1)"
    )
