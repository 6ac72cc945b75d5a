"""What was found wrong or doubtful in the rows of a file, and how a task keeps it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Engine

from portal.contacts.items import InvalidContact
from portal.importing.cells import Note
from portal.importing.reading import Record
from portal.tasks import slices

MAX_LOOKED_AT = 5000  # findings among which a page looks for the first of each kind


class Finding(NamedTuple):
    """A bad row with its cells, or a warning: the contact entered without a cell, or with a part of it."""

    line: int  # where the row begins
    field: str
    problem: str
    cells: Sequence[str]  # of a warning only what the cell said
    column: str = ""  # the name of a warning's column, if it has one
    is_warning: bool = False
    other_line: int = 0  # the line of another row that it speaks of

    @property
    def says(self) -> tuple[str, ...]:
        """What it says, in whatever line."""
        return (self.field, self.problem, self.column, *self.cells)

    @classmethod
    def read(cls, stored: bytes) -> "Iterator[Finding]":
        """The findings of one chunk, as a task keeps them."""
        return (cls(*json.loads(line)) for line in stored.splitlines())


def bad_row(record: Record, error: InvalidContact) -> Finding:
    return Finding(record.line, error.field, error.problem, record.cells)


def warning(record: Record, note: Note, header: Sequence[str]) -> Finding:
    column = header[note.column] if note.column is not None and note.column < len(header) else ""
    return Finding(record.line, note.field, note.problem, (note.said,), column, True, note.other_line)


def store_findings(findings: Sequence[Finding]) -> bytes:
    """What `Finding.read` reads."""
    return "\n".join(json.dumps(each) for each in findings).encode()


def read_findings(engine: Engine, task_id: int) -> Iterator[Finding]:
    """What is wrong or doubtful in the rows of an import, in the order of the file."""
    for block in slices.read_blocks(engine, task_id, "finding"):
        yield from Finding.read(block)


def first_findings(engine: Engine, task_id: int, count: int) -> tuple[list[Finding], list[tuple[Finding, int]]]:
    """The first bad rows and the first warnings of an import, for a page; of warnings how many more say the same."""
    found = list(islice(read_findings(engine, task_id), MAX_LOOKED_AT))
    bad, warned = ([each for each in found if each.is_warning == is_warning] for is_warning in (False, True))
    same = Counter(each.says for each in warned)
    first = {each.says: each for each in reversed(warned)}
    shown = sorted(first.values(), key=lambda each: each.line)[:count]
    return bad[:count], [(each, same[each.says] - 1) for each in shown]


def blank_findings(stored: bytes, is_meant: Callable[[str], bool]) -> bytes:
    """The findings of one chunk without the cells of those whose text is meant; line and reason stay."""
    findings = [each._replace(cells=()) if is_meant("\n".join(each.cells)) else each for each in Finding.read(stored)]
    return store_findings(findings)
