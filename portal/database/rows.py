"""Rows that come into a statement as one parameter, and looks by index, in the words of both databases."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    BindParameter,
    Dialect,
    LargeBinary,
    Select,
    Subquery,
    TableValuedAlias,
    bindparam,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import Boolean, TypeEngine, UserDefinedType

Type = TypeEngine[Any]

_as_json = json.JSONEncoder(separators=(",", ":"), default=str).encode  # strange to JSON are PostgreSQL's times


def given(name: str, type_: Type) -> BindParameter[Any]:
    """A parameter, which every execution has a value for."""
    return bindparam(name, None, type_=type_)


def rows_of(name: str, /, **types: Type) -> Subquery:
    """Rows that come in as one parameter, of that name: as many lists of values, one for each of the types."""
    elements = _elements(given(name, _Rows(types))).table_valued(*{"value", *types}, name=f"{name}_json")
    columns = [_item(elements.c, at, key, type_).label(key) for at, (key, type_) in enumerate(types.items())]
    return select(*columns).select_from(elements).subquery(name)


class within(ColumnElement[bool]):
    """Whether a column is one of what a select finds, which runs once and is followed by a look into an index."""

    inherit_cache = False
    type = Boolean()
    _traverse_internals = [  # noqa: RUF012 - as SQLAlchemy reads it
        ("column", InternalTraversal.dp_clauseelement),
        ("found", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: ColumnElement[Any], found: Select[Any]) -> None:
        self.column, self.found = column, found.scalar_subquery()

    def self_group(self, against: Any = None) -> "within":
        """It stands alone: SQLAlchemy would compare it with 1, and SQLite then use no index."""
        return self


class by_index(within):
    """What a join says already, said again for PostgreSQL, which believes that an empty table stays small.

    It would read all of it to join. SQLite takes the index without being told.
    """

    inherit_cache = False


def each_of(name: str, found: Select[Any]) -> TableValuedAlias:
    """The numbers that a select finds for each row of another table, of which it may speak; in a column `value`."""
    return _each_of(found.scalar_subquery()).table_valued("value", name=name)


class _each_of(FunctionElement[Any]):
    inherit_cache = True


class _elements(FunctionElement[Any]):
    """The elements of a JSON array, one a row, in the column `value`."""

    inherit_cache = True


class _item(ColumnElement[Any]):
    """One value of a JSON array, in a type."""

    inherit_cache = False

    def __init__(self, columns: ReadOnlyColumnCollection[str, Any], at: int, key: str, type_: Type) -> None:
        self.array, self.named, self.at, self.type = columns.value, columns[key], at, type_


class _Rows(UserDefinedType[Sequence[Sequence[Any]]]):
    """A list of rows as JSON: lists, or for PostgreSQL, which reads all values of one at once then, objects."""

    cache_ok = False

    def __init__(self, types: Mapping[str, Type]) -> None:
        self.types = types

    def get_col_spec(self, **_: Any) -> str:
        return "JSON"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        writers = [(at, _writer_of(type_, dialect)) for at, type_ in enumerate(self.types.values())]
        special = [(at, write) for at, write in writers if write is not None]
        names = tuple(self.types) if dialect.name == "postgresql" else ()

        def process(rows: Any) -> str:
            written = [list(row) for row in rows]
            for row in written:
                for at, write in special:
                    row[at] = write(row[at])
            return _as_json([dict(zip(names, row, strict=True)) for row in written] if names else written)

        return process


def _writer_of(type_: Type, dialect: Dialect) -> Callable[[Any], Any] | None:
    """What makes a value of that type one of JSON's; None where it is one already."""
    kind = getattr(type_, "impl_instance", type_)
    if isinstance(kind, JSON):
        return None  # it nests
    if isinstance(kind, LargeBinary):
        pack = None if kind is type_ else type_.bind_processor(dialect)
        return lambda value: None if value is None else f"\\x{(pack(value) if pack else value).hex()}"
    return type_.dialect_impl(dialect).bind_processor(dialect)


@compiles(within, "sqlite")
def _within_on_sqlite(element: within, compiler: SQLCompiler, **options: Any) -> str:
    return f"{compiler.process(element.column, **options)} IN {compiler.process(element.found, **options)}"


@compiles(by_index, "sqlite")
def _by_index_on_sqlite(_element: by_index, _compiler: SQLCompiler, **_: Any) -> str:
    return "1"


@compiles(within, "postgresql")
def _within_on_postgresql(element: within, compiler: SQLCompiler, **options: Any) -> str:
    """An array is no join: whatever is believed of the tables' sizes, it cannot be run again for each row."""
    column, found = compiler.process(element.column, **options), compiler.process(element.found, **options)
    return f"{column} = ANY (ARRAY{found})"


@compiles(_elements, "sqlite")
def _elements_on_sqlite(element: _elements, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_elements, "postgresql")
def _elements_on_postgresql(element: _elements, compiler: SQLCompiler, **options: Any) -> str:
    (bound,) = element.clauses
    kinds: Any = compiler.dialect.type_compiler_instance
    types: dict[str, Type] = bound.type.types  # type: ignore[attr-defined]
    columns = ", ".join(f"{compiler.preparer.quote(key)} {kinds.process(type_)}" for key, type_ in types.items())
    return f"ROWS FROM (json_to_recordset(CAST({compiler.process(bound, **options)} AS JSON)) AS ({columns}))"


@compiles(_each_of, "sqlite")
def _each_of_on_sqlite(element: _each_of, compiler: SQLCompiler, **options: Any) -> str:
    rows = compiler.process(element.clauses, **options)
    return f"json_each((SELECT json_group_array(id) FROM {rows}))"  # noqa: S608  # nosec B608 - no text but ours


@compiles(_each_of, "postgresql")
def _each_of_on_postgresql(element: _each_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"LATERAL (SELECT unnest(ARRAY{compiler.process(element.clauses, **options)}) AS value)"


@compiles(_item, "sqlite")
def _item_on_sqlite(element: _item, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_extract({compiler.process(element.array, **options)}, '$[{element.at}]')"


@compiles(_item, "postgresql")
def _item_on_postgresql(element: _item, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.named, **options)
