"""Statements of the hottest way: written in SQLAlchemy Core, compiled once for each database, run by the driver itself.

What SQLAlchemy does around each execution costs more there than what the database does. Errors stay SQLAlchemy's.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Dialect,
    Insert,
    Select,
    UpdateBase,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.visitors import iterate, replacement_traverse
from sqlalchemy.types import Boolean

from portal import clock
from portal.database.rows import given, rows_of

PLANNED_AT = "planned_at"  # key in a connection's `info`: since when it may hold plans of what is planned anew
TOGETHER = "together"  # key in a connection's `info`: what ends the telling of one statement after another
PLAN_SECONDS = 1.0  # for so long these plans are good: to plan such a statement takes longer than to run it


class Statement:
    """A Core statement, whose parameters are `given`, each one value, or `rows_of` values.

    PostgreSQL keeps the plan of what is run often. With `plans_anew` it does for a second: for what finds few rows at
    one time and many at another, while the table grows. `on_sqlite` says the same in words that SQLite is quicker at.
    """

    def __init__(
        self, element: Select[Any] | UpdateBase, *, plans_anew: bool = False, on_sqlite: Insert | None = None
    ) -> None:
        self._plans_anew = plans_anew
        self._element: Any = replacement_traverse(element, {}, _as_literal)
        self._on_sqlite: Any = on_sqlite if on_sqlite is None else replacement_traverse(on_sqlite, {}, _as_literal)
        self._compiled: dict[str, Compiled] = {}
        self._inserts_selected = isinstance(element, Insert) and element.select is not None

    def all(self, connection: Connection, **values: Any) -> list[Any]:
        """Run it once. Returns its rows, whose columns have names."""
        return self.ask(connection, **values)()

    def ask(self, connection: Connection, **values: Any) -> Callable[[], list[Any]]:
        """Run it once; what this returns gives its rows, and inside `together` waits for them only then."""
        compiled = self.compiled_for(connection.dialect)
        read = partial(_read, connection, compiled, _run(connection, compiled, compiled.bind(values)))
        rows = read() if TOGETHER not in connection.info else None  # SQLite would look for them when they are read
        return lambda: [compiled.row_of(row) for row in (read() if rows is None else rows)]

    def run(self, connection: Connection, **values: Any) -> None:
        """Run it once, for what it does."""
        compiled = self.compiled_for(connection.dialect)
        _run(connection, compiled, compiled.bind(values)).close()

    def run_many(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run it for each of the rows; what inserts what it selects runs once for all of them on PostgreSQL."""
        rows = list(rows)
        # For many psycopg begins a pipeline, which costs more than a row.
        if len(rows) == 1 or (self._inserts_selected and connection.dialect.name == "postgresql"):
            statement, values = self.once_for(rows)
            statement.run(connection, **values)
        else:
            compiled = self.compiled_for(connection.dialect)
            _run(connection, compiled, [compiled.bind(row) for row in rows], many=True).close()

    def once_for(self, rows: Sequence[Mapping[str, Any]]) -> "tuple[Statement, Mapping[str, Any]]":
        """What PostgreSQL runs once for all of the rows, which insert what they select, and its parameters."""
        if len(rows) == 1:
            return self, rows[0]
        names, at_once = self._at_once
        return at_once, {"rows": [[row[name] for name in names] for row in rows]}

    @cached_property
    def _at_once(self) -> "tuple[list[str], Statement]":
        """The parameters' names, and this made to run once for many rows: each parameter is a column of theirs."""
        givens: list[Any] = [each for each in iterate(self._element) if _is_given(each)]
        rows = rows_of("rows", **{each.key: each.type for each in givens})

        def column_of(element: Any, **_: Any) -> Any:
            return rows.c[element.key] if _is_given(element) else None

        element: Any = replacement_traverse(self._element, {}, column_of)
        return [column.key for column in rows.c], Statement(element, plans_anew=self._plans_anew)

    def told_at(self, place: int) -> Any:
        """The same, where its parameters stand beside those of others: each has this place in its name."""

        def rename(element: Any, **_: Any) -> Any:
            return given(f"{element.key}_{place}", element.type) if _is_given(element) else None

        return replacement_traverse(self._element, {}, rename)

    def compiled_for(self, dialect: Dialect) -> "Compiled":
        if dialect.name not in self._compiled:
            has_own = dialect.name == "sqlite" and self._on_sqlite is not None
            element = self._on_sqlite if has_own else self._element
            self._compiled[dialect.name] = Compiled(element, dialect, plans_anew=self._plans_anew)
        return self._compiled[dialect.name]


