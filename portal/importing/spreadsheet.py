"""Workbooks (XLSX, XLS, ODS) as a CSV file: a line for each row of one sheet, so that the rest knows one kind of table.

An XLSX or ODS is a ZIP of XML, and unpacks to any size: what its parts say of themselves is checked before one is
opened. `workbook` does the reading, in a process of its own that may take only so much memory.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from portal.importing import workbook
from portal.importing.encoding import WORKBOOK_MARKS, FileProblem, UnknownName
from portal.importing.layout import HEADER_WITHIN, Examination
from portal.importing.naming import known_names
from portal.importing.reading import first_records
from portal.tasks.slices import BLOCK_BYTES

MARK_LENGTH = len(WORKBOOK_MARKS[0])
WORKBOOKS = frozenset(("xl/workbook.xml", "xl/workbook.bin", "content.xml"))
MAX_PARTS = 1000
MAX_PART_BYTES = 150 * 1024 * 1024
MAX_RATIO = 100  # a part that unpacks to more than so many times its size was made to harm
SMALL_PART = 1024 * 1024
MAX_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Table:
    """A file to import, or what a sheet of a workbook came to. A text has no sheets."""

    file: IO[bytes]
    sheets: tuple[str, ...] = ()
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()  # the others that can be seen and hold something

    @property
    def size(self) -> int:
        """How many bytes the file has."""
        place = self.file.tell()
        size = self.file.seek(0, 2)
        self.file.seek(place)
        return size

    def blocks(self) -> Iterator[bytes]:
        """The file from its beginning on, in blocks."""
        self.file.seek(0)
        while block := self.file.read(BLOCK_BYTES):
            yield block

    def examination(self, encoding: str | None = None, *, has_header: bool = True) -> Examination:
        """The examination of the file. Raises FileProblem for a workbook's encoding, which nobody can choose."""
        if self.sheet is not None and encoding is not None:
            raise FileProblem("no_encoding")
        sheets = {"sheet": self.sheet, "sheets": self.sheets, "other_sheets": self.other_sheets}
        return Examination(self.blocks, encoding=encoding, has_header=has_header, sheets=sheets)


@contextmanager
def as_text_file(file: IO[bytes], sheet: str | None = None) -> Iterator[Table]:
    """The file itself, or the CSV that a workbook's sheet comes to: this one, or the one that holds a table.

    Raises FileProblem.
    """
    if not is_workbook(file):
        if sheet is not None:
            raise FileProblem("no_sheets")
        yield Table(file)
        return
    with _sheets(file, sheet) as found:
        yield max(found, key=_rank)


def every_table(file: IO[bytes]) -> Iterator[Table]:
    """The file itself, or each sheet of a workbook that may be read. Raises FileProblem."""
    if is_workbook(file):
        with _sheets(file, None) as found:
            yield from found
    else:
        yield Table(file)


def is_workbook(file: IO[bytes]) -> bool:
    """Whether the file begins as a workbook does."""
    file.seek(0)
    return file.read(MARK_LENGTH) in WORKBOOK_MARKS


@contextmanager
def _sheets(file: IO[bytes], sheet: str | None) -> Iterator[list[Table]]:
    """The sheet of this name, or all that can be seen."""
    file.seek(0)
    if file.read(MARK_LENGTH) == WORKBOOK_MARKS[0]:
        _check_parts(file)
    file.seek(0)
    with tempfile.TemporaryDirectory() as name, ExitStack() as opened:
        folder = Path(name)
        with (folder / "workbook").open("wb") as copy:
            shutil.copyfileobj(file, copy)
        sheets, filled, read = _convert(folder / "workbook", folder, sheet)
        files = [opened.enter_context((folder / f"{number}.csv").open("rb")) for number in range(len(read))]
        yield [
            Table(each, tuple(sheets), title, tuple(other for other in filled if other != title))
            for each, title in zip(files, read, strict=True)
        ]


def _convert(path: Path, folder: Path, sheet: str | None) -> tuple[list[str], list[str], list[str]]:
    """Write the sheet, or each one, into the folder. Returns the names of all, of the filled, and of the written."""
    program = [sys.executable, "-I", workbook.__file__, str(path), str(folder), *([sheet] if sheet is not None else [])]
    try:
        done = subprocess.run(program, capture_output=True, timeout=MAX_SECONDS, check=False)  # noqa: S603  our own
    except subprocess.TimeoutExpired as error:
        raise FileProblem("spreadsheet_too_large") from error
    if done.returncode == workbook.UNREADABLE:
        raise FileProblem("broken_spreadsheet")
    if done.returncode not in (0, workbook.NO_SUCH_SHEET):
        raise FileProblem("spreadsheet_too_large")
    said = json.loads(done.stdout)
    if done.returncode == workbook.NO_SUCH_SHEET:
        raise UnknownName("no_such_sheet", sheet or "", said["sheets"])
    if not said["read"]:
        raise FileProblem("empty")
    return said["sheets"], said["filled"], said["read"]


def _rank(table: Table) -> tuple[int, int]:
    """How likely a sheet is the one that is meant: by the known names of its columns, if rows follow, then by size."""
    first = first_records(table.blocks, "utf-8", ",", HEADER_WITHIN)
    known = max((known_names(record.cells) for record in first[:-1]), default=0)
    return known, table.size


def _check_parts(file: IO[bytes]) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise FileProblem("broken_spreadsheet") from error
    finally:
        file.seek(0)
    if WORKBOOKS.isdisjoint(part.filename for part in parts):
        raise FileProblem("zip")
    if len(parts) > MAX_PARTS or any(_is_harmful(part) for part in parts):
        raise FileProblem("spreadsheet_too_large")


def _is_harmful(part: zipfile.ZipInfo) -> bool:
    is_bomb = part.file_size > SMALL_PART and part.file_size > MAX_RATIO * max(part.compress_size, 1)
    return is_bomb or part.file_size > MAX_PART_BYTES
