"""Search beyond the name, and indexes for the daily chart and for what last reached the CRM.

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

CHUNK = 1000


def upgrade() -> None:
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
