"""The contacts' LinkedIn ids and e-mails as they are stored from now on: bare, in lower case, none that names nobody.

Contacts that then look alike stay apart, nobody's data counts as changed, and no webhook fires.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from portal.rules.folding import fold
from portal.rules.identity import email_address, linkedin_id

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PAGE = 1000
IDENTITIES = ("linkedin_public_id", "email")


def upgrade() -> None:
    names = ("id", "name", *IDENTITIES, "current_company", "search_text")
    contacts = sa.table("contact", *(sa.column(name) for name in names))
    connection, last = op.get_bind(), 0
    has_any = sa.or_(*(contacts.c[name].is_not(None) for name in IDENTITIES))
    page = sa.select(contacts).where(has_any).order_by(contacts.c.id).limit(PAGE)
    change = (
        contacts.update()
        .where(contacts.c.id == sa.bindparam("contact_id"))
        .values({name: sa.bindparam(f"new_{name}") for name in (*IDENTITIES, "search_text")})
    )
    while rows := connection.execute(page.where(contacts.c.id > last)).mappings().all():
        last = rows[-1]["id"]
        if changed := [new for row in rows if (new := _normalised(row))]:
            connection.execute(change, changed)


def downgrade() -> None:
    """What was stored before is in no column any more, and what is stored now is as good for the older version."""


def _normalised(row: sa.RowMapping) -> dict[str, object] | None:
    """What changes in a contact; None when nothing does."""
    linkedin = linkedin_id(row["linkedin_public_id"] or "")
    email = email_address(row["email"] or "")
    if (linkedin, email) == (row["linkedin_public_id"], row["email"]):
        return None
    texts = (row["name"], email, linkedin, row["current_company"])
    return {
        "contact_id": row["id"],
        "new_linkedin_public_id": linkedin,
        "new_email": email,
        "new_search_text": "\n".join(fold(text) for text in texts if text),
    }
