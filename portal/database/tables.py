"""What tables are made of: names, numbers, references, and the types that both databases have to be told of."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    TypeDecorator,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Pairs = Sequence[Sequence[str]]
ZONE = "+00:00"


class Base(DeclarativeBase):
    """What every table inherits: `AccessLink` is the table `access_link`."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)

    @declared_attr.directive
    def __tablename__(cls) -> str:
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


# A row's number: SQLite counts by itself only in a column called INTEGER.
Key = BigInteger().with_variant(Integer(), "sqlite")


class Numbered(Base):
    """What every table inherits whose rows have a number."""

    __abstract__ = True
    id: Mapped[int] = mapped_column(Key, primary_key=True)


# For tables whose numbers others keep: SQLite too never gives the number of a deleted row to another row.
GIVEN_ONCE = {"sqlite_autoincrement": True}


def one_of(column: str, values: tuple[Any, ...]) -> CheckConstraint:
    """A check that the column holds one of the values, or nothing."""
    listed = ", ".join(repr(value) for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def following(table: str, **columns: str) -> ForeignKeyConstraint:
    """A reference to these columns of a row, unique there: they change with it, and this row goes with it."""
    refers_to = [f"{table}.{column}" for column in columns.values()]
    return ForeignKeyConstraint(list(columns), refers_to, onupdate="CASCADE", ondelete="CASCADE")


def only(condition: str) -> dict[str, Any]:
    """Makes an index hold only the rows of which `condition`, in SQL, is true."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def few(**conditions: str) -> list[Index]:
    """Indexes of a company's contacts by name, each of the few of whom such a condition, in SQL, is true."""
    columns = "company_id", "search_name", "id"
    return [Index(f"ix_contact_{name}", *columns, **only(condition)) for name, condition in conditions.items()]


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, also on SQLite, which keeps no zone.

    What SQLite keeps is written and read here in the form that SQLAlchemy gives it, in a third of its time.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _in_utc(value)

    def bind_processor(self, dialect: Dialect) -> Any:
        return _time_as_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return _time_from_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def _time_as_text(value: datetime | None) -> str | None:
    return None if value is None else _text_of(_in_utc(value))


@lru_cache(maxsize=64)  # the rows that are written at once say few moments
def _text_of(moment: datetime) -> str:
    return moment.isoformat(" ", "microseconds")[: -len(ZONE)]


def _time_from_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text + ZONE)


class Headers(TypeDecorator[Pairs]):
    """Names with their values, as JSON, which is written here in a fraction of its usual time: each try has two."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        return _headers_as_text


def _headers_as_text(headers: Pairs) -> str:
    quote = encode_basestring_ascii
    return f"[{', '.join([f'[{quote(name)}, {quote(value)}]' for name, value in headers])}]"
