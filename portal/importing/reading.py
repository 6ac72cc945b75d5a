"""From a file's text to its rows, each with the number of the line it begins on.

Broken quotes cost one row wherever they are: reading goes on where the following lines have the shape of rows again.
Where quotes are broken at most some hundred lines are looked at together; the time is linear. A None among the records
is no row: it tells now and then that reading goes on, however much of the file holds none.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from typing import NamedTuple

from portal.importing.broken import Cut, row_cost
from portal.importing.encoding import Blocks, open_text
from portal.importing.feed import TURN, TURN_OF_LINE, Attempt, Feed, NotOneRecord, skip_line
from portal.importing.quoting import MAX_COLUMNS, unwrap
from portal.importing.shape import Shape

MAX_CELL = 10_000  # characters of a cell; what is beyond them is cut off
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
    is_after_gap: bool = False  # behind an empty line, or behind lines of a single cell below one


def read_records(
    text: io.TextIOWrapper, delimiter: str, shape: Shape | None = None, *, skip: int
) -> Iterator[Record | None]:
    """Every record that holds anything, below the first `skip` lines. `shape` is that of rows, where it is known."""
    yield from _Records(text, delimiter, shape, skip).read()


def read_lines(text: io.TextIOWrapper) -> Iterator[Record | None]:
    """Every line that holds anything, as it is: for JSON lines."""
    number = 0
    while line := text.readline(MAX_JSON_LINE):
        number += 1
        if number % (TURN // TURN_OF_LINE) == 0:
            yield None
        problem = None
        if len(line) == MAX_JSON_LINE and not line.endswith(("\n", "\r")):
            problem, line = "line_too_long", line[:MAX_CELL]
            skip_line(text)
        if line.strip():
            yield Record(number, (line,), problem)


def first_records(
    blocks: Blocks, encoding: str, delimiter: str, count: int, *, skip: int = 0, is_wrapped: bool = False
) -> list[Record]:
    """How the file begins, read with this delimiter; rows that stand in quotes as a whole are opened if asked for."""
    with open_text(blocks, encoding) as text:
        records = takewhile(bool, read_records(text, delimiter, skip=skip))
        found = [without_nuls(row) for row in islice(records, count) if row]
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


class _Records:
    """Reads the records of a table."""

    def __init__(self, text: io.TextIOWrapper, delimiter: str, shape: Shape | None, skip: int) -> None:
        self._feed = Feed(text, skip)
        self._reader = csv.reader(self._feed, delimiter=delimiter, strict=True, skipinitialspace=True)
        self._delimiter = delimiter
        self._shape = shape
        self._width = shape.width if shape else 0
        self._has_short_rows = False
        self._no_row_before = 0
        self._settled: deque[Attempt] = deque()

    def read(self) -> Iterator[Record | None]:
        is_after_gap = False
        while (attempt := self._next()) is not None:
            if self._feed.has_turned():
                yield None
            if attempt.problem:
                yield self._bad_row(attempt)
                continue
            cells = attempt.cells
            if not any(map(str.strip, cells)):
                is_after_gap = True
                continue
            is_behind, is_after_gap = is_after_gap, is_after_gap and len(cells) == 1 and self._width > 2
            if len(cells) < self._width and not is_after_gap:
                self._has_short_rows = True
            is_below = is_after_gap and not self._has_short_rows
            problem = "too_many_columns" if len(cells) > MAX_COLUMNS else None
            is_short = sum(map(len, attempt.lines)) <= MAX_CELL
            kept = tuple(cells) if is_short else tuple(cell[:MAX_CELL] for cell in cells)
            yield Record(attempt.line, kept, problem, is_below, is_after_gap=is_behind)

    def _next(self) -> Attempt | None:
        """The next record, as far as the quotes around it tell."""
        if self._settled:
            return self._settled.popleft()
        attempt = self._attempt()
        if attempt is None or self._is_sure(attempt):
            return attempt
        if self._shape is None or attempt.line < self._no_row_before:
            return self._as_it_stands(attempt)
        return self._settle(attempt, self._shape)

    def _attempt(self) -> Attempt | None:
        """Read one record, with the quotes as they should be; None at the end."""
        attempt = self._feed.begin()
        try:
            attempt.cells = next(self._reader)
        except StopIteration:
            return None
        except NotOneRecord as refused:
            attempt.problem = refused.problem
        except csv.Error:  # text beside quotes, or a cell beyond the csv module's own limit
            attempt.problem = "unclosed_quote"
        if len(attempt.cells) < self._width and (inner := self._unwrapped(attempt.cells)):
            attempt.cells = inner
        return attempt

    def _unwrapped(self, cells: Sequence[str]) -> Sequence[str] | None:
        """The cells of a row that stands in quotes as a whole."""
        inner = unwrap(cells, self._delimiter)
        return inner if inner and len(inner) == self._width else None

    def _is_sure(self, attempt: Attempt) -> bool:
        """Whether a record needs no look at what is around it: one of several lines does at what follows it."""
        if self._shape is None or attempt.problem == "line_too_long":
            return attempt.problem != "unclosed_quote"
        if not attempt.problem and not any(map(str.strip, attempt.cells)):
            return True
        if len(attempt.lines) == 1 and not attempt.problem:
            takes_short = self._has_short_rows and '"' not in attempt.lines[0]
            return len(attempt.cells) >= self._width or takes_short
        return self._is_whole(attempt) and self._is_before_row()

    def _is_whole(self, attempt: Attempt) -> bool:
        if attempt.problem or self._shape is None or len(attempt.cells) < self._width:
            return False
        return row_cost(attempt.cells, attempt.lines, self._delimiter, self._shape, takes_short=False) == 0

    def _is_before_row(self) -> bool:
        """Whether a row as it should be follows, behind empty lines or none, or nothing."""
        passed: list[str] = []
        while (following := self._attempt()) is not None:
            passed += following.lines
            if following.lines[0].strip() or len(passed) > MAX_LINES_OF_BROKEN_ROW:
                break
        self._feed.push_back(passed)
        return following is None or self._is_whole(following)

    def _as_it_stands(self, attempt: Attempt) -> Attempt:
        """The record, or its first line where its quotes are broken; the others are read again."""
        if attempt.problem:
            self._feed.push_back(attempt.lines[1:])
            attempt.lines = attempt.lines[:1]
        return attempt

    def _settle(self, attempt: Attempt, shape: Shape) -> Attempt:
        """The record that begins where this one was tried, with those behind it put aside, as they are likeliest."""
        self._feed.push_back(attempt.lines)
        count = MAX_LINES_OF_BROKEN_ROW + (0 if attempt.problem else len(attempt.lines))
        lines, is_end = self._feed.look_ahead(count)
        cut = Cut(lines, self._delimiter, shape, is_end=is_end, takes_short=self._has_short_rows)
        pieces, place = cut.pieces(), 0
        if not pieces or (pieces[0].cells is None and pieces[0].lines == len(lines) and not is_end):
            self._no_row_before = attempt.line + len(lines)
            self._feed.skip(len(attempt.lines))
            return self._as_it_stands(attempt)
        for piece in pieces:
            problem = "unclosed_quote" if piece.cells is None else None
            taken = lines[place : place + piece.lines]
            self._settled.append(Attempt(attempt.line + place, taken, piece.cells or (), problem))
            place += piece.lines
            is_short = len(piece.cells or ()) < shape.width and any(map(str.strip, piece.cells or ()))
            if is_short and not self._has_short_rows:
                break  # what is below is seen otherwise once there are short rows
        self._feed.skip(place)
        return self._settled.popleft()

    def _bad_row(self, attempt: Attempt) -> Record:
        return Record(attempt.line, ("".join(attempt.lines)[:MAX_CELL].rstrip("\r\n"),), attempt.problem)
