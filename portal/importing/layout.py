"""How a file is laid out: whose export it is, its encoding, its delimiter, and where its header row stands."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import zip_longest
from operator import itemgetter
from typing import Any

from portal.importing.cells import read_text
from portal.importing.columns import Column, recognise, recognise_kind, repeated_names
from portal.importing.encoding import Blocks, FileProblem, check_start, detect_encoding, open_text
from portal.importing.evidence import Evidence, look_at
from portal.importing.headings import explains_columns
from portal.importing.naming import known_names
from portal.importing.padding import find_padding, without_padding
from portal.importing.quoting import MAX_COLUMNS
from portal.importing.reading import Record, find_shape, first_records, read_lines, read_records
from portal.importing.torn import join_broken, refuse_torn
from portal.rules.identity import email_address, linkedin_id

DELIMITERS = (",", ";", "\t", "|")
ANY_DELIMITER = re.compile(f"[{''.join(DELIMITERS)}]")
MAX_ROWS = 200_000
MAX_TURNS = 1000  # of the reader; a file that takes more has millions of lines, and few rows among them
MOST_EXPLAINING = 3  # rows below the header that may explain its columns
HEADER_WITHIN = 30  # records among which the header row is looked for: reports put their filters before it
IN_DIGITS = re.compile(r"\s*[^\w\s]*\d(?:[^\w]|\d)*")  # a number, a phone or a date in digits


@dataclass(frozen=True, slots=True)
class Layout:
    """What reading the file again takes. JSON lines have no delimiter and no header."""

    kind: str
    encoding: str
    delimiter: str | None = None
    header_line: int = 0  # the last one of the header
    header: tuple[str, ...] = ()  # the names of the columns: empty ones where the file has no header row
    month_first: tuple[int, ...] = ()  # the columns whose dates write the month before the day
    filled: tuple[int, ...] = ()  # the columns of which some cell says something
    order_open: tuple[int, ...] = ()  # the columns of dates that do not tell which of both comes first
    sheet: str | None = None  # which sheet of a workbook it is
    sheets: tuple[str, ...] = ()
    # What stands at the end of each line and parts no cells: all of them stood in a spreadsheet's first column.
    padding: str = ""
    other_sheets: tuple[str, ...] = ()  # the sheets that are left out, as far as they can be seen and hold something

    @property
    def has_header(self) -> bool:
        """Whether a line of the file names its columns."""
        return self.delimiter is None or self.header_line > 0

    @property
    def is_header_doubtful(self) -> bool:
        """Whether the first row was taken for a header, though no name in it is known."""
        return self.header_line > 0 and known_names(self.header) == 0

    @property
    def repeated_names(self) -> tuple[str, ...]:
        """The names that the header says again, of another table beside the first, which is left out."""
        return repeated_names(self.header)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Layout":
        lists = ("header", "month_first", "filled", "order_open", "sheets", "other_sheets")
        return cls(**{**stored, **{name: tuple(stored.get(name, ())) for name in lists}})


@dataclass(frozen=True, slots=True)
class Examined:
    """What a file was found to be. JSON lines have no columns."""

    layout: Layout
    total: int  # how many rows it has
    columns: tuple[Column, ...]


class Examination:
    """A file being examined to its end, as somebody says that it is to be read. Going through it raises FileProblem."""

    def __init__(
        self,
        blocks: Blocks,
        *,
        encoding: str | None = None,
        has_header: bool = True,
        sheets: dict[str, Any] | None = None,
    ) -> None:
        self._blocks = blocks
        self._encoding = encoding
        self._has_header = has_header
        self._sheets = sheets or {}
        self.found: Examined  # what the file is, once it was gone through

    def __iter__(self) -> Iterator[int]:
        """The number of rows so far, now and then."""
        layout = find_layout(self._blocks, self._encoding, has_header=self._has_header)
        evidence = [Evidence() for _ in layout.header]
        still = list(range(len(evidence)))
        total = turns = 0
        for record in read_rows(self._blocks, layout):
            total, turns = (total, turns + 1) if record is None else (total + 1, turns)
            if total > MAX_ROWS or turns > MAX_TURNS:
                raise FileProblem("too_many_rows")
            if record is None:
                yield total
                continue
            is_row = record.problem is None and not (total <= MOST_EXPLAINING and explains_columns(record.cells))
            if still and is_row:
                still = look_at(evidence, still, record.cells)
        if total == 0:
            raise FileProblem("empty")
        month_first = tuple(index for index, seen in enumerate(evidence) if seen.writes_month_first)
        order_open = tuple(index for index, seen in enumerate(evidence) if seen.is_order_open)
        filled = tuple(index for index, seen in enumerate(evidence) if seen.filled)
        layout = replace(layout, month_first=month_first, order_open=order_open, filled=filled, **self._sheets)
        self.found = Examined(layout, total, recognise(layout.header, evidence))

    def finish(self) -> Examined:
        """What the file is, read to its end."""
        for _ in self:
            pass
        return self.found


def examine(blocks: Blocks, *, encoding: str | None = None) -> Examined:
    """What the file is, read to its end, in this encoding if somebody chose one. Raises FileProblem."""
    return Examination(blocks, encoding=encoding).finish()


def find_layout(blocks: Blocks, chosen: str | None, *, has_header: bool) -> Layout:
    """The file's layout, from its bytes and the way it begins. Raises FileProblem.

    Without `has_header` its first row is no header, whatever it looks like.
    """
    encoding = chosen or detect_encoding(blocks)
    with open_text(blocks, encoding) as text:
        start = text.read(4096).lstrip("\ufeff \t\r\n")
    check_start(start)
    if not start:
        raise FileProblem("empty")
    if start[0] == "{":
        return Layout("jsonl", encoding)
    if start[0] == "[":
        raise FileProblem("json_list")
    padding = find_padding(start)
    delimiter, header = _find_table(partial(without_padding, blocks, padding), encoding)
    if header.problem is not None:
        raise FileProblem(header.problem if header.problem == "too_many_columns" else "no_header")
    if len(header.cells) > MAX_COLUMNS:
        raise FileProblem("too_many_columns")
    if not has_header or not _is_header(header):
        return Layout("generic", encoding, delimiter, 0, ("",) * len(header.cells), padding=padding)
    cells = tuple(cell.strip().removeprefix("\ufeff") for cell in header.cells)
    return Layout(recognise_kind(cells), encoding, delimiter, header.line, cells, padding=padding)


def read_rows(blocks: Blocks, layout: Layout) -> Iterator[Record | None]:
    """The rows below the header, good and bad, in the order of the file, and a None now and then."""
    blocks = partial(without_padding, blocks, layout.padding)
    with open_text(blocks, layout.encoding) as text:
        if layout.delimiter is None:
            yield from read_lines(text)
            return
        width = len(layout.header)
        shape = find_shape(blocks, layout.encoding, layout.delimiter, width=width, skip=layout.header_line)
        records = read_records(text, layout.delimiter, shape, skip=layout.header_line)
        yield from refuse_torn(join_broken(records, shape), width)


def _find_table(blocks: Blocks, encoding: str) -> tuple[str, Record]:
    """The delimiter and the row of the names; rows that stand in quotes as a whole are opened where none is known."""
    for is_wrapped in (False, True):
        tables = []
        for each in DELIMITERS:
            records = first_records(blocks, encoding, each, HEADER_WITHIN, is_wrapped=is_wrapped)
            header = _find_header(_mend_header(records, each))
            width = _usual_width([record for record in records if record.line > header.line])
            known, is_fitting = _recognised(header), len(header.cells) == width > 1
            is_as_it_stands = _recognised(_find_header(records)) == known
            tables.append((known, is_fitting, is_as_it_stands, len(header.cells), each, header))
        known, *_, delimiter, header = max(tables, key=itemgetter(0, 1, 2, 3))
        if known or not is_wrapped:
            found = delimiter, header
        if known:
            break
    return found


def _mend_header(records: list[Record], delimiter: str) -> list[Record]:
    """The records, where broken quotes, another delimiter or an end of line hide names of columns with these mended.

    It is sure where there are as many as the rows below have cells, and more of them are known.
    """
    found: list[Record] = []
    for index, record in enumerate(records):
        if found and found[-1].line == record.line:
            continue  # its names are those of the line above
        below = records[index + 1] if index + 1 < len(records) else None
        found.append(_mended(record, delimiter, below, records[index + 2 :]))
    return found


def _mended(record: Record, delimiter: str, below: Record | None, rest: list[Record]) -> Record:
    """The record with the most names that are known, of the ways to read it or it with the one below."""
    if below is None or record.problem not in (None, "unclosed_quote"):
        return record
    text = (record.cells[0] if record.problem else delimiter.join(record.cells)).replace('"', "")
    ways = (text.split(delimiter), ANY_DELIMITER.split(text))
    width = _usual_width([below, *rest])
    fitting = [record._replace(cells=tuple(cells), problem=None) for cells in ways if len(cells) == width > 1]
    if not record.problem and not below.problem:
        both = below._replace(cells=(*record.cells[:-1], f"{record.cells[-1]} {below.cells[0]}", *below.cells[1:]))
        fitting += [both] * (len(both.cells) == _usual_width(rest) and _recognised(both) > _recognised(below))
    best = max(fitting, key=_recognised, default=record)
    return best if _recognised(best) > _recognised(record) else record


def _usual_width(records: list[Record]) -> int:
    """How many cells most of these rows have; 0 of none."""
    widths = Counter(len(record.cells) for record in records if not record.problem)
    return max(widths, key=lambda width: widths[width], default=0)


def _find_header(records: list[Record]) -> Record:
    """The row with the most names that are known; where none is known, the first row, or a broken line above it.

    Its line is the last one above the next row.
    """
    if not records:
        raise FileProblem("empty")
    records = records[: _end_of_first(records)]
    best = max(records, key=lambda record: (_recognised(record), -record.line))
    if _recognised(best):
        above = [record for record in records if record.line < best.line]
        best = _with_rest(best, next((record for record in records if record.line > best.line), None))
        best = _with_groups(best, above[-1]) if above else best
    else:
        best = next((record for record in records if record.problem or len(record.cells) > 1), records[0])
    return best._replace(line=next((record.line - 1 for record in records if record.line > best.line), best.line))


def _end_of_first(records: list[Record]) -> int:
    """How many records there are until somebody follows names of columns: other names below are of another table."""
    is_named = False
    for place, record in enumerate(records):
        if is_named and _is_of_somebody(record):
            return place + 1
        is_named = is_named or _recognised(record) > 1
    return len(records)


def _with_rest(header: Record, below: Record | None) -> Record:
    """The header whose names go on in the line below it, where more of them are known together."""
    if below is None or below.problem or not all(cell[:1].islower() for cell in below.cells if cell):
        return header
    pairs = zip_longest(header.cells, map(str.strip, below.cells), fillvalue="")
    whole = below._replace(cells=tuple(f"{cell} {rest}".strip() for cell, rest in pairs))
    return whole if _recognised(whole) > _recognised(header) else header


def _with_groups(header: Record, above: Record) -> Record:
    """The header whose repeated names say their group too, of merged cells in the row above, where that is known."""
    if above.problem or sum(map(bool, map(str.strip, above.cells))) < 2:
        return header
    groups: list[str] = []
    for cell in above.cells[: len(header.cells)]:
        groups.append(cell.strip() or (groups[-1] if groups else ""))
    names = Counter(map(str.strip, header.cells))
    whole = [f"{group} {cell}".strip() for cell, group in zip_longest(header.cells, groups, fillvalue="")]
    pairs = zip(header.cells, whole, strict=True)
    return header._replace(
        cells=tuple(each if names[cell.strip()] > 1 and known_names([each]) else cell for cell, each in pairs)
    )


def _recognised(record: Record) -> int:
    return 0 if record.problem or _is_of_somebody(record) else known_names(record.cells)


def _is_of_somebody(record: Record) -> bool:
    """Whether a cell is an address or somebody's e-mail or profile, as no name of a column is."""
    cells = [cell for cell in map(read_text, record.cells) if " " not in cell]
    return any("://" in cell or ("@" in cell and email_address(cell)) for cell in cells) or any(
        "linkedin.com/" in cell.lower() and linkedin_id(cell) for cell in cells
    )


def _is_header(record: Record) -> bool:
    """Whether a row names columns; one whose names are not known does where no cell is a number, a phone or a date."""
    return _recognised(record) > 0 or not (_is_of_somebody(record) or any(map(IN_DIGITS.fullmatch, record.cells)))
