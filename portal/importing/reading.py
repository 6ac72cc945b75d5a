"""From a file's text to its rows, each with the number of the line it begins on.

Broken quotes cost one row wherever they are: reading goes on where the following lines have the shape of rows again.
The time is linear: no line is looked at more than a few times.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from portal.importing.encoding import Blocks, mend_accents, open_text
from portal.importing.quoting import MAX_COLUMNS, split_leniently, unwrap
from portal.importing.shape import Shape

MAX_CELL = 10_000  # characters of a cell; what is beyond them is cut off
MAX_LINE = 250_000  # characters of a line; also of a record that goes over several
MAX_RECORD_LINES = 500  # a quoted cell that goes on for longer was never closed
MAX_LINES_OF_BROKEN_ROW = 100
MAX_JSON_LINE = 2_000_000
SHAPE_ROWS = 60  # rows from which the shape of all is taken


class Record(NamedTuple):
    """One row of the file: its cells (of JSON lines the line itself), or what is wrong with it."""

    line: int
    cells: tuple[str, ...]
    problem: str | None = None
    is_below: bool = False  # a line of a single cell, at the end of the table and after an empty one
    goes_on: int = 0  # the line with the rest of a row that was broken in two


def read_records(
    text: io.TextIOWrapper, delimiter: str, shape: Shape | None = None, *, skip: int = 0
) -> Iterator[Record]:
    """Every record that holds anything, below the first `skip` lines. `shape` is that of rows, where it is known."""
    yield from _Records(text, delimiter, shape, skip).read()


def read_lines(text: io.TextIOWrapper) -> Iterator[Record]:
    """Every line that holds anything, as it is: for JSON lines."""
    number = 0
    while line := text.readline(MAX_JSON_LINE):
        number += 1
        problem = None
        if len(line) == MAX_JSON_LINE and not line.endswith(("\n", "\r")):
            problem, line = "line_too_long", line[:MAX_CELL]
            _skip_line(text)
        if line.strip():
            yield Record(number, (line,), problem)


def first_records(
    blocks: Blocks, encoding: str, delimiter: str, count: int, *, skip: int = 0, is_wrapped: bool = False
) -> list[Record]:
    """How the file begins, read with this delimiter; rows that stand in quotes as a whole are opened if asked for."""
    with open_text(blocks, encoding) as text:
        found = [without_nuls(row) for row in islice(read_records(text, delimiter, skip=skip), count)]
    if not is_wrapped:
        return found
    return [row._replace(cells=tuple(unwrap(row.cells, delimiter) or row.cells)) for row in found]


def without_nuls(record: Record) -> Record:
    """The record without the NUL bytes that a program left in its cells; the same one where there are none."""
    if not any("\0" in cell for cell in record.cells):
        return record
    return record._replace(cells=tuple(cell.replace("\0", "") for cell in record.cells))


def find_shape(blocks: Blocks, encoding: str, delimiter: str, *, width: int, skip: int) -> Shape:
    """The shape of a table's rows, as its first ones have it."""
    first = first_records(blocks, encoding, delimiter, SHAPE_ROWS, skip=skip)
    return Shape.of(width, [record.cells for record in first if record.problem is None])


@dataclass(slots=True)
class _Attempt:
    """What came of reading a record: its cells or what is wrong, and the lines that it took."""

    line: int
    lines: list[str]
    cells: Sequence[str] = ()
    problem: str | None = None


