"""Run by Alembic, with the connection that `database.upgrading` hands over."""

from typing import Any, Literal

from alembic import context

from portal.database.indexes import tables_on
from portal.database.tables import Base, UTCDateTime


def render_item(kind: str, item: Any, _autogenerate: Any) -> str | Literal[False]:
    """A migration names plain types: it must mean the same when ours have changed."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=tables_on(connection.dialect.name, Base.metadata),
    render_as_batch=True,
    render_item=render_item,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
