"""From a file's bytes to its rows: encoding, lines, records, each with the number of the line it begins on.

Nothing is trusted: memory stays flat whatever the file holds; what cannot be read is one bad row, or one clear error.
"""

import codecs
import csv
import io
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from portal.tasks.store import TaskError

Blocks = Callable[[], Iterator[bytes]]
"""Begins the file anew, in blocks of any size."""

MAX_COLUMNS = 200
MAX_CELL = 10_000
MAX_LINE = 250_000
"""Characters of a line; also of a record that goes over several."""
MAX_RECORD_LINES = 500
"""A quoted cell that goes on for longer was never closed."""
MAX_JSON_LINE = 2_000_000
SAMPLE_BYTES = 4096
NUL_SHARE = 0.001
"""A file that begins with more NUL than this is no text."""

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
SIGNATURES = {
    b"PK\x03\x04": "spreadsheet",
    b"PK\x05\x06": "spreadsheet",
    b"\xd0\xcf\x11\xe0": "spreadsheet",
    b"%PDF": "binary",
    b"\x1f\x8b": "binary",
}
"""How files begin that people take for text: XLSX, ZIP and XLS, PDF, gzip."""


class FileProblem(TaskError):
    """The file cannot be imported at all."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the file: its cells (of JSON lines the line itself), or what is wrong with it."""

    line: int
    cells: tuple[str, ...]
    problem: str | None = None


def detect_encoding(blocks: Blocks) -> str:
    """By byte order mark, else UTF-8 when all of it is, else cp1252. Raises FileProblem for what is no text."""
    source = blocks()
    first = b""
    while len(first) < SAMPLE_BYTES and (block := next(source, None)):
        first += block
    if not first:
        raise FileProblem("empty")
    for start, reason in SIGNATURES.items():
        if first.startswith(start):
            raise FileProblem(reason)
    marked = next((name for mark, name in MARKS if first.startswith(mark)), None)
    if marked != "utf-16" and first.count(0) > len(first) * NUL_SHARE:
        raise FileProblem("binary")
    decoder = codecs.getincrementaldecoder(marked or "utf-8")()
    try:
        decoder.decode(first)
        for block in source:
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        if marked is not None:
            raise FileProblem("undecodable") from error
        return "cp1252"
    return marked or "utf-8"


def open_text(blocks: Blocks, encoding: str) -> io.TextIOWrapper:
    """The file as text whose lines end where they end in the file, on any system's way."""
    raw = io.BufferedReader(_BlockReader(blocks()), 64 * 1024)
    return io.TextIOWrapper(raw, encoding, errors="replace", newline="")


def read_records(text: io.TextIOWrapper, delimiter: str, *, width: int | None = None) -> Iterator[Record]:
    """Every record that holds anything. `width` is the header's number of cells, where that is known.

    A quote that is never closed costs its own line only: reading goes on at the next one.
    """
    feed = _Feed(text)
    reader = csv.reader(feed, delimiter=delimiter)
    while True:
        feed.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _NotOneRecord as refused:
            yield feed.give_up(refused.problem)
            continue
        except csv.Error:  # a cell beyond the csv module's own limit
            yield feed.give_up("cell_too_long")
            continue
        if width is not None and _swallowed_rows(feed.taken, width, delimiter):
            yield feed.give_up("unclosed_quote")
        elif any(cell and not cell.isspace() for cell in cells):
            is_odd = width is not None and len(feed.taken) > 1 and len(cells) != width
            yield Record(feed.first_line, tuple(cells), "unclosed_quote" if is_odd else _problem_of(cells))


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


def first_records(blocks: Blocks, encoding: str, delimiter: str, count: int) -> list[Record]:
    """How the file begins, read with this delimiter."""
    with open_text(blocks, encoding) as text:
        return list(islice(read_records(text, delimiter), count))


def _problem_of(cells: list[str]) -> str | None:
    if len(cells) > MAX_COLUMNS:
        return "too_many_columns"
    return "cell_too_long" if any(len(cell) > MAX_CELL for cell in cells) else None


def _swallowed_rows(taken: list[str], width: int, delimiter: str) -> bool:
    """Whether a record over several lines is a stray quote that took whole rows into one cell.

    Each of its lines is then a row of the right width. With two columns a cell of prose could look so too.
    """
    return width > 2 and len(taken) > 1 and all(line.count(delimiter) == width - 1 for line in taken)


def _skip_line(text: io.TextIOWrapper) -> None:
    while (rest := text.readline(MAX_LINE)) and not rest.endswith(("\n", "\r")):
        pass


class _NotOneRecord(Exception):
    """What was read is no record."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class _Feed:
    """Hands lines to the csv reader and remembers those of the record under way, so that they can be read again."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._line = 0
        self.taken: list[str] = []
        self.first_line = 1
        self._size = 0

    def begin(self) -> None:
        """The next line begins a record."""
        self.taken, self._size, self.first_line = [], 0, self._line + 1

    def give_up(self, problem: str) -> Record:
        """The record's first line is a bad row; the lines after it are read again."""
        self._again.extendleft(reversed(self.taken[1:]))
        self._line = self.first_line
        return Record(self.first_line, (self.taken[0][:MAX_CELL].rstrip("\r\n"),), problem)

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        if len(self.taken) == MAX_RECORD_LINES or self._size > MAX_LINE:
            raise _NotOneRecord("unclosed_quote")
        line = self._again.popleft() if self._again else self._text.readline(MAX_LINE)
        if not line:
            if self.taken:
                raise _NotOneRecord("unclosed_quote")
            raise StopIteration
        self._line += 1
        self._size += len(line)
        self.taken.append(line)
        if len(line) == MAX_LINE and not line.endswith(("\n", "\r")):
            self.taken = [line[:MAX_CELL]] if len(self.taken) == 1 else self.taken
            _skip_line(self._text)
            raise _NotOneRecord("line_too_long" if len(self.taken) == 1 else "unclosed_quote")
        return line


class _BlockReader(io.RawIOBase):
    """Blocks as a raw stream."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