class _Records:
    """Reads the records of a table."""

    def __init__(self, text: io.TextIOWrapper, delimiter: str, shape: Shape | None, skip: int) -> None:
        self._feed = _Feed(text, skip)
        self._reader = csv.reader(self._feed, delimiter=delimiter, strict=True, skipinitialspace=True)
        self._delimiter = delimiter
        self._shape = shape
        self._width = shape.width if shape else 0
        self._has_short_rows = False
        self._no_row_before = 0

    def read(self) -> Iterator[Record]:
        is_after_gap = False
        while (attempt := self._attempt()) is not None:
            if len(attempt.cells) < self._width and (inner := self._unwrapped(attempt.cells)):
                attempt.cells = inner
            if refused := self._refused(attempt):
                yield refused
                continue
            cells = attempt.cells
            if not any(map(str.strip, cells)):
                is_after_gap = True
                continue
            is_after_gap = is_after_gap and len(cells) == 1 and self._width > 2
            if len(cells) < self._width and not is_after_gap:
                self._has_short_rows = True
            is_below = is_after_gap and not self._has_short_rows
            problem = "too_many_columns" if len(cells) > MAX_COLUMNS else None
            is_short = sum(map(len, attempt.lines)) <= MAX_CELL
            kept = tuple(cells) if is_short else tuple(cell[:MAX_CELL] for cell in cells)
            yield Record(attempt.line, kept, problem, is_below)

    def _attempt(self) -> _Attempt | None:
        """Read one record, with the quotes as they should be; None at the end."""
        attempt = self._feed.begin()
        try:
            attempt.cells = next(self._reader)
        except StopIteration:
            return None
        except _NotOneRecord as refused:
            attempt.problem = refused.problem
        except csv.Error:  # text beside quotes, or a cell beyond the csv module's own limit
            attempt.problem = "unclosed_quote"
        return attempt

    def _unwrapped(self, cells: Sequence[str]) -> Sequence[str] | None:
        """The cells of a row that stands in quotes as a whole."""
        inner = unwrap(cells, self._delimiter)
        return inner if inner and len(inner) == self._width else None

    def _refused(self, attempt: _Attempt) -> Record | None:
        """The bad row that a record is whose quotes are broken, or the mended one; None for any other."""
        if attempt.problem or (len(attempt.lines) == 1 and self._is_odd_line(attempt)):
            return self._give_up(attempt, attempt.problem or "unclosed_quote")
        if len(attempt.lines) == 1 or self._shape is None or attempt.line < self._no_row_before:
            return None
        # Whose first and last lines are rows without their quotes holds two stray quotes, and all between them.
        has_swallowed = all(self._shape.is_whole(attempt.lines[place], self._delimiter) for place in (0, -1))
        is_torn = has_swallowed or len(attempt.cells) != self._width or self._is_torn(attempt)
        return self._without_swallowed(attempt, is_sure=is_torn is True) if is_torn is not False else None

    def _is_odd_line(self, attempt: _Attempt) -> bool:
        """Whether a stray quote took cells of a line into another."""
        line = attempt.lines[0]
        if self._shape is None or '"' not in line or len(attempt.cells) >= self._width:
            return False
        fits_better = self._shape.fitting(line.split(self._delimiter)) > self._shape.fitting(attempt.cells)
        return fits_better or line.count('"') % 2 > 0

    def _is_torn(self, attempt: _Attempt) -> bool | None:
        """Whether what follows begins within a cell: the record ended where one of the next row opens. None: unsure."""
        passed: list[str] = []
        while (following := self._attempt()) is not None and len(passed) < MAX_LINES_OF_BROKEN_ROW:
            passed += following.lines
            if following.problem or '"' in following.lines[0] or len(following.cells) >= self._width:
                break
        self._feed.push_back(passed)
        if self._shape is None or following is None or (not following.problem and self._shape.is_row(following.cells)):
            return False
        if self._shape.is_cut(attempt.cells):
            return True
        begins = self._shape.begins(following.lines[0], self._delimiter)
        return None if begins is None else not begins

    def _without_swallowed(self, attempt: _Attempt, *, is_sure: bool) -> Record | None:
        """The bad row that ends where another begins within the record, one without quotes unless that is sure."""
        self._feed.push_back(attempt.lines[1:])
        before = self._lines_before_next_row()
        rest = [] if before is None else attempt.lines[len(before) + 1 :]
        if before is not None and rest and (is_sure or '"' not in rest[0]):
            return self._bad_row(attempt, "unclosed_quote", before)
        self._feed.push_back(before or [])
        self._feed.skip(len(attempt.lines) - 1)
        return None

    def _give_up(self, attempt: _Attempt, problem: str) -> Record:
        """A bad row: the lines up to the next that has a row's shape; those after it are read again."""
        self._feed.push_back(attempt.lines[1:])
        mended, before = self._mend(attempt), None
        is_over = self._has_short_rows or (mended is not None and not attempt.lines[0].rstrip().endswith('"'))
        if problem == "unclosed_quote" and not is_over and attempt.line >= self._no_row_before:
            before = self._lines_before_next_row()
        if not before and mended is not None:
            return Record(attempt.line, mended)
        return self._bad_row(attempt, problem, before or [])

    def _bad_row(self, attempt: _Attempt, problem: str, more: Sequence[str]) -> Record:
        text = "".join((attempt.lines[0], *more))
        return Record(attempt.line, (text[:MAX_CELL].rstrip("\r\n"),), problem)

    def _mend(self, attempt: _Attempt) -> tuple[str, ...] | None:
        """The cells of a line in which quotes within a quoted cell were not doubled, when all its cells are there."""
        cells = split_leniently(attempt.lines[0], self._delimiter)
        return cells if cells is not None and self._shape is not None and self._shape.is_row(cells) else None

    def _lines_before_next_row(self) -> list[str] | None:
        """The lines up to the next that has a row's shape, which is handed out again; None where none is near."""
        lines: list[str] = []
        while self._shape is not None and len(lines) < MAX_LINES_OF_BROKEN_ROW:
            attempt = self._attempt()
            if attempt is None:
                return lines
            is_whole = attempt.problem is None and self._shape.is_row(attempt.cells)
            if is_whole and len(attempt.lines) > 1:
                is_within = self._shape.begins(attempt.lines[0], self._delimiter) is False
                is_whole = not is_within and self._is_torn(attempt) is False
            if is_whole or self._mend(attempt) is not None:
                self._feed.push_back(attempt.lines)
                return lines
            self._feed.push_back(attempt.lines[1:])
            lines += attempt.lines[:1]
        self._no_row_before = self._feed.line + 1
        self._feed.push_back(lines)
        return None


