"""Bodies are packed from now on, which only this version and later ones can read; those that are there stay as they
are, and are read as before.

Two indexes of deliveries hold what is asked by them and no more: one that goes out leaves that of days as it is. A
million deliveries take some seconds.

Revision ID: 0038
Revises: 0037
"""

import sqlalchemy as sa
from alembic import op

from portal.database.packing import unpack

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

DAY, REACHED = "ix_delivery_day", "ix_delivery_reached"
DELIVERED = sa.text("delivered_at IS NOT NULL")
CHUNK = 500


def upgrade() -> None:
    _make_indexes(["company_id", "created_at", "id"], ["contact_id", "delivered_at", "id"])


def downgrade() -> None:
    _unpack_all(op.get_bind())
    _make_indexes(["company_id", "created_at", "status", "trigger"], ["contact_id", "delivered_at", "id", "interest_level"])


def _make_indexes(of_day: list[str], of_reached: list[str]) -> None:
    op.drop_index(DAY, "delivery")
    op.create_index(DAY, "delivery", of_day)
    op.drop_index(REACHED, "delivery")
    op.create_index(REACHED, "delivery", of_reached, sqlite_where=DELIVERED, postgresql_where=DELIVERED)


def _unpack_all(connection: sa.Connection) -> None:
    number, content = sa.column("delivery_id", sa.BigInteger()), sa.column("content", sa.LargeBinary())
    bodies, last = sa.table("delivery_body", number, content), 0
    next_bodies = sa.select(bodies).order_by(number).limit(CHUNK)
    change = bodies.update().where(number == sa.bindparam("of")).values(content=sa.bindparam("unpacked"))
    while rows := connection.execute(next_bodies.where(number > last)).all():
        connection.execute(change, [{"of": row.delivery_id, "unpacked": unpack(row.content)} for row in rows])
        last = rows[-1].delivery_id
