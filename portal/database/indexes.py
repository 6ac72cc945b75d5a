"""What the models say of indexes: which rows one holds, in which order, and which database has it."""

from typing import Any

from sqlalchemy import Index, MetaData, text

ONLY_ON = "only on"  # says of an index which database has it, where the other has another of that name


def only(condition: str) -> dict[str, Any]:
    """Makes an index hold only the rows of which `condition`, in SQL, is true."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def few(**conditions: str) -> list[Index]:
    """Indexes of a company's contacts by name, each of the few of whom such a condition, in SQL, is true."""
    columns = "company_id", "search_name", "id"
    return [Index(f"ix_contact_{name}", *columns, **only(condition)) for name, condition in conditions.items()]


def by_number(name: str, *columns: str, **kept: Any) -> tuple[Index, Index]:
    """An index in which rows that are alike in these columns stand by their numbers.

    PostgreSQL has to be told so. SQLite ends every entry with the row's number by itself, and would hold it twice.
    """
    return _only_on("sqlite", name, *columns, **kept), _only_on("postgresql", name, *columns, "id", **kept)


def _only_on(dialect: str, name: str, *columns: str, **kept: Any) -> Index:
    return Index(name, *columns, info={ONLY_ON: dialect}, **kept).ddl_if(dialect=dialect)


def tables_on(dialect: str, tables: MetaData) -> MetaData:
    """A copy of the tables, with the indexes that they have on that database."""
    made = MetaData(naming_convention=tables.naming_convention)
    for table in tables.sorted_tables:
        copy = table.to_metadata(made)
        copy.indexes.clear()
        for index in table.indexes:
            if index.info.get(ONLY_ON, dialect) == dialect:
                columns = (copy.c[name] for name in index.columns.keys())  # noqa: SIM118 - those of SQLAlchemy
                Index(index.name, *columns, unique=index.unique, **index.dialect_kwargs)
    return made
