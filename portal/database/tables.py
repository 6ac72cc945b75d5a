"""What tables are made of: names, numbers, references, and the types that both databases have to be told of."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring_ascii
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    BindParameter,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    TypeDecorator,
    literal,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Pairs = Sequence[Sequence[str]]
PUBLIC_ID = re.compile("msg_[0-9a-f]{32}")
EPOCH, MICROSECOND, DAY_SECONDS = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1), 24 * 60 * 60


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


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite, which has no times, keeps how many microseconds after 1970 began it is.

    That is a number of 8 bytes, which tables and indexes hold several of for each delivery; a text takes 27.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _in_utc(value)

    def bind_processor(self, dialect: Dialect) -> Any:
        return _as_number if dialect.name == "sqlite" else super().bind_processor(dialect)

    def literal_processor(self, dialect: Dialect) -> Any:
        return _as_digits if dialect.name == "sqlite" else super().literal_processor(dialect)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return _from_number if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def moment(value: datetime) -> BindParameter[datetime]:
    """A time as a parameter of a statement, where no column beside it tells its type."""
    return literal(value, UTCDateTime())


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def _as_number(value: datetime | None) -> int | None:
    if value is None:
        return None
    since = _in_utc(value) - EPOCH
    return (since.days * DAY_SECONDS + since.seconds) * 1_000_000 + since.microseconds


def _as_digits(value: datetime) -> str:
    return str(_as_number(value))


def _from_number(number: int | None) -> datetime | None:
    return None if number is None else EPOCH + number * MICROSECOND


class PublicId(TypeDecorator[str]):
    """The id of a delivery that others know: `msg_` and 32 hexadecimal digits, of which SQLite keeps the 16 bytes.

    What is no such id is kept as the text that it is.
    """

    impl = String(40)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        return _as_bytes if dialect.name == "sqlite" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return _from_bytes if dialect.name == "sqlite" else None


def _as_bytes(public_id: str | None) -> str | bytes | None:
    return bytes.fromhex(public_id[4:]) if public_id and PUBLIC_ID.fullmatch(public_id) else public_id


def _from_bytes(stored: str | bytes | None) -> str | None:
    return f"msg_{stored.hex()}" if isinstance(stored, bytes) else stored


class last_six(FunctionElement[str]):
    """The last six digits of a column of public ids."""

    inherit_cache = True
    type = String()


@compiles(last_six, "sqlite")
def _last_six_on_sqlite(element: last_six, compiler: SQLCompiler, **options: Any) -> str:
    return f"lower(hex(substr({compiler.process(element.clauses, **options)}, -3)))"


@compiles(last_six, "postgresql")
def _last_six_on_postgresql(element: last_six, compiler: SQLCompiler, **options: Any) -> str:
    return f"right({compiler.process(element.clauses, **options)}, 6)"


class Headers(TypeDecorator[Pairs]):
    """Names with their values, as JSON, which is written here in a fraction of its usual time: each try has two."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        return _headers_as_text


def _headers_as_text(headers: Pairs) -> str:
    quote = encode_basestring_ascii
    return f"[{', '.join([f'[{quote(name)}, {quote(value)}]' for name, value in headers])}]"
