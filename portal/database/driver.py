"""Statements of the hottest way: written in SQLAlchemy Core, compiled once for each database, run by the driver itself.

What SQLAlchemy does around each execution costs more there than what the database does. Errors stay SQLAlchemy's.
"""

import json
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    BindParameter,
    Connection,
    Dialect,
    Select,
    Subquery,
    Table,
    UpdateBase,
    bindparam,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.visitors import InternalTraversal, replacement_traverse
from sqlalchemy.types import Boolean, TypeEngine, UserDefinedType

Type = TypeEngine[Any]

_as_json = json.JSONEncoder(separators=(",", ":"), default=str).encode  # strange to JSON are PostgreSQL's times


class Statement:
    """A Core statement, whose parameters are `given`, each one value, or `rows_of` values.

    PostgreSQL keeps the plan of what is run often. With `plans_anew` it does not: for what finds few rows at one time
    and many at another, while the table grows.
    """

    def __init__(self, element: Select[Any] | UpdateBase, *, plans_anew: bool = False) -> None:
        self._plans_anew = plans_anew
        self._element: Any = replacement_traverse(element, {}, _as_literal)
        self._compiled: dict[str, Compiled] = {}

    def all(self, connection: Connection, **values: Any) -> list[Any]:
        """Run it once. Returns its rows, whose columns have names."""
        compiled = self.compiled_for(connection.dialect)
        cursor = _run(connection, compiled, compiled.bind(values))
        rows = cursor.fetchall()
        cursor.close()
        return [compiled.row_of(row) for row in rows]

    def run(self, connection: Connection, **values: Any) -> None:
        """Run it once, for what it does."""
        compiled = self.compiled_for(connection.dialect)
        _run(connection, compiled, compiled.bind(values)).close()

    def run_many(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run it for each of the rows."""
        compiled = self.compiled_for(connection.dialect)
        bound = [compiled.bind(row) for row in rows]
        is_one = len(bound) == 1  # for many psycopg begins a pipeline, which costs more than the row
        _run(connection, compiled, bound[0] if is_one else bound, many=not is_one).close()

    def compiled_for(self, dialect: Dialect) -> "Compiled":
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = Compiled(self._element, dialect, plans_anew=self._plans_anew)
        return compiled


class Hold(Statement):
    """A Core select that only locks rows. Whoever writes on SQLite has locked all of them, and asks nothing there."""

    def run(self, connection: Connection, **values: Any) -> None:
        if connection.dialect.name != "sqlite":
            super().run(connection, **values)


class Compiled:
    """A statement in the words of one database, with what turns values into the driver's and back."""

    def __init__(self, element: Any, dialect: Dialect, *, plans_anew: bool) -> None:
        self.options = {"prepare": False} if plans_anew and dialect.name == "postgresql" else {}
        compiled = element.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self.sql = str(compiled)
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        types = {name: bound.type.dialect_impl(dialect) for name, bound in compiled.binds.items()}
        writers = {
            # Both drivers take what is true or false as it is.
            name: None if name in self._fixed or isinstance(type_, Boolean) else type_.bind_processor(dialect)
            for name, type_ in types.items()
        }
        self._is_by_place = compiled.positiontup is not None
        self._ways = [(name, writers[name]) for name in compiled.positiontup or compiled.params]
        columns = list(getattr(element, "exported_columns", ()))
        row: Any = namedtuple("row", [column.key for column in columns])  # type: ignore[misc]
        self._row = row._make
        readers = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        self._readers = [(at, read) for at, read in enumerate(readers) if read is not None]

    def bind(self, values: Mapping[str, Any]) -> Any:
        """The parameters as the driver takes them: by place, or by name."""
        if self._fixed:
            values = {**values, **self._fixed}
        if self._is_by_place:
            return [values[name] if write is None else write(values[name]) for name, write in self._ways]
        return {name: values[name] if write is None else write(values[name]) for name, write in self._ways}

    def row_of(self, row: Sequence[Any]) -> Any:
        """A row of the driver's, in Python's types."""
        if self._readers:
            row = list(row)
            for at, read in self._readers:
                row[at] = read(row[at])
        return self._row(row)


def given(name: str, type_: Type) -> BindParameter[Any]:
    """A parameter, which every execution has a value for."""
    return bindparam(name, None, type_=type_)


def rows_of(name: str, /, **types: Type) -> Subquery:
    """Rows that come in as one parameter, of that name: as many lists of values, one for each of the types."""
    elements = _elements(given(name, _Rows(tuple(types.values())))).table_valued("value", name=f"{name}_json")
    columns = [_item(elements.c.value, at, type_).label(key) for at, (key, type_) in enumerate(types.items())]
    return select(*columns).select_from(elements).subquery(name)


def insert_into(table: Table) -> Statement:
    """The statement that inserts a row, from a value for each of its columns but the number."""
    columns = [column for column in table.columns if column.name != "id"]
    return Statement(insert(table).values({column.name: given(column.name, column.type) for column in columns}))


def insert_or_add(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, adding: tuple[str, ...]
) -> None:
    """Insert the rows; where one of that key exists, add the columns `adding` to it instead."""
    _insert_or_add(connection.dialect.name, table, adding).run_many(connection, rows)


@cache
def _insert_or_add(dialect: str, table: Table, adding: tuple[str, ...]) -> Statement:
    adds: Any = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    adds = adds.values({column.name: given(column.name, column.type) for column in table.columns})
    sums = {name: table.c[name] + adds.excluded[name] for name in adding}
    keys = [column.name for column in table.primary_key]
    return Statement(adds.on_conflict_do_update(index_elements=keys, set_=sums))


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


class _elements(FunctionElement[Any]):
    """The elements of a JSON array, one a row, in the column `value`."""

    inherit_cache = True


class _item(ColumnElement[Any]):
    """One value of a JSON array, in a type."""

    inherit_cache = False

    def __init__(self, array: ColumnElement[Any], at: int, type_: Type) -> None:
        self.array, self.at, self.type = array, at, type_


class _Rows(UserDefinedType[Sequence[Sequence[Any]]]):
    """A list of rows as JSON."""

    cache_ok = True

    def __init__(self, types: tuple[Type, ...]) -> None:
        self.types = types

    def get_col_spec(self, **_: Any) -> str:
        return "JSON"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        others = [(at, type_) for at, type_ in enumerate(self.types) if not isinstance(type_, JSON)]  # it nests
        writers = [(at, type_.dialect_impl(dialect).bind_processor(dialect)) for at, type_ in others]
        special = [(at, write) for at, write in writers if write is not None]

        def process(rows: Any) -> str:
            written = [list(row) for row in rows]
            for row in written:
                for at, write in special:
                    row[at] = write(row[at])
            return _as_json(written)

        return process


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
    return f"json_array_elements(CAST({compiler.process(element.clauses, **options)} AS JSON))"


@compiles(_item, "sqlite")
def _item_on_sqlite(element: _item, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_extract({compiler.process(element.array, **options)}, '$[{element.at}]')"


@compiles(_item, "postgresql")
def _item_on_postgresql(element: _item, compiler: SQLCompiler, **options: Any) -> str:
    type_ = compiler.dialect.type_compiler_instance.process(element.type)
    return f"CAST({compiler.process(element.array, **options)} ->> {element.at} AS {type_})"


def _as_literal(element: Any, **_: Any) -> BindParameter[Any] | None:
    """What a statement says itself stands in its text: PostgreSQL's plans for any values use no partial index."""
    is_said = isinstance(element, BindParameter) and not element.literal_execute and element.value is not None
    return element.render_literal_execute() if is_said else None


def run_words(connection: Connection, sql: str) -> None:
    """Run what has no parameters and gives nothing back, such as a BEGIN."""
    driver: Any = connection.connection.driver_connection
    cursor = driver.cursor()
    try:
        cursor.execute(sql)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, sql, error) from error
    cursor.close()


def _run(connection: Connection, compiled: Compiled, parameters: Any, *, many: bool = False) -> Any:
    driver: Any = connection.connection.driver_connection
    cursor = driver.cursor()
    try:
        if many:
            cursor.executemany(compiled.sql, parameters)
        else:
            cursor.execute(compiled.sql, parameters, **compiled.options)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, compiled.sql, error) from error
    return cursor


def _told(connection: Connection, sql: str, error: Any) -> BaseException:
    """The driver's error as SQLAlchemy tells it; it quotes no values."""
    dialect = connection.dialect
    is_gone = dialect.is_disconnect(error, connection.connection.driver_connection, None)
    if is_gone:
        connection.invalidate(error)
    facts: dict[str, Any] = {"hide_parameters": True, "connection_invalidated": is_gone, "dialect": dialect}
    told: BaseException = DBAPIError.instance(sql, None, error, dialect.loaded_dbapi.Error, **facts)
    return told
