"""${message}

Migrations are only added, never edited once released. Each runs on SQLite (batch mode) and PostgreSQL, works on data
as well as on an empty database, and leaves the version before able to be restored from the backup taken first.

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