class Hold(Statement):
    """A Core select that only locks rows. Whoever writes on SQLite has locked all of them, and asks nothing there."""

    def run(self, connection: Connection, **values: Any) -> None:
        if connection.dialect.name != "sqlite":
            super().run(connection, **values)


class Compiled:
    """A statement in the words of one database, with what turns values into the driver's and back."""

    def __init__(self, element: Any, dialect: Dialect, *, plans_anew: bool) -> None:
        self.plans_anew = plans_anew and dialect.name == "postgresql"
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


def _is_given(element: Any) -> bool:
    return isinstance(element, BindParameter) and element.value is None and not element.literal_execute


def _as_literal(element: Any, **_: Any) -> BindParameter[Any] | None:
    """What a statement says itself stands in its text: PostgreSQL's plans for any values use no partial index."""
    is_said = isinstance(element, BindParameter) and not element.literal_execute and element.value is not None
    return element.render_literal_execute() if is_said else None


def run_words(connection: Connection, sql: str) -> None:
    """Run what has no parameters and gives nothing back, such as a BEGIN."""
    driver: Any = connection.connection.driver_connection
    try:
        driver.execute(sql).close()
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, sql, error) from error


@contextmanager
def together(connection: Connection) -> Iterator[None]:
    """Inside, PostgreSQL is told one `Statement` after another; who reads rows waits for it, and the end does.

    What fails is raised by whoever waits next. Nothing but these statements may be run inside, but for what is `apart`.
    """
    if connection.dialect.name != "postgresql" or TOGETHER in connection.info:
        yield
        return
    info = connection.info  # one that is invalidated is not asked for it
    try:
        with ExitStack() as stack:
            _begin_pipeline(connection, stack)
            yield
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, None, error) from error
    finally:
        info.pop(TOGETHER, None)


@contextmanager
def apart(connection: Connection) -> Iterator[None]:
    """Inside, each statement waits for what it gives, whatever is `together` around."""
    stack = connection.info.pop(TOGETHER, None)
    if stack is None:
        yield
        return
    stack.close()
    yield
    _begin_pipeline(connection, stack)


def _begin_pipeline(connection: Connection, stack: ExitStack) -> None:
    driver: Any = connection.connection.driver_connection
    connection.info[TOGETHER] = stack
    stack.enter_context(driver.pipeline())


def _run(connection: Connection, compiled: Compiled, parameters: Any, *, many: bool = False) -> Any:
    """Let the driver run it. Returns its cursor."""
    driver: Any = connection.connection.driver_connection
    if compiled.plans_anew:
        _forget_old_plans(connection)
    cursor = driver.cursor()
    try:
        if many:
            cursor.executemany(compiled.sql, parameters)
        else:
            cursor.execute(compiled.sql, parameters)
    except connection.dialect.loaded_dbapi.Error as error:
        cursor.close()
        raise _told(connection, compiled.sql, error) from error
    return cursor


def _read(connection: Connection, compiled: Compiled, cursor: Any) -> Sequence[Any]:
    """What a statement found; the cursor is closed then."""
    try:
        rows: Sequence[Any] = cursor.fetchall()
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, compiled.sql, error) from error
    finally:
        cursor.close()
    return rows


def _forget_old_plans(connection: Connection) -> None:
    """Let PostgreSQL plan again what it planned a while ago, when tables may have been much smaller."""
    now = clock.monotonic()
    if now - connection.info.setdefault(PLANNED_AT, now) >= PLAN_SECONDS:
        run_words(connection, "DISCARD PLANS")
        connection.info[PLANNED_AT] = now


def _told(connection: Connection, sql: str | None, error: Any) -> BaseException:
    """The driver's error as SQLAlchemy tells it; it quotes no values."""
    dialect = connection.dialect
    is_gone = dialect.is_disconnect(error, connection.connection.driver_connection, None)
    if is_gone:
        connection.invalidate(error)
    facts: dict[str, Any] = {"hide_parameters": True, "connection_invalidated": is_gone, "dialect": dialect}
    told: BaseException = DBAPIError.instance(sql, None, error, dialect.loaded_dbapi.Error, **facts)
    return told
