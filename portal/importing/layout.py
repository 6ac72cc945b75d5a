"""How a file is laid out: whose export it is, its encoding, its delimiter, and where its header row stands."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from portal.importing.columns import map_columns, recognise_kind
from portal.importing.reading import (
    MAX_COLUMNS,
    Blocks,
    FileProblem,
    Record,
    detect_encoding,
    first_records,
    open_text,
    read_lines,
    read_records,
)

DELIMITERS = (",", ";", "\t")
MAX_ROWS = 200_000
HEADER_WITHIN = 12
"""Records among which the header row is looked for: LinkedIn puts up to three others before it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What reading the file again takes. JSON lines have no delimiter and no header."""

    kind: str
    encoding: str
    delimiter: str | None = None
    header_line: int = 0
    header: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Layout":
        return cls(**{**stored, "header": tuple(stored["header"])})


def examine(blocks: Blocks) -> tuple[Layout, int]:
    """The file's layout and how many rows it has, read to its end. Raises FileProblem."""
    layout = find_layout(blocks)
    total = 0
    for _ in read_rows(blocks, layout):
        total += 1
        if total > MAX_ROWS:
            raise FileProblem("too_many_rows")
    if total == 0:
        raise FileProblem("empty")
    return layout, total


def find_layout(blocks: Blocks) -> Layout:
    """The file's layout, from its bytes and the way it begins. Raises FileProblem."""
    encoding = detect_encoding(blocks)
    with open_text(blocks, encoding) as text:
        start = text.read(4096).lstrip("\ufeff \t\r\n")
    if not start:
        raise FileProblem("empty")
    if start[0] == "{":
        return Layout("jsonl", encoding)
    if start[0] == "[":
        raise FileProblem("json_list")
    found = [(each, _find_header(first_records(blocks, encoding, each, HEADER_WITHIN))) for each in DELIMITERS]
    delimiter, header = max(found, key=lambda each: (_recognised(each[1]), len(each[1].cells)))
    if header.problem is not None:
        raise FileProblem(header.problem if header.problem == "too_many_columns" else "no_header")
    if len(header.cells) > MAX_COLUMNS:
        raise FileProblem("too_many_columns")
    cells = tuple(cell.strip().removeprefix("\ufeff") for cell in header.cells)
    return Layout(recognise_kind(cells), encoding, delimiter, header.line, cells)


def read_rows(blocks: Blocks, layout: Layout) -> Iterator[Record]:
    """The rows below the header, good and bad, in the order of the file."""
    with open_text(blocks, layout.encoding) as text:
        if layout.delimiter is None:
            yield from read_lines(text)
            return
        for record in read_records(text, layout.delimiter, width=len(layout.header)):
            if record.line > layout.header_line:
                yield record


def _find_header(records: list[Record]) -> Record:
    """The row with the most names that are known; where none is known, the first row."""
    if not records:
        raise FileProblem("empty")
    best = max(records, key=lambda record: (_recognised(record), -record.line))
    if _recognised(best):
        return best
    return next((record for record in records if len(record.cells) > 1), records[0])


def _recognised(record: Record) -> int:
    return 0 if record.problem else sum(field is not None for field in map_columns(record.cells))
