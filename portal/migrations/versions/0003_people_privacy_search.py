"""A second factor, times that data is kept, notices, repeated calls, inspected requests, and search beyond the name.

Revision ID: 0003
Revises: 0002
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CHUNK = 1000


def upgrade() -> None:
    with op.batch_alter_table("company") as batch_op:
        batch_op.add_column(sa.Column("keep_bodies_days", sa.Integer(), nullable=False, server_default="30"))
        batch_op.add_column(sa.Column("keep_log_days", sa.Integer(), nullable=False, server_default="365"))
        batch_op.add_column(sa.Column("keep_audit_days", sa.Integer(), nullable=False, server_default="730"))
    with op.batch_alter_table("user_account") as batch_op:
        batch_op.add_column(sa.Column("totp_secret", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("totp_step", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("access_link") as batch_op:
        batch_op.drop_constraint(op.f("ck_access_link_purpose"), type_="check")
        batch_op.create_check_constraint(
            op.f("ck_access_link_purpose"), "purpose IN ('setup', 'invitation', 'reset')"
        )
    with op.batch_alter_table("endpoint") as batch_op:
        batch_op.add_column(
            sa.Column("notified_state", sa.String(length=16), nullable=False, server_default="active")
        )
        batch_op.add_column(sa.Column("notified_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("delivery") as batch_op:
        batch_op.create_index("ix_delivery_day", ["company_id", "created_at", "status"], unique=False)
        batch_op.create_index(
            "ix_delivery_reached",
            ["contact_id", "delivered_at", "id", "interest_level"],
            unique=False,
            sqlite_where=sa.text("delivered_at IS NOT NULL"),
            postgresql_where=sa.text("delivered_at IS NOT NULL"),
        )
    with op.batch_alter_table("contact") as batch_op:
        batch_op.add_column(sa.Column("search_text", sa.Text(), nullable=False, server_default=""))
    _fill_search_text()
    op.create_table(
        "idempotency_key",
        sa.Column("company_id", KEY, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
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
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_inspected_request_company_id_company")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspected_request")),
    )
    op.create_index("ix_inspected_request_company", "inspected_request", ["company_id", "id"])


def _fill_search_text() -> None:
    """The contacts' text for search, a thousand at a time: the database itself cannot leave out accents."""
    contact = sa.table(
        "contact",
        *map(sa.column, ("id", "name", "email", "linkedin_public_id", "current_company", "search_text")),
    )
    connection, last = op.get_bind(), 0
    while rows := connection.execute(
        sa.select(contact).where(contact.c.id > last).order_by(contact.c.id).limit(CHUNK)
    ).all():
        last = rows[-1].id
        connection.execute(
            sa.update(contact)
            .where(contact.c.id == sa.bindparam("contact_id"))
            .values(search_text=sa.bindparam("folded")),
            [
                {
                    "contact_id": row.id,
                    "folded": "\n".join(
                        _fold(each)
                        for each in (row.name, row.email, row.linkedin_public_id, row.current_company)
                        if each
                    ),
                }
                for row in rows
            ],
        )


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character)).casefold()
