"""The campaigns' names as they are stored from now on: on one line, without blanks around and marks that nobody sees.

Of several that then have one name the one that had it before keeps it, else the oldest gets it; the others get a number
behind it. So a sender that goes on saying `A  B` means `A B` from now on, also where both were there and the campaign
that was called `A  B` is `A B (2)` now. Nobody's data counts as changed; no webhook fires.

Revision ID: 0035
Revises: 0034
"""

from itertools import chain, count

import sqlalchemy as sa
from alembic import op

from portal.rules.identity import clean_text

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

LENGTH = 200
NAMELESS = "?"


def upgrade() -> None:
    campaign = sa.table("campaign", *(sa.column(name) for name in ("id", "company_id", "name")))
    connection = op.get_bind()
    rows = connection.execute(sa.select(campaign).order_by(campaign.c.id)).all()
    taken = {(row.company_id, row.name) for row in rows}
    for row in rows:
        name = clean_text(row.name) or NAMELESS
        if name == row.name:
            continue
        names = chain([name], (f"{name[: LENGTH - 8]} ({number})" for number in count(2)))
        free = next(each for each in names if (row.company_id, each) not in taken)
        taken.add((row.company_id, free))
        connection.execute(campaign.update().where(campaign.c.id == row.id).values(name=free))


def downgrade() -> None:
    """What was stored before is in no column any more, and what is stored now is as good for the older version."""