def _skip_line(text: io.TextIOWrapper) -> None:
    while (rest := text.readline(MAX_LINE)) and not rest.endswith(("\n", "\r")):
        pass


class _NotOneRecord(Exception):
    """What was read is no record."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class _Feed:
    """Hands lines to the csv reader and keeps those of the record under way, so that they can be read again."""

    def __init__(self, text: io.TextIOWrapper, skip: int) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._attempt = _Attempt(0, [])
        self._size = 0
        self.line = 0  # the number of the last line that was handed out
        self.skip(skip)

    def begin(self) -> _Attempt:
        """The next line begins a record."""
        self._attempt, self._size = _Attempt(self.line + 1, []), 0
        return self._attempt

    def skip(self, count: int) -> None:
        """Pass over the next lines."""
        for _ in range(count):
            self._take()

    def push_back(self, lines: Sequence[str]) -> None:
        """The last lines are to be handed out again."""
        self._again.extendleft(reversed(lines))
        self.line -= len(lines)

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        lines = self._attempt.lines
        if len(lines) == MAX_RECORD_LINES or self._size > MAX_LINE:
            raise _NotOneRecord("unclosed_quote")
        line = self._take()
        if not line:
            if lines:
                raise _NotOneRecord("unclosed_quote")
            raise StopIteration
        self._size += len(line)
        lines.append(line)
        if len(line) == MAX_LINE:
            raise _NotOneRecord("line_too_long" if len(lines) == 1 else "unclosed_quote")
        return line

    def _take(self) -> str:
        """The next line, cut at `MAX_LINE` characters; empty at the end."""
        if self._again:
            line = self._again.popleft()
        else:
            line = mend_accents(self._text.readline(MAX_LINE))
            if len(line) == MAX_LINE and not line.endswith(("\n", "\r")):
                _skip_line(self._text)
        self.line += bool(line)
        return line
